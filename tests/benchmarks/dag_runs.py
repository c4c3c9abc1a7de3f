"""Dag runs on a real Airflow (LocalExecutor, SQLite) with the emulator as the gateway, and what each of them cost.

A worker start is a process for a task: one per try, and one more after each deferral. Rows are those that the run
leaves in Airflow's database. CPU is that of all components and tasks, above what they use when idle; the
benchmark's own questions, one every two seconds, are part of it.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEY = "key_0123456789abcdef0123456789abcdef"
ROUTE = "text_to_video"
#: A body of the route, but for its prompt, and what it costs.
BODY = {"model": "gen4.5", "ratio": "1280:720", "duration": 2}
CREDITS_PER_CLIP = 24
DAGS = Path(__file__).parent / "dags"
_IDLE_SECONDS = 10.0
_ASK_SECONDS = 2.0
_PATIENCE = 3600.0


@dataclass(frozen=True)
class Cost:
    """What one run took."""

    instances: int
    starts: int
    #: Wall clock, seconds since the epoch.
    began: float
    seconds: float
    cpu: float
    #: By table.
    rows: dict[str, int]
    #: Bytes by which the database's file grew.
    grown: int
    load: float
    #: What the gateway charged, in the order of the creates.
    charges: list[dict[str, Any]]
    #: What Airflow's log of events says of the tasks: event, and wall clock.
    events: list[tuple[str, float]]


def heartbeat_option(parser, default: int) -> None:
    """The option that says how long a worker's slot is held after its task has ended."""
    parser.add_argument(
        "--heartbeat",
        type=int,
        default=default,
        help=f"[workers] min_heartbeat_interval; Airflow's default is 5, here {default}",
    )


@contextmanager
def dag_runs(dag_file: str, *, heartbeat: int, beside: Mapping[str, str] | None = None) -> Iterator[DagRuns]:
    """An Airflow and an emulator, both thrown away afterwards.

    :param dag_file: in the folder ``dags`` of the benchmarks.
    :param heartbeat: ``[workers] min_heartbeat_interval``.
    :param beside: further files in the Dag folder: name → text.
    """
    from airflow_runway.demo.local_airflow import LocalAirflow
    from airflow_runway.emulator.process import emulator_process

    with tempfile.TemporaryDirectory(prefix="runway-benchmark-") as folder:
        home = Path(folder)
        (home / "dags").mkdir()
        shutil.copy(DAGS / dag_file, home / "dags")
        for name, text in (beside or {}).items():
            (home / "dags" / name).write_text(text)
        settings = {"AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": str(heartbeat)}
        with emulator_process(seconds=1, log=home / "emulator.log") as emulator:
            emulator.settings(start_balance=1_000_000)
            connection = {
                "conn_type": "runway",
                "host": emulator.url,
                "password": KEY,
                "extra": {"allow_insecure_http": True},
            }
            with LocalAirflow(
                home / "airflow", home / "dags", {"runway_default": connection}, settings
            ) as airflow:
                yield DagRuns(airflow, emulator)


class DagRuns:
    """Runs them, one after the other, and looks at what they leave behind."""

    def __init__(self, airflow, emulator) -> None:
        self._airflow, self.emulator = airflow, emulator
        self._database = airflow.home / "airflow.db"
        self._idle = 0.0

    def rest(self) -> None:
        """Measure what idle components use."""
        time.sleep(_IDLE_SECONDS)
        before = self._cpu()
        time.sleep(_IDLE_SECONDS)
        self._idle = (self._cpu() - before) / _IDLE_SECONDS
        print(f"idle components use {100 * self._idle:.0f} % of a core", flush=True)

    def run(self, dag_id: str, clips: int, conf: Mapping[str, Any] | None = None) -> Cost:
        """Run one, and see to it that every clip was made, and charged, once.

        :param dag_id: the Dag.
        :param clips: how many it makes.
        :param conf: parameters of the run.
        """
        airflow = self._airflow
        airflow.wait_for_dag(dag_id)
        charged = len(self.emulator.ledger()["charges"])
        rows, size, cpu = self._rows(), self._bytes(), self._cpu()
        began, load = time.time(), os.getloadavg()[0]
        run_id = airflow.trigger_dag(dag_id, dict(conf or {}))
        run = self._ended(dag_id, run_id)
        watched = time.time() - began
        if run["state"] != "success":
            raise RuntimeError(f"{dag_id} with {clips} clips: {run['state']}; logs in {airflow.logs}")
        charges = self.emulator.ledger()["charges"][charged:]
        paid = {charge["runway_task_id"] for charge in charges}
        spent = sum(charge["credits"] for charge in charges)
        if len(charges) != clips or len(paid) != clips or spent != clips * CREDITS_PER_CLIP:
            raise RuntimeError(f"{clips} clips, {len(charges)} charges of {spent} credits together")
        after = self._rows()
        return Cost(
            instances=self._count("SELECT count(*) FROM task_instance WHERE run_id = ?", run_id),
            starts=self._count("SELECT count(*) FROM log WHERE event = 'running' AND run_id = ?", run_id),
            began=began,
            seconds=datetime.fromisoformat(run["end_date"]).timestamp() - began,
            cpu=self._cpu() - cpu - self._idle * watched,
            rows={name: after[name] - rows[name] for name in after if after[name] != rows[name]},
            grown=self._bytes() - size,
            load=(load + os.getloadavg()[0]) / 2,
            charges=charges,
            events=self._events(run_id),
        )

    def _ended(self, dag_id: str, run_id: str) -> dict:
        deadline = time.monotonic() + _PATIENCE
        while (run := self._airflow.dag_run(dag_id, run_id))["state"] not in ("success", "failed"):
            self._airflow.components.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{dag_id}: not within {_PATIENCE:.0f} s")
            time.sleep(_ASK_SECONDS)
        return run

    def _cpu(self) -> float:
        """Seconds of CPU that all processes of Airflow have used, ended children included."""
        return sum(_seconds_of(pid) for one in self._airflow.components for pid in one.family())

    def _rows(self) -> dict[str, int]:
        with closing(sqlite3.connect(self._database, timeout=30)) as database:
            names = [
                name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            ]
            return {name: database.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0] for name in names}

    def _bytes(self) -> int:
        with closing(sqlite3.connect(self._database, timeout=30)) as database:
            pages, free, size = (
                database.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        return (pages - free) * size

    def _events(self, run_id: str) -> list[tuple[str, float]]:
        with closing(sqlite3.connect(self._database, timeout=30)) as database:
            found = database.execute(
                "SELECT event, dttm FROM log WHERE run_id = ? AND task_id IS NOT NULL ORDER BY dttm",
                (run_id,),
            ).fetchall()
        return [(event, datetime.fromisoformat(f"{at}+00:00").timestamp()) for event, at in found]

    def _count(self, query: str, *values: object) -> int:
        with closing(sqlite3.connect(self._database, timeout=30)) as database:
            return database.execute(query, values).fetchone()[0]


def _seconds_of(pid: int) -> float:
    with suppress(OSError):
        # utime, stime, cutime, cstime; the name in brackets may hold spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
        return sum(map(int, fields)) / os.sysconf("SC_CLK_TCK")
    return 0.0
