"""How near a bounded batch comes to the ideal: wall clock over ceil(clips / in flight) * seconds of a generation.

On a real Airflow (LocalExecutor, SQLite; Airflow's own heartbeat unless told otherwise) with the emulator as the
gateway, whose create takes a second, as a real one's does. The list is a file, nothing is saved. The wall clock goes
from the moment at which the run was asked for to its end, with everything that Airflow adds: scheduling, a worker
start for each phase, and the ten seconds that a deferral must last (airflow-facts §16).
"""

from __future__ import annotations

import json
import math
import tempfile
from pathlib import Path

from tests.benchmarks.campaign import campaigns
from tests.benchmarks.table import table

HELP = "bounded batches against the ideal: wall clock, worker starts, CPU"
#: Clips, in flight at most, seconds of a generation, submissions at once, and the ratio to reach.
CASES = (
    (12, 5, 10.0, 1, 2.5),
    (30, 5, 10.0, 1, 2.5),
    (100, 20, 45.0, 4, 1.5),
    (100, 20, 45.0, 1, None),
    (1_000, 100, 45.0, 4, 1.5),
    (1_000, 100, 45.0, 1, None),
)
_COLUMNS = (
    "clips", "in flight", "generation, s", "submissions at once", "ideal, s", "wall clock, s", "ratio", "goal",
    "worker starts", "CPU, s", "load",
)  # fmt: skip
#: The emulator's answer to a create has some hundred bytes.
_A_SECOND = {"on": "create", "kind": "slow", "bytes_per_second": 100, "count": None}


def options(parser) -> None:
    parser.add_argument("--clips", type=int, nargs="*", default=[12, 30, 100, 1_000], help="only these cases")
    parser.add_argument("--heartbeat", type=int, default=5, help="[workers] min_heartbeat_interval")


def run(args) -> None:
    rows = []
    with campaigns(args.heartbeat) as here, tempfile.TemporaryDirectory() as folder:
        here.run("campaign_batch", 2)
        here.rest()
        here.emulator.add_fault(**_A_SECOND)
        for clips, in_flight, seconds, at_once, goal in CASES:
            if clips in args.clips:
                here.emulator.settings(seconds=seconds)
                cost = here.run(
                    f"campaign_bounded_{in_flight}_{at_once}",
                    clips,
                    {"list": f"file://{_written(Path(folder), clips)}"},
                )
                ideal = math.ceil(clips / in_flight) * seconds
                figures = [f"{cost.seconds:.0f}", f"{cost.seconds / ideal:.2f}", goal or "-", cost.starts]
                given = [clips, in_flight, f"{seconds:g}", at_once, f"{ideal:g}"]
                rows.append((*given, *figures, f"{cost.cpu:.1f}", f"{cost.load:.1f}"))
    table(f"Bounded batches, a create takes 1 s, heartbeat {args.heartbeat} s", _COLUMNS, rows)


def _written(folder: Path, clips: int) -> Path:
    path = folder / f"{clips}.jsonl"
    fields = {"model": "gen4.5", "ratio": "1280:720", "duration": 2}
    lines = [json.dumps({**fields, "promptText": f"Shot {number}"}) for number in range(clips)]
    path.write_text("\n".join(lines) + "\n")
    return path
