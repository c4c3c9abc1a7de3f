"""How near ``RunwayBatchOperator`` comes to the ideal, where ``max_in_flight`` holds it back.

On a real Airflow (LocalExecutor with four slots, SQLite) with the emulator as the gateway; nothing is saved. The
ideal is ``clips / max_in_flight``, rounded up, times the seconds of a generation: no create, no look and no Airflow
takes any time. Wall clock is that of the Dag run, from its trigger to its end. A create takes ``--create`` seconds,
as a real gateway's does; the generation begins with it. The large cases are run with four creates at once, for which
their goal is, and with the default of one, which alone takes a second per clip.

Beside it: worker starts and CPU (:mod:`tests.benchmarks.dag_runs`); seconds before the first create and after the
last end; the mean share of ``max_in_flight`` that ran in between; and for how long the task was in a worker, and
away: deferred, or waiting for its worker. Of each time away 10 s are ours (``SHORTEST_ABSENCE``); what is more, and
does not wait for a generation, is Airflow's. A line under each case says when the task began and left each worker.
``[workers] min_heartbeat_interval`` is Airflow's default of 5.
"""

from __future__ import annotations

import itertools
import json
import math
import time
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from tests.benchmarks.dag_runs import BODY, KEY, ROUTE, dag_runs, heartbeat_option
from tests.benchmarks.table import table

if TYPE_CHECKING:
    from tests.benchmarks.dag_runs import Cost, DagRuns

HELP = "a batch with max_in_flight against its ideal: wall clock, worker starts, CPU"
#: Clips from which a case is a large one.
_LARGE = 100


@dataclass(frozen=True)
class Case:
    """One batch."""

    clips: int
    in_flight: int
    #: Seconds that a generation takes.
    generation: float
    at_once: int = 1

    @classmethod
    def parse(cls, text: str) -> Case:
        """The case in ``CLIPS,IN_FLIGHT,SECONDS[,AT_ONCE]``."""
        clips, in_flight, generation, *at_once = text.split(",")
        return cls(int(clips), int(in_flight), float(generation), *map(int, at_once))

    @property
    def dag_id(self) -> str:
        """Its Dag."""
        return f"batch_{self.clips}_{self.in_flight}_{self.generation:g}_{self.at_once}"

    @property
    def ideal(self) -> float:
        """Seconds."""
        return math.ceil(self.clips / self.in_flight) * self.generation

    @property
    def goal(self) -> float | None:
        """How often the ideal it may take, on an otherwise idle machine; ``None`` = there is no goal."""
        if self.clips < _LARGE:
            return 2.5
        return 1.5 if self.at_once > 1 else None


CASES = ("12,5,10", "30,5,10", "100,20,45,4", "100,20,45", "1000,100,45,4", "1000,100,45")
_FIRST = Case(2, 1, 1.0)
COLUMNS = (
    "clips", "in flight", "generation, s", "creates at once", "wall, s", "ideal, s", "ratio", "goal", "worker starts",
    "CPU, s", "before the first create, s", "after the last end, s", "in use between, %", "in a worker, s", "away, s",
    "load",
)  # fmt: skip


def options(parser) -> None:
    parser.add_argument(
        "--cases", nargs="+", type=Case.parse, default=[Case.parse(text) for text in CASES],
        help=f"CLIPS,IN_FLIGHT,SECONDS[,CREATES_AT_ONCE]; default: {' '.join(CASES)}",
    )  # fmt: skip
    parser.add_argument("--create", type=float, default=1.0, help="seconds that a create takes")
    heartbeat_option(parser, 5)


def run(args) -> None:
    every = [_FIRST, *args.cases]
    beside = {"cases.json": json.dumps([_as_json(case) for case in every])}
    beside |= {_list_of(case): _requests(case.clips) for case in every}
    with dag_runs("batches.py", heartbeat=args.heartbeat, beside=beside) as runs:
        print(f"[workers] min_heartbeat_interval = {args.heartbeat}")
        runs.run(_FIRST.dag_id, _FIRST.clips)
        _slow_down_creates(runs, args.create)
        runs.rest()
        rows = [_row(case, _measured(runs, case)) for case in args.cases]
    table("RunwayBatchOperator against its ideal", COLUMNS, rows)


def _as_json(case: Case) -> dict[str, object]:
    return {
        "dag_id": case.dag_id,
        "route": ROUTE,
        "requests": _list_of(case),
        "in_flight": case.in_flight,
        "at_once": case.at_once,
    }


def _list_of(case: Case) -> str:
    return f"requests_{case.clips}.jsonl"


def _requests(clips: int) -> str:
    return "".join(json.dumps({**BODY, "promptText": f"Shot {number}"}) + "\n" for number in range(clips))


def _slow_down_creates(runs: DagRuns, seconds: float) -> None:
    """Let the answers of creates trickle: the generation has begun, as at a gateway that answers late."""
    size, _ = _create(runs)
    runs.emulator.add_fault(on="create", kind="slow", bytes_per_second=size / seconds, count=None)
    _, took = _create(runs)
    print(f"a create takes {took:.2f} s")


def _create(runs: DagRuns) -> tuple[int, float]:
    """Bytes of a create's answer, and seconds that it took."""
    call = urllib.request.Request(
        f"{runs.emulator.url}/v1/{ROUTE}",
        json.dumps({**BODY, "promptText": "A shot"}).encode(),
        {
            "Authorization": f"Bearer {KEY}",
            "Content-Type": "application/json",
            "X-Runway-Version": "2024-11-06",
        },
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    began = time.perf_counter()
    with opener.open(call, timeout=60) as answer:
        return len(answer.read()), time.perf_counter() - began


def _measured(runs: DagRuns, case: Case) -> Cost:
    runs.emulator.settings(seconds=case.generation)
    return runs.run(case.dag_id, case.clips)


def _row(case: Case, cost: Cost) -> list[object]:
    created = [datetime.fromisoformat(charge["created_at"]).timestamp() for charge in cost.charges]
    first, last_end = created[0], created[-1] + case.generation
    in_use = case.clips * case.generation / (last_end - first) / case.in_flight
    in_worker = _in_worker(cost)
    row = [
        case.clips,
        case.in_flight,
        f"{case.generation:g}",
        case.at_once,
        round(cost.seconds, 1),
        f"{case.ideal:g}",
        f"{cost.seconds / case.ideal:.2f}",
        case.goal or "",
        cost.starts,
        round(cost.cpu, 1),
        round(first - cost.began, 1),
        round(cost.began + cost.seconds - last_end, 1),
        round(100 * in_use),
        round(in_worker, 1),
        round(cost.seconds - in_worker, 1),
        f"{cost.load:.1f}",
    ]
    print(dict(zip(COLUMNS, row, strict=True)), flush=True)
    print(" ".join(f"{event}@{at - cost.began:.1f}" for event, at in cost.events), flush=True)
    return row


def _in_worker(cost: Cost) -> float:
    """Seconds between "running" and whatever comes next."""
    end = cost.began + cost.seconds
    times = [*cost.events, ("", end)]
    return sum(later - at for (event, at), (_, later) in itertools.pairwise(times) if event == "running")
