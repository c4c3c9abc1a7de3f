"""A real Airflow that is thrown away: separate processes, SQLite, a home of its own, gone afterwards."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any, Self

from airflow_runway.demo.components import Component, Components, free_port
from airflow_runway.demo.environment import airflow_environment
from airflow_runway.demo.rest import AirflowRest, RestError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from types import TracebackType

_START_SECONDS = 120.0
_PAUSE_SECONDS = 0.2
FINISHED = frozenset({"success", "failed"})


class LocalAirflow(AirflowRest):
    """Runs api-server, scheduler, dag-processor and triggerer, each in a session of its own.

    The api-server is two processes, ``api-server`` for people and ``execution-api`` for workers: both spend
    seconds building their routes, and there are two cores. A context manager; leaving it leaves no process.

    :param home: a folder for everything it writes, created; logs of components in ``home/logs``.
    :param dags: folder of the DAG files.
    :param connections: connection id to the fields of the connection (``conn_type``, ``host``, ...).
    :param env: further environment variables, e.g. ``AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC``; they win.
    :param triggerers: how many; the first is named ``triggerer``, the next ``triggerer-2``.
    :param fork: whether components are forked from one warm interpreter, which saves most of the start;
        default: on Linux.
    :param grace: seconds between SIGTERM and SIGKILL when it stops.
    :param login: user name and password, where ``env`` says that not everybody is an admin.
    :param on_phase: told ``migrating``, ``starting`` and ``ready``, each when it begins.
    """

    def __init__(
        self,
        home: Path,
        dags: Path,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        *,
        triggerers: int = 1,
        fork: bool | None = None,
        grace: float = 5.0,
        on_phase: Callable[[str], None] = lambda phase: None,
        login: tuple[str, str] | None = None,
    ) -> None:
        self._port, self._execution_port = free_port(), free_port()
        super().__init__(f"http://127.0.0.1:{self._port}", login=login)
        self.home = home.absolute()
        self.logs = self.home / "logs"
        self.environment = airflow_environment(
            self.home, dags.absolute(), self._port, self._execution_port, connections, env
        )
        self._triggerers = triggerers
        self._fork = sys.platform == "linux" if fork is None else fork
        self._grace = grace
        self._on_phase = on_phase
        self._components: Components | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def components(self) -> Components:
        """The running processes by name, e.g. ``airflow.components["triggerer"].signal(SIGSTOP)``."""
        if self._components is None:
            raise RuntimeError("this Airflow has not been started")
        return self._components

    def start(self, timeout: float = _START_SECONDS) -> None:
        """Migrate, start all components, wait until the REST API answers.

        :param timeout: seconds for all of it.
        :raises ComponentDiedError: as soon as a component ends.
        :raises TimeoutError: when it takes too long.
        """
        deadline = time.monotonic() + timeout
        self.logs.mkdir(parents=True, exist_ok=True)
        self._components = Components(self.logs, self.environment, fork=self._fork)
        try:
            self._on_phase("migrating")
            self._migrate(deadline)
            self._on_phase("starting")
            self._start_components()
            self.wait_until(self._answers, deadline - time.monotonic(), "the REST API of Airflow")
            self._on_phase("ready")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """End all processes; harmless when there are none.

        :raises RuntimeError: when some process survived SIGKILL.
        """
        components, self._components = self._components, None
        if components is not None and (left := components.stop(self._grace)):
            raise RuntimeError(f"processes of the throw-away Airflow do not end: {left}")

    def start_component(self, name: str, *argv: str) -> Component:
        """Start one more ``airflow *argv``, or one that ended again.

        :param name: its name, also of its log file.
        :param argv: the words after ``airflow``, e.g. ``"triggerer", "--skip-serve-logs"``.
        :returns: its handle.
        """
        return self.components.start(name, *argv)

    def start_triggerer(self, name: str = "triggerer") -> Component:
        """Start a further triggerer, or one that ended again.

        :param name: its name.
        :returns: its handle.
        """
        # Log servers have fixed ports; two Airflows on one machine must not meet there.
        return self.start_component(name, "triggerer", "--skip-serve-logs")

    def wait_until(self, condition: Callable[[], bool], timeout: float, what: str) -> None:
        """Wait for something, while watching that every component runs.

        :param condition: asked five times a second.
        :param timeout: seconds.
        :param what: its name in the error message.
        :raises ComponentDiedError: as soon as a component ends unexpectedly.
        :raises TimeoutError: when it does not come true.
        """
        deadline = time.monotonic() + timeout
        while True:
            self.components.check()
            if condition():
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not within {timeout:.0f} s; logs in {self.logs}")
            time.sleep(_PAUSE_SECONDS)

    def wait_for_dag(self, dag_id: str, timeout: float = 60.0) -> None:
        """Wait until a DAG can be triggered.

        :param dag_id: the DAG.
        :param timeout: seconds.
        :raises RuntimeError: at once when its file cannot be imported.
        """
        self.wait_until(lambda: self._knows(dag_id), timeout, f"the DAG {dag_id}")

    def wait_for_run(self, dag_id: str, run_id: str, timeout: float = 120.0) -> str:
        """Wait until a run has ended.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param timeout: seconds.
        :returns: ``success`` or ``failed``.
        """
        self.wait_until(
            lambda: self.dag_run(dag_id, run_id)["state"] in FINISHED, timeout, f"the run {run_id}"
        )
        return str(self.dag_run(dag_id, run_id)["state"])

    def _migrate(self, deadline: float) -> None:
        self.components.start("migrate", "db", "migrate", timeout=deadline - time.monotonic())
        if self.components.wait_for_end("migrate", deadline - time.monotonic()) != 0:
            raise RuntimeError(f"airflow db migrate failed:\n{self.components['migrate'].tail()}")

    def _start_components(self) -> None:
        serve = ("api-server", "--host", "127.0.0.1")
        self.start_component("api-server", *serve, "--apps", "core", "--port", str(self._port))
        self.start_component(
            "execution-api", *serve, "--apps", "execution", "--port", str(self._execution_port)
        )
        threading.Thread(target=self._warm_up, name="warm-up", daemon=True).start()
        self.start_component("scheduler", "scheduler", "--skip-serve-logs")
        self.start_component("dag-processor", "dag-processor")
        for number in range(1, self._triggerers + 1):
            self.start_triggerer("triggerer" if number == 1 else f"triggerer-{number}")

    def _warm_up(self) -> None:
        """Make the execution API build its routes now; else the first task waits five seconds for them."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        url = f"http://127.0.0.1:{self._execution_port}/execution/health"
        deadline = time.monotonic() + _START_SECONDS
        while self._components is not None and time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                opener.open(url, timeout=60).close()
                return
            time.sleep(_PAUSE_SECONDS)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            self.request("GET", "/api/v2/version")
            return True
        return False

    def _knows(self, dag_id: str) -> bool:
        try:
            self.request("GET", f"/api/v2/dags/{dag_id}")
        except RestError as error:
            if error.status != 404:
                raise
        else:
            return True
        if broken := self.import_errors():
            raise RuntimeError("a DAG file cannot be imported:\n" + "\n".join(broken))
        return False
