"""The parent process of a throw-away Airflow: starts the components, watches them, never outlives its owner.

Run as ``python -m airflow_runway.demo.launcher fork|exec``. It reads one JSON command per line from stdin,
``{"name": "scheduler", "argv": ["scheduler"], "log": "/.../scheduler.log"}``, and writes one JSON event per
line to stdout: ``{"ready": true}``, ``{"started": name, "pid": 1}``, ``{"exited": name, "pid": 1, "code": 0}``.
When stdin ends, because the owner stopped or was killed, it kills what it started and leaves.

``fork`` imports Airflow once and forks the components from that; ``exec`` gives each of them an interpreter
of its own. Five imports of Airflow are what a start on two cores mostly consists of, hence the first; the
second is for platforms whose system libraries do not survive a fork (macOS).
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import sys
import traceback
from typing import Any, NoReturn

from airflow_runway.demo.sessions import kill_sessions

#: Needed by every component and by the migration: imported before anything is started.
_FIRST_MODULES = (
    "airflow.__main__",
    "airflow.utils.db",
    "airflow.cli.commands.db_command",
    "alembic.command",
)
#: Needed by most components; imported one by one while the migration runs on the other core. The routes of
#: the public API are left out on purpose: only one process needs them, and they take longest of all.
_SECOND_MODULES = (
    "airflow.cli.commands.scheduler_command",
    "airflow.cli.commands.triggerer_command",
    "airflow.cli.commands.dag_processor_command",
    "airflow.cli.commands.api_server_command",
    "airflow.executors.local_executor",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "airflow.api_fastapi.execution_api.app",
    "airflow.api_fastapi.execution_api.versions",
    "airflow.api_fastapi.execution_api.routes",
)
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.05


def main(argv: list[str]) -> int:
    """Serve commands until stdin ends.

    :param argv: ``["fork"]`` or ``["exec"]``.
    :returns: the exit code of this process.
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    launcher = Launcher(fork=argv == ["fork"])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        launcher.serve()
    finally:
        launcher.kill_all()
    return 0


class Launcher:
    """Starts processes by name and tells of their end.

    :param fork: whether components are forked from this interpreter instead of executed anew.
    """

    def __init__(self, *, fork: bool) -> None:
        self._fork = fork
        self._running: dict[int, str] = {}
        self._sessions: set[int] = set()
        self._pending = b""
        # What Airflow prints while it is imported must not get between the events.
        self._events = os.fdopen(os.dup(1), "w", buffering=1)
        os.dup2(2, 1)

    def serve(self) -> None:
        """Import what is to be shared, then obey until stdin ends."""
        # Collecting garbage is a third of the time that importing takes, and finds none.
        gc.disable()
        waiting = list(_SECOND_MODULES) if self._fork else []
        if self._fork:
            _import_all(_FIRST_MODULES)
        self._tell(ready=True)
        while True:
            # The rest is imported between two commands, once the first of them is under way.
            busy = bool(waiting and self._running)
            readable, _, _ = select.select([0], [], [], 0 if busy else _POLL_SECONDS)
            if readable and not self._obey():
                return
            self._reap()
            if busy:
                _import_all((waiting.pop(0),))

    def kill_all(self) -> None:
        """SIGKILL whatever still lives in a session that was started here."""
        kill_sessions(self._sessions)

    def _obey(self) -> bool:
        chunk = os.read(0, 65536)
        *lines, self._pending = (self._pending + chunk).split(b"\n")
        for line in lines:
            self._start(**json.loads(line))
        return bool(chunk)

    def _start(self, name: str, argv: list[str], log: str) -> None:
        gc.freeze()  # the children share these pages as long as no collector writes to them
        pid = os.fork()
        if pid == 0:
            self._become(argv, log)
        self._running[pid] = name
        self._sessions.add(pid)
        self._tell(started=name, pid=pid)

    def _become(self, argv: list[str], log: str) -> NoReturn:
        """In the child: be that component, in a session of its own, until the end."""
        try:
            os.setsid()
            gc.enable()
            _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            self._events.close()
            _redirect(log)
            if not self._fork:
                os.execv(sys.executable, [sys.executable, "-m", "airflow", *argv])  # noqa: S606
            sys.argv = ["airflow", *argv]
            importlib.import_module("airflow.__main__").main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except BaseException:
            traceback.print_exc()
            code = 1
        _flush()
        os._exit(code)

    def _reap(self) -> None:
        # A subreaper also collects orphans that it never started; those have no name.
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                name = self._running.pop(ended[0], None)
                if name is not None:
                    self._tell(exited=name, pid=ended[0], code=os.waitstatus_to_exitcode(ended[1]))

    def _tell(self, **event: Any) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._events.write(json.dumps(event) + "\n")


def _import_all(names: tuple[str, ...]) -> None:
    for name in names:
        # A name that another Airflow version does not have is only a slower start.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)


def _redirect(log: str) -> None:
    target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, descriptor in ((nothing, 0), (target, 1), (target, 2)):
        os.dup2(source, descriptor)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def _prctl(option: int, value: int) -> None:
    """Ask Linux not to let children linger or get lost; elsewhere there is no such request."""
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
