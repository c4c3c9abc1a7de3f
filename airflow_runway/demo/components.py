"""The components of a throw-away Airflow as its owner sees them: names, process ids, logs, ends."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_runway.demo.sessions import kill_sessions, session_members, signal_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

_PAUSE_SECONDS = 0.05
_TAIL_LINES = 30


class ComponentDiedError(RuntimeError):
    """A component ended although nobody asked it to. Its message shows the end of its log."""


@dataclass
class Component:
    """One process of Airflow, the leader of its own session."""

    name: str
    #: Process id; the id of its session and process group at the same time.
    pid: int
    log: Path
    #: ``None`` while it runs; negative: ended by that signal.
    exit_code: int | None = None
    #: Whether its end was asked for, by a signal of ours.
    expected_to_end: bool = False

    def signal(self, number: int) -> None:
        """Signal the process alone, not its children.

        :param number: e.g. ``signal.SIGSTOP``; SIGTERM and SIGKILL make its end an expected one.
        """
        self.expected_to_end |= number in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT)
        if self.exit_code is None:
            signal_all([self.pid], number)

    def family(self) -> list[int]:
        """The process ids of it and everything below it that lives.

        :returns: process ids, in no order.
        """
        return session_members({self.pid})

    def kill(self) -> None:
        """SIGKILL it and everything below it."""
        self.expected_to_end = True
        kill_sessions({self.pid})

    def tail(self, lines: int = _TAIL_LINES) -> str:
        """The end of its log.

        :param lines: how many lines.
        :returns: the text; empty when it wrote nothing.
        """
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""


class Components:
    """Starts components through the launcher process, and ends them.

    :param logs: folder of the log files, one per component.
    :param environment: their environment.
    :param fork: whether they are forked from one warm interpreter instead of executed anew.
    """

    def __init__(self, logs: Path, environment: Mapping[str, str], *, fork: bool) -> None:
        self._logs = logs
        self._changed = threading.Condition()
        self._by_name: dict[str, Component] = {}
        self._sessions: set[int] = set()
        self._launcher_log = logs / "launcher.log"
        with self._launcher_log.open("ab") as errors:
            self._process = subprocess.Popen(  # noqa: S603
                [sys.executable, "-m", "airflow_runway.demo.launcher", "fork" if fork else "exec"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=dict(environment),
                start_new_session=True,
            )
        self._sessions.add(self._process.pid)
        self._gone = False
        threading.Thread(target=self._listen, name="launcher-events", daemon=True).start()

    def __getitem__(self, name: str) -> Component:
        return self._by_name[name]

    def __iter__(self) -> Iterator[Component]:
        return iter(list(self._by_name.values()))

    def start(self, name: str, *argv: str, timeout: float = 60.0) -> Component:
        """Start ``airflow *argv`` under a name; an ended component of that name is replaced.

        :param name: its name, also of its log file.
        :param argv: the words after ``airflow``.
        :param timeout: seconds to wait for the process to exist.
        :returns: its handle.
        """
        log = self._logs / f"{name}.log"
        order = {"name": name, "argv": list(argv), "log": str(log)}
        with self._changed:
            self._by_name.pop(name, None)
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it was asked for
        with contextlib.suppress(BrokenPipeError):
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.flush()
        self._wait(lambda: name in self._by_name, timeout, f"start {name}")
        return self._by_name[name]

    def wait_for_end(self, name: str, timeout: float) -> int:
        """Wait until a component has ended.

        :param name: its name.
        :param timeout: seconds.
        :returns: its exit code.
        :raises TimeoutError: when it still runs.
        """
        component = self._by_name[name]
        component.expected_to_end = True
        self._wait(lambda: component.exit_code is not None, timeout, f"end of {name}")
        return component.exit_code or 0

    def check(self) -> None:
        """See that everything still runs.

        :raises ComponentDiedError: when something does not, and nobody had asked it to end.
        """
        if self._gone or self._process.poll() is not None:
            raise ComponentDiedError(f"the launcher of Airflow ended:\n{_tail(self._launcher_log)}")
        for component in self:
            if component.exit_code is not None and not component.expected_to_end:
                raise ComponentDiedError(
                    f"Airflow's {component.name} ended with code {component.exit_code}; "
                    f"the end of {component.log}:\n{component.tail()}"
                )

    def stop(self, grace: float) -> list[int]:
        """End everything: SIGTERM, and after a while SIGKILL, until no process is left.

        :param grace: seconds between the two.
        :returns: process ids that survived even that; normally empty.
        """
        leaders = [component.pid for component in self if component.exit_code is None]
        for component in self:
            component.expected_to_end = True
        signal_all(leaders, signal.SIGTERM)
        signal_all(leaders, signal.SIGCONT)  # a frozen process takes no SIGTERM
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and session_members(self._sessions - {self._process.pid}):
            time.sleep(_PAUSE_SECONDS)
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        left = kill_sessions(self._sessions)
        self._process.wait()
        return left

    def _listen(self) -> None:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - it was asked for
        for line in stdout:
            with self._changed:
                self._note(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._gone = True
            self._changed.notify_all()

    def _note(self, event: dict[str, Any]) -> None:
        if "started" in event:
            name, pid = event["started"], event["pid"]
            self._by_name[name] = Component(name, pid, self._logs / f"{name}.log")
            self._sessions.add(pid)
        elif "exited" in event:
            component = self._by_name.get(event["exited"])
            if component is not None and component.pid == event["pid"]:
                component.exit_code = event["code"]

    def _wait(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        with self._changed:
            reached = self._changed.wait_for(lambda: condition() or self._gone, timeout)
        self.check()
        if not reached:
            raise TimeoutError(f"{what}: not within {timeout:g} s; logs in {self._logs}")


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-_TAIL_LINES:])


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody listens on at this moment.

    :returns: the port number.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
