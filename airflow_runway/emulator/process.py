"""The emulator as a child process, for tests and the demo. Standard library only."""

from __future__ import annotations

import json
import queue
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from typing import IO, TYPE_CHECKING, Any, Self
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

    from airflow_runway.emulator.api.callbacks import SentCallback
    from airflow_runway.emulator.api.request_log import EntryAsJson
    from airflow_runway.emulator.control.overview import TaskOverview

_READY = "runway emulator listening on "
_START_SECONDS = 20.0
_STOP_SECONDS = 5.0
_CALL_SECONDS = 30.0


class EmulatorProcess:
    """A running emulator; a context manager that starts and stops it.

    It stops with the parent too, however that ends: it watches a pipe that only the parent holds.

    :param arguments: command line of ``python -m airflow_runway.emulator``.
    :param log: file for its standard error; a temporary one by default.
    """

    def __init__(self, arguments: Iterable[str] = (), log: Path | None = None) -> None:
        self._arguments = list(arguments)
        self._log_path = log
        self._process: subprocess.Popen[str] | None = None
        self._log: IO[bytes] | None = None
        #: Its address without a slash at the end, once started.
        self.url = ""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        """Process id of the child.

        :raises RuntimeError: if it is not running.
        """
        if self._process is None:
            raise RuntimeError("The emulator is not running.")
        return self._process.pid

    def start(self) -> None:
        """Starts the child and waits until it listens.

        :raises RuntimeError: with the child's standard error, if it does not within 20 s.
        """
        if self._process is not None:
            raise RuntimeError("The emulator is running already.")
        self._log = open(self._log_path, "w+b") if self._log_path else tempfile.TemporaryFile()  # noqa: SIM115
        # The interpreter and the options come from the caller, who could run anything anyway.
        self._process = subprocess.Popen(  # noqa: S603
            [sys.executable, "-m", "airflow_runway.emulator", "--until-stdin-closes", *self._arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            start_new_session=True,
        )
        line = _first_line(self._process, _START_SECONDS)
        if not line.startswith(_READY):
            self._process.kill()
            self._process.wait()
            self._log.seek(0)
            complaint = self._log.read().decode(errors="replace").strip()
            self.stop()
            raise RuntimeError(f"The emulator did not start: {complaint or 'no ready line in time'}")
        self.url = line.removeprefix(_READY).strip()

    def stop(self) -> None:
        """Stops the child: asks, waits 5 s, then kills. Does nothing if it is not running."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()
        if self._log is not None:
            self._log.close()
            self._log = None

    def ledger(self) -> dict[str, Any]:
        """All charges and their total: a :class:`~airflow_runway.emulator.control.overview.Ledger`."""
        answer: dict[str, Any] = self._call("GET", "ledger")
        return answer

    def tasks(self) -> list[TaskOverview]:
        """All tasks, with the number of reads of each."""
        answer: list[TaskOverview] = self._call("GET", "tasks")
        return answer

    def requests(self) -> list[EntryAsJson]:
        """The requests that arrived."""
        answer: list[EntryAsJson] = self._call("GET", "requests")
        return answer

    def callbacks(self) -> list[SentCallback]:
        """The callbacks that were sent."""
        answer: list[SentCallback] = self._call("GET", "callbacks")
        return answer

    def add_fault(self, **rule: object) -> None:
        """Puts a fault rule in force.

        :param rule: see :func:`airflow_runway.emulator.faults.rule.parse_fault`.
        :raises ValueError: if the emulator refuses it.
        """
        self._call("POST", "faults", rule)

    def clear_faults(self) -> None:
        """Forgets all fault rules."""
        self._call("DELETE", "faults")

    def refuse(self, seconds: float) -> None:
        """Lets the emulator refuse all connections, these calls included, for some real seconds.

        :param seconds: at most 60.
        :raises ValueError: if the emulator refuses it.
        """
        self._call("POST", "refuse", {"seconds": seconds})

    def settings(self, **changes: object) -> dict[str, Any]:
        """Changes settings.

        :param changes: see :class:`airflow_runway.emulator.world.settings.Settings`; none = just look.
        :returns: all settings.
        :raises ValueError: if the emulator refuses one.
        """
        answer: dict[str, Any] = self._call("POST", "settings", changes)
        return answer

    def put_media(self, name: str, content: bytes) -> str:
        """Hosts a file.

        :param name: its name, with an extension that tells its type.
        :param content: its bytes.
        :returns: its URL, which the emulator takes as a prompt image.
        """
        url: str = self._call("PUT", f"media/{quote(name)}", content)["url"]
        return url

    def reset(self) -> None:
        """Empties everything."""
        self._call("POST", "reset")

    def _call(self, method: str, path: str, body: object = None) -> Any:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        # The address is the one that our own child printed.
        kind = {} if body is None or isinstance(body, bytes) else {"Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/_emulator/{path}", data, kind, method=method)  # noqa: S310
        # No proxy of the environment may come between us and a loopback address.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=_CALL_SECONDS) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                raise ValueError(error.read().decode(errors="replace")) from None


def emulator_process(
    *,
    speed: float = 1.0,
    seconds: float = 30.0,
    lenient: bool = False,
    api_keys: Iterable[str] = (),
    host: str = "127.0.0.1",
    port: int = 0,
    log: Path | None = None,
) -> EmulatorProcess:
    """An emulator to be used with ``with``.

    :param speed: world seconds per real second.
    :param seconds: length of a generation in world seconds.
    :param lenient: accept models, fields and values that the catalogue does not know.
    :param api_keys: the keys that are let in; none = any.
    :param host: address to listen on.
    :param port: port to listen on; 0 = any free one.
    :param log: file for its standard error; a temporary one by default.
    """
    arguments = ["--host", host, "--port", str(port), "--speed", str(speed), "--seconds", str(seconds)]
    arguments += ["--lenient"] if lenient else []
    return EmulatorProcess([*arguments, *(f"--api-key={key}" for key in api_keys)], log)


def _first_line(process: subprocess.Popen[str], seconds: float) -> str:
    """The child's first line, empty if it ends or takes too long. A thread, for pipes have no timeout."""
    lines: queue.Queue[str] = queue.Queue()
    stdout = process.stdout
    if stdout is None:
        return ""
    threading.Thread(target=lambda: lines.put(stdout.readline()), daemon=True).start()
    try:
        return lines.get(timeout=seconds)
    except queue.Empty:
        return ""
