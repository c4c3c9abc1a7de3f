"""A campaign as one ``RunwayBatchOperator`` task, against mapped tasks that submit and deferred sensors.

On a real Airflow (LocalExecutor with four slots, SQLite) with the emulator as the gateway; nothing is saved.
Generations take half a minute, as short as real ones are: one that ends before its sensor first looks needs no
deferral, and hence one worker start less. Both get their requests from a task of their own, which counts. What is
counted, and how: :mod:`tests.benchmarks.dag_runs`.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from tests.benchmarks.dag_runs import dag_runs, heartbeat_option
from tests.benchmarks.table import slope, table

if TYPE_CHECKING:
    from tests.benchmarks.dag_runs import Cost, DagRuns

HELP = "a campaign as one task against mapped tasks: rows, worker starts, time"
#: Clips of the run that builds what is built once: routes of the API, connections, compiled files.
_FIRST = 2
#: Tables of which a campaign may be seen to fill much.
_NAMED = ("task_instance", "xcom", "log", "task_state_store")
COLUMNS = (
    "task instances", "worker starts", "wall clock, s", "CPU, s", "rows", *_NAMED, "other rows", "database, KiB",
)  # fmt: skip


def options(parser) -> None:
    parser.add_argument("--batch", type=int, nargs="*", default=[100, 300, 1000], help="sizes as one task")
    parser.add_argument("--mapped", type=int, nargs="*", default=[25, 50, 100], help="sizes as mapped tasks")
    parser.add_argument("--generation", type=float, default=30.0, help="seconds that a generation takes")
    heartbeat_option(parser, 1)


def run(args) -> None:
    with dag_runs("campaigns.py", heartbeat=args.heartbeat) as runs:
        found = _measured(runs, args)
    for dag_id, costs in found.items():
        _print(dag_id, costs)
    _compare(found["campaign_mapped"], found["campaign_batch"])


def _measured(runs: DagRuns, args) -> dict[str, dict[int, Cost]]:
    wanted = {"campaign_mapped": args.mapped, "campaign_batch": args.batch}
    for dag_id, sizes in wanted.items():
        if sizes:
            _run(runs, dag_id, _FIRST)
    runs.rest()
    runs.emulator.settings(seconds=args.generation)
    return {dag_id: {size: _run(runs, dag_id, size) for size in sizes} for dag_id, sizes in wanted.items()}


def _run(runs: DagRuns, dag_id: str, clips: int) -> Cost:
    cost = runs.run(dag_id, clips, {"clips": clips})
    figures = dict(zip(COLUMNS, _figures(cost), strict=True))
    print(f"{dag_id}, {clips} clips, {len(cost.charges)} charges: {figures} {cost.rows}", flush=True)
    return cost


def _figures(cost: Cost) -> list[float]:
    """What is printed of a run, and has a slope."""
    named = [cost.rows.get(name, 0) for name in _NAMED]
    total = sum(cost.rows.values())
    return [
        cost.instances,
        cost.starts,
        round(cost.seconds, 1),
        round(cost.cpu, 1),
        total,
        *named,
        total - sum(named),
        round(cost.grown / 1024),
    ]


def _print(dag_id: str, costs: dict[int, Cost]) -> None:
    if not costs:
        return
    rows = [[size, *_figures(cost), f"{cost.load:.1f}"] for size, cost in costs.items()]
    sizes = list(costs)
    for one, other in itertools.pairwise(sizes):
        both = zip(_figures(costs[one]), _figures(costs[other]), strict=True)
        per_clip = [f"{(after - before) / (other - one):.3g}" for before, after in both]
        rows.append([f"per clip, {one} to {other}", *per_clip, ""])
    if len(sizes) > 1:
        columns = zip(*map(_figures, costs.values()), strict=True)
        rows.append(["per clip, all sizes", *(f"{slope(sizes, column):.3g}" for column in columns), ""])
    table(dag_id, ("clips", *COLUMNS, "load"), rows)


def _compare(mapped: dict[int, Cost], batch: dict[int, Cost]) -> None:
    for size in mapped.keys() & batch.keys():
        both = zip(COLUMNS, _figures(mapped[size]), _figures(batch[size]), strict=True)
        ratios = [f"{name} {one / other:.3g}" for name, one, other in both if other]
        print(f"{size} clips, mapped tasks need so many times as much: {', '.join(ratios)}")
