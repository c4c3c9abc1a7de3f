"""One demo: emulator, throw-away Airflow, the example DAG, a clip on the disk."""

from __future__ import annotations

import contextlib
import shutil
import signal
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from airflow_runway.demo.errors import DemoError, DemoInputError
from airflow_runway.demo.examples import example_dags
from airflow_runway.demo.picture import Picture, load_picture
from airflow_runway.demo.progress import ProgressLines
from airflow_runway.demo.sample_picture import draw_dusk

if TYPE_CHECKING:
    from collections.abc import Iterator

DAG_ID = "image_to_video"
#: For the whole demo, in seconds.
TIME_LIMIT = 180.0
#: A generation of 30 s ends after 7.5 s: before the trigger's first report, which comes ten seconds after
#: the trigger starts, and late enough to be seen running.
_SPEED = 4.0
#: Everything is thrown away; nobody needs a long farewell.
_GRACE_SECONDS = 1.0
#: Bytes without which a database cannot grow.
_LEAST_SPACE = 256 * 1024
_NEEDED = {"av": "PyAV", "PIL": "Pillow", "starlette": "Starlette", "uvicorn": "uvicorn"}


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the person at the terminal wants."""

    #: A JPEG, PNG or WebP file; ``None``: draw one.
    image: Path | None
    #: Folder for the clip, created when missing.
    out: Path
    prompt: str
    #: Length of the clip, 2 to 10 seconds.
    seconds: int
    #: Whether the Airflow home stays for a look.
    keep: bool


def run_demo(options: DemoOptions) -> None:
    """Make a clip, and say on stdout what happens.

    :param options: what is wanted.
    :raises DemoInputError: wrong picture or missing software; nothing was started.
    :raises DemoError: the run failed; the message says why and where the logs are.
    """
    progress = ProgressLines(lambda line: print(line, flush=True))
    progress.enter("check")
    require_extra()
    picture = load_picture(options.image) if options.image else draw_dusk()
    out = _out_folder(options.out)
    source = options.image or "a dusk of our own"
    progress.tell("check", f"{source}: {picture.width}x{picture.height}, {_size(len(picture.content))}")
    with _sigterm_as_exit(), _home(keep=options.keep) as home:
        _play(options, picture, out, home, progress)


def require_extra() -> None:
    """See that the optional dependencies are there, without importing them.

    :raises DemoInputError: names what is missing and how to install it.
    """
    if missing := [name for module, name in _NEEDED.items() if find_spec(module) is None]:
        raise DemoInputError(
            f"The demo needs {', '.join(missing)}: pip install 'airflow-provider-runway[emulator]'"
        )


def _play(options: DemoOptions, picture: Picture, out: Path, home: Path, progress: ProgressLines) -> None:
    # Imported here: a wrong picture is found before anything is loaded.
    from airflow_runway.demo.local_airflow import LocalAirflow
    from airflow_runway.demo.watch import watch_run
    from airflow_runway.emulator.process import emulator_process

    dags = home / "dags"
    dags.mkdir()
    shutil.copy(example_dags() / f"{DAG_ID}.py", dags)
    progress.enter("emulator", "starting the emulator of Runway's API")
    try:
        with emulator_process(speed=_SPEED, log=home / "emulator.log") as emulator:
            conf = {
                "image": emulator.put_media(picture.name, picture.content),
                "prompt": options.prompt,
                "seconds": options.seconds,
                "destination": out.as_uri(),
            }
            airflow = LocalAirflow(
                home,
                dags,
                {"runway_default": _connection(emulator.url)},
                grace=_GRACE_SECONDS,
                on_phase=lambda phase: _announce(progress, phase),
            )
            airflow.start(TIME_LIMIT - progress.elapsed)
            try:
                manifest = watch_run(airflow, emulator, DAG_ID, conf, progress, TIME_LIMIT)
                ledger = emulator.ledger()
            finally:
                progress.enter("stop", "stopping Airflow and the emulator")
                airflow.stop()
    except (RuntimeError, OSError) as error:  # a component's death, a time-out, a refused request
        raise DemoError(str(error)) from error
    print(_summary(manifest, ledger, progress.finish()))


def _announce(progress: ProgressLines, phase: str) -> None:
    texts = {
        "migrating": "starting Airflow: importing it, creating a database",
        "starting": "starting Airflow: api-server, scheduler, dag-processor, triggerer",
    }
    if phase in texts:
        progress.enter(phase, "")
        progress.tell("airflow", texts[phase])
    else:
        progress.tell("airflow", "the REST API answers")


def _connection(url: str) -> dict[str, Any]:
    return {
        "conn_type": "runway",
        "host": url,
        "password": "key_demo",
        "extra": {"allow_insecure_http": True},
    }


def _out_folder(path: Path) -> Path:
    folder = path.expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DemoInputError(
            f"{folder} cannot be created ({error.strerror}): choose another --out."
        ) from None
    return folder


@contextlib.contextmanager
def _home(*, keep: bool) -> Iterator[Path]:
    """A folder that goes away, unless it is to be looked at."""
    home = Path(tempfile.mkdtemp(prefix="airflow-runway-demo-"))
    try:
        yield home
    except KeyboardInterrupt:
        if not keep:
            shutil.rmtree(home, ignore_errors=True)
        raise
    except DemoError as error:
        full = ""
        if shutil.disk_usage(home).free < _LEAST_SPACE:
            # What its victims wrote of it was cut off by it.
            full = f"There is no space left on the disk of {home}: set TMPDIR to a folder with some.\n"
        raise DemoError(f"{full}{error}\nLogs: {home}", exit_code=error.exit_code) from error
    except BaseException:
        print(f"Logs: {home}", flush=True)
        raise
    if keep:
        print(f"The Airflow home is kept: {home}")
    else:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _sigterm_as_exit() -> Iterator[None]:
    """Let a SIGTERM take the same way out as Ctrl-C: everything is stopped."""

    def leave(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _summary(manifest: dict[str, Any], ledger: dict[str, Any], times: str) -> str:
    lines = [""]
    for file in manifest["files"]:
        path = Path(unquote(urlsplit(str(file["path"])).path))
        lines.append(f"clip   {path.absolute()} ({_size(int(file['bytes']))})")
    credits_spent = ledger["total_credits"]
    lines.append(f"cost   {credits_spent:g} credits on the emulator's ledger, 0 real credits: emulator")
    return "\n".join([*lines, "", times])


def _size(count: int) -> str:
    return f"{count / 1024**2:.1f} MB" if count >= 1024**2 else f"{count / 1024:.0f} kB"
