"""A campaign as one ``RunwayBatchOperator`` task, against mapped tasks that submit and deferred sensors.

On a real Airflow (LocalExecutor with four slots, SQLite) with the emulator as the gateway; nothing is saved.
Generations take half a minute, as short as real ones are: one that ends before its sensor first looks needs no
deferral, and hence one worker start less. Both get their requests from a task of their own, which counts.

A worker start is a process for a task: one per try, and one more after each deferral. Rows are those that the run
leaves in Airflow's database. CPU is that of all components and tasks, above what they use when idle; the
benchmark's own questions, one every two seconds, are part of it.
"""

from __future__ import annotations

import itertools
import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.benchmarks.table import slope, table

HELP = "a campaign as one task against mapped tasks: rows, worker starts, time"
KEY = "key_0123456789abcdef0123456789abcdef"
CREDITS_PER_CLIP = 24
#: Clips of the run that builds what is built once: routes of the API, connections, compiled files.
_FIRST = 2
_IDLE_SECONDS = 10.0
_ASK_SECONDS = 2.0
_PATIENCE = 3600.0
#: Tables of which a campaign may be seen to fill much.
_NAMED = ("task_instance", "xcom", "log", "task_state_store")


@dataclass(frozen=True)
class Cost:
    """What one campaign took."""

    instances: int
    starts: int
    seconds: float
    cpu: float
    #: By table.
    rows: dict[str, int]
    #: Bytes by which the database's file grew.
    grown: int
    load: float

    def figures(self) -> list[float]:
        """What is printed of it, and has a slope."""
        named = [self.rows.get(name, 0) for name in _NAMED]
        total = sum(self.rows.values())
        return [
            self.instances,
            self.starts,
            round(self.seconds, 1),
            round(self.cpu, 1),
            total,
            *named,
            total - sum(named),
            round(self.grown / 1024),
        ]


COLUMNS = (
    "task instances", "worker starts", "wall clock, s", "CPU, s", "rows", *_NAMED, "other rows", "database, KiB",
)  # fmt: skip


def options(parser) -> None:
    parser.add_argument("--batch", type=int, nargs="*", default=[100, 300, 1000], help="sizes as one task")
    parser.add_argument("--mapped", type=int, nargs="*", default=[25, 50, 100], help="sizes as mapped tasks")
    parser.add_argument("--generation", type=float, default=30.0, help="seconds that a generation takes")
    parser.add_argument(
        "--heartbeat", type=int, default=1, help="[workers] min_heartbeat_interval; Airflow's default is 5"
    )


def run(args) -> None:
    with campaigns(args.heartbeat) as here:
        found = _measured(here, args)
    for dag_id, costs in found.items():
        _print(dag_id, costs)
    _compare(found["campaign_mapped"], found["campaign_batch"])


@contextmanager
def campaigns(heartbeat: int):
    """An Airflow with the Dags of the campaigns, and an emulator."""
    from airflow_runway.demo.local_airflow import LocalAirflow
    from airflow_runway.emulator.process import emulator_process

    with tempfile.TemporaryDirectory(prefix="runway-campaign-") as folder:
        home = Path(folder)
        (home / "dags").mkdir()
        shutil.copy(Path(__file__).parent / "dags" / "campaigns.py", home / "dags")
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
                yield Campaigns(airflow, emulator)


def _measured(campaigns: Campaigns, args) -> dict[str, dict[int, Cost]]:
    wanted = {"campaign_mapped": args.mapped, "campaign_batch": args.batch}
    for dag_id, sizes in wanted.items():
        if sizes:
            campaigns.run(dag_id, _FIRST)
    campaigns.rest()
    campaigns.emulator.settings(seconds=args.generation)
    return {dag_id: {size: campaigns.run(dag_id, size) for size in sizes} for dag_id, sizes in wanted.items()}


class Campaigns:
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

    def run(self, dag_id: str, clips: int, conf: dict | None = None) -> Cost:
        """Run one, and see to it that every clip was made, and charged, once."""
        airflow = self._airflow
        airflow.wait_for_dag(dag_id)
        charged = len(self.emulator.ledger()["charges"])
        rows, size, cpu = self._rows(), self._bytes(), self._cpu()
        began, load = time.time(), os.getloadavg()[0]
        run_id = airflow.trigger_dag(dag_id, {"clips": clips} if conf is None else conf)
        run = self._ended(dag_id, run_id)
        watched = time.time() - began
        if run["state"] != "success":
            raise RuntimeError(f"{dag_id} with {clips} clips: {run['state']}; logs in {airflow.logs}")
        ledger = self.emulator.ledger()["charges"][charged:]
        paid = {charge["runway_task_id"] for charge in ledger}
        spent = sum(charge["credits"] for charge in ledger)
        if len(ledger) != clips or len(paid) != clips or spent != clips * CREDITS_PER_CLIP:
            raise RuntimeError(f"{clips} clips, {len(ledger)} charges of {spent} credits together")
        after = self._rows()
        cost = Cost(
            instances=self._count("SELECT count(*) FROM task_instance WHERE run_id = ?", run_id),
            starts=self._count("SELECT count(*) FROM log WHERE event = 'running' AND run_id = ?", run_id),
            seconds=datetime.fromisoformat(run["end_date"]).timestamp() - began,
            cpu=self._cpu() - cpu - self._idle * watched,
            rows={name: after[name] - rows[name] for name in after if after[name] != rows[name]},
            grown=self._bytes() - size,
            load=(load + os.getloadavg()[0]) / 2,
        )
        figures = dict(zip(COLUMNS, cost.figures(), strict=True))
        print(f"{dag_id}, {clips} clips, {len(ledger)} charges: {figures} {cost.rows}", flush=True)
        return cost

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

    def _count(self, query: str, *values: object) -> int:
        with closing(sqlite3.connect(self._database, timeout=30)) as database:
            return database.execute(query, values).fetchone()[0]


def _seconds_of(pid: int) -> float:
    with suppress(OSError):
        # utime, stime, cutime, cstime; the name in brackets may hold spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:15]
        return sum(map(int, fields)) / os.sysconf("SC_CLK_TCK")
    return 0.0


def _print(dag_id: str, costs: dict[int, Cost]) -> None:
    if not costs:
        return
    rows = [[size, *cost.figures(), f"{cost.load:.1f}"] for size, cost in costs.items()]
    sizes = list(costs)
    for one, other in itertools.pairwise(sizes):
        both = zip(costs[one].figures(), costs[other].figures(), strict=True)
        per_clip = [f"{(after - before) / (other - one):.3g}" for before, after in both]
        rows.append([f"per clip, {one} to {other}", *per_clip, ""])
    if len(sizes) > 1:
        columns = zip(*(cost.figures() for cost in costs.values()), strict=True)
        rows.append(["per clip, all sizes", *(f"{slope(sizes, column):.3g}" for column in columns), ""])
    table(dag_id, ("clips", *COLUMNS, "load"), rows)


def _compare(mapped: dict[int, Cost], batch: dict[int, Cost]) -> None:
    for size in mapped.keys() & batch.keys():
        both = zip(COLUMNS, mapped[size].figures(), batch[size].figures(), strict=True)
        ratios = [f"{name} {one / other:.3g}" for name, one, other in both if other]
        print(f"{size} clips, mapped tasks need so many times as much: {', '.join(ratios)}")
