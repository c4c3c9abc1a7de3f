"""A distributed Airflow: CeleryExecutor on Redis, PostgreSQL, and as many triggerers and workers as one likes."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow_runway.demo.local_airflow import LocalAirflow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from integration.distributed.services import Services

    from airflow_runway.demo.components import Component

#: The pool of the tasks that submit, which the test's Dags name.
POOL = "runway_submit"
#: Tasks that one worker runs at a time.
SLOTS = 2
#: Their names, in the order in which they are started.
TRIGGERERS = "triggerer", "triggerer-2"
_SIGN_ON_SECONDS = 60.0
_END_SECONDS = 10.0
#: How soon a loss is noticed, in seconds. Airflow's defaults are 30, 300 and 86,400.
QUICK_TAKEOVER = {
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    # Also how long a slot stays occupied after its task: the supervisor sleeps until the next heartbeat is due.
    "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    # For messages that a dead worker had taken and not begun with.
    "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "20",
}


class DistributedAirflow(LocalAirflow):
    """A :class:`LocalAirflow` whose tasks run in Celery workers.

    :param home: see :class:`LocalAirflow`.
    :param dags: see there.
    :param services: where PostgreSQL and Redis are.
    :param connections: see there.
    :param env: further environment variables; they win.
    :param workers: how many; they are named ``worker-1`` and so on.
    :param slots: tasks that one worker runs at a time.
    :param options: further arguments of :class:`LocalAirflow`.
    """

    def __init__(
        self,
        home: Path,
        dags: Path,
        services: Services,
        connections: Mapping[str, Mapping[str, Any]] | None = None,
        env: Mapping[str, str] | None = None,
        *,
        workers: int = 2,
        slots: int = SLOTS,
        **options: Any,
    ) -> None:
        distributed = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": "64",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": services.database,
            "AIRFLOW__CELERY__BROKER_URL": services.broker,
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(slots),
        }
        super().__init__(home, dags, connections, {**distributed, **(env or {})}, **options)
        #: What each component was started with.
        self._words: dict[str, tuple[str, ...]] = {}
        self._worker_names = [f"worker-{number}" for number in range(1, workers + 1)]
        #: Triggerers by the id of each sign-on.
        self._signed_on: dict[int, str] = {}

    def start_worker(self, name: str) -> Component:
        """Start one more Celery worker, or one that ended again.

        :param name: its name.
        :returns: its handle.
        """
        words = ("celery", "worker", "--skip-serve-logs", "--celery-hostname", f"{name}@localhost")
        return self.start_component(name, *words, "--without-gossip", "--without-mingle")

    def make_pool(self, name: str, slots: int) -> None:
        """Create a pool.

        :param name: its name.
        :param slots: how many tasks may be in it.
        """
        self.request("POST", "/api/v2/pools", {"name": name, "slots": slots})

    def make_whole(self) -> None:
        """Start every triggerer and worker that does not run."""
        for name in TRIGGERERS:
            if not self._runs(name):
                self.start_triggerer(name)
            elif name in self._signed_on.values():
                continue
            # One after the other, so that it is known which of them has which id.
            self.wait_until(self._new_triggerer_jobs, _SIGN_ON_SECONDS, name)
            (job,) = self._new_triggerer_jobs()
            self._signed_on[job] = name
        for name in self._worker_names:
            if not self._runs(name):
                self.start_worker(name)

    @contextmanager
    def managed(self) -> Iterator[Callable[[], list[str]]]:
        """A block in which components may end, and are started again as by a service manager.

        :returns: what starts those that have ended, and names them; to be called again and again.
        """
        again: set[str] = set()

        def start_what_ended() -> list[str]:
            ended = [
                one.name for one in self.components if one.exit_code is not None and one.name in self._words
            ]
            again.update(ended)
            for name in ended:
                self.start_component(name, *self._words[name]).expected_to_end = True
            return ended

        for component in self.components:
            component.expected_to_end = True
        try:
            yield start_what_ended
        finally:
            # Nobody knows which of them has which id: :meth:`make_whole` starts others.
            for name in again.intersection(TRIGGERERS):
                self.components[name].kill()
                self.components.wait_for_end(name, _END_SECONDS)
            self._signed_on |= dict.fromkeys(self._new_triggerer_jobs(), "")
            for component in self.components:
                component.expected_to_end = component.exit_code is not None

    def start_component(self, name: str, *argv: str) -> Component:
        """See :class:`LocalAirflow`; what it was started with is kept."""
        self._words[name] = argv
        return super().start_component(name, *argv)

    def triggerer_of(self, job: int) -> Component:
        """The triggerer that signed on under an id.

        :param job: the id.
        """
        return self.components[self._signed_on[job]]

    def workers(self) -> list[Component]:
        """The workers that run."""
        return [self.components[name] for name in self._worker_names if self._runs(name)]

    def _runs(self, name: str) -> bool:
        return any(one.name == name and one.exit_code is None for one in self.components)

    def _new_triggerer_jobs(self) -> list[int]:
        """The ids under which triggerers have signed on since the last look."""
        jobs = self.request("GET", "/api/v2/jobs?order_by=id&limit=100")["jobs"]
        known = self._signed_on
        return [job["id"] for job in jobs if job["job_type"] == "TriggererJob" and job["id"] not in known]

    def _start_components(self) -> None:
        super()._start_components()
        for name in self._worker_names:
            self.start_worker(name)
