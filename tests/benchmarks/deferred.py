"""In a throw-away Airflow: rows as if thousands of tasks had deferred, and a probe among their triggers.

``python -m tests.benchmarks.deferred COUNT URL PROBE_FILE`` writes the rows into the database of the environment.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

PAUSE = 0.05


class LagProbe(BaseTrigger):
    """Sleeps 50 ms, again and again, and writes down once per second by how much it overslept."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.path = path

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "tests.benchmarks.deferred.LagProbe", {"path": self.path}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        look_ups = _counted_look_ups()
        with Path(self.path).open("w") as file:  # noqa: ASYNC230 - a line per second
            while True:
                lags = []
                for _ in range(int(1 / PAUSE)):
                    began = time.perf_counter()
                    await asyncio.sleep(PAUSE)
                    lags.append(time.perf_counter() - began - PAUSE)
                note = {
                    "at": time.time(),
                    "lags": lags,
                    "cpu": time.process_time(),
                    "megabytes": _megabytes(),
                    "tasks": len(asyncio.all_tasks()),
                    "look_ups": len(look_ups),
                }
                file.write(json.dumps(note) + "\n")
                file.flush()
        yield TriggerEvent(None)


def _megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def _counted_look_ups() -> list[str]:
    """Count what reaches Airflow: every hook's way to a connection leads through here."""
    from airflow.sdk.execution_time import context

    asked: list[str] = []
    real = context._async_get_connection

    async def counted(conn_id: str) -> Any:
        asked.append(conn_id)
        return await real(conn_id)

    context._async_get_connection = counted
    return asked


def write_rows(count: int, url: str, probe_file: str) -> None:
    from airflow.models import Connection
    from airflow.models.dag import DagModel
    from airflow.models.dag_version import DagVersion
    from airflow.models.dagbundle import DagBundleModel
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance, uuid7
    from airflow.models.trigger import Trigger
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState
    from airflow.utils.types import DagRunType
    from sqlalchemy import delete, insert

    from airflow_runway.triggers.runway import RunwayTaskTrigger

    with create_session() as session:
        for model in (TaskInstance, DagRun, DagVersion, DagModel, DagBundleModel, Trigger, Connection):
            session.execute(delete(model))
        extra = json.dumps({"allow_insecure_http": True})
        session.add(
            Connection("runway_default", "runway", host=url, password="key_0123456789abcdef", extra=extra)
        )
        session.add(DagBundleModel(name="none"))
        session.flush()
        session.add(
            DagModel(
                dag_id="wait",
                bundle_name="none",
                max_active_tasks=16,
                has_task_concurrency_limits=False,
                max_consecutive_failed_dag_runs=0,
            )
        )
        session.flush()
        version = DagVersion(dag_id="wait", version_number=1, bundle_name="none")
        session.add(version)
        run = DagRun(dag_id="wait", run_id="r", run_type=DagRunType.MANUAL, state=DagRunState.RUNNING)
        session.add(run)
        session.flush()
        triggers = [Trigger(*LagProbe(probe_file).serialize())]
        for number in range(count):
            waiting = RunwayTaskTrigger(
                f"17f20503-6c24-4c16-946b-{number:012d}", deadline=time.time() + 86_400, seen=True
            )
            triggers.append(Trigger(*waiting.serialize()))
        session.add_all(triggers)
        session.flush()
        same = {
            "dag_id": "wait",
            "run_id": "r",
            "state": "deferred",
            "pool": "default_pool",
            "pool_slots": 1,
            "try_number": 1,
            "max_tries": 0,
            "priority_weight": 1,
            "queue": "default",
            "hostname": "",
            "operator": "RunwayTaskSensor",
            "dag_version_id": version.id,
            "executor_config": {},
        }
        rows = [
            {
                **same,
                "id": uuid7(),
                "task_id": "clip" if number else "probe",
                "map_index": number - 1,
                "trigger_id": trigger.id,
            }
            for number, trigger in enumerate(triggers)
        ]
        session.execute(insert(TaskInstance), rows)


if __name__ == "__main__":
    write_rows(int(sys.argv[1]), sys.argv[2], sys.argv[3])
