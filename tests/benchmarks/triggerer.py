"""A real ``airflow triggerer`` with thousands of deferred tasks, whose rows are written into its database.

Lag, CPU and memory are those of the process that runs the triggers, measured by a probe among them; memory per
clip is the slope over the sizes and holds what Airflow itself keeps per trigger. The gateway is a stand-in that says
RUNNING. Airflow starts ``--select`` triggers per loop at most (its default is 50).
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks.stand_in import stand_in
from tests.benchmarks.table import slope, table

HELP = "a real triggerer with thousands of waiting clips"
SETTLING = 5.0


def options(parser) -> None:
    parser.add_argument("--sizes", type=int, nargs="+", default=[1000, 2500, 5000])
    parser.add_argument("--seconds", type=float, default=20.0, help="measured time of each size")
    parser.add_argument("--select", type=int, default=500, help="max_trigger_to_select_per_loop")


def run(args) -> None:
    from airflow_runway.demo.components import Components, free_port
    from airflow_runway.demo.environment import airflow_environment

    with tempfile.TemporaryDirectory() as folder, stand_in(Path(folder)) as server:
        home = Path(folder)
        (home / "dags").mkdir()
        (home / "logs").mkdir()
        extra = {
            "PYTHONPATH": os.pathsep.join([os.getcwd(), os.environ.get("PYTHONPATH", "")]),
            "AIRFLOW__TRIGGERER__MAX_TRIGGER_TO_SELECT_PER_LOOP": str(args.select),
        }
        environment = airflow_environment(home, home / "dags", free_port(), free_port(), None, extra)
        components = Components(home / "logs", environment, fork=False)
        try:
            components.start("migrate", "db", "migrate")
            if components.wait_for_end("migrate", 300):
                raise RuntimeError(components["migrate"].tail())
            rows = [_of_size(size, args, home, environment, components, server) for size in args.sizes]
        finally:
            components.stop(5.0)
    columns = (
        "waiting", "lag p50, ms", "lag p99, ms", "CPU, % of a core", "resident, MB", "reads/s", "look-ups",
        "all read once after start, s", "after restart, s",
    )  # fmt: skip
    table("A real triggerer", columns, rows)
    if len(rows) > 1:
        per_clip = slope(args.sizes, [row[4] for row in rows]) * 1024
        cpu = slope(args.sizes, [row[3] for row in rows]) * 1000
        print(f"memory per waiting clip {per_clip:.0f} KB, CPU per 1,000 waiting {cpu:.1f} % (slopes)")


def _of_size(size, args, home, environment, components, server) -> list[object]:
    probe = home / f"probe_{size}.jsonl"
    command = [sys.executable, "-m", "tests.benchmarks.deferred", str(size), server.plain, str(probe)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-3000:])
    first = _all_read(size, components, server, probe)
    time.sleep(SETTLING)
    began, reads = time.time(), server.count()[0]
    time.sleep(args.seconds)
    reads = (server.count()[0] - reads) / (time.time() - began)
    notes = [json.loads(line) for line in probe.read_text().splitlines()]
    window = [note for note in notes if note["at"] >= began]
    print(f"{size} waiting: {len(window)} s of probing", flush=True)
    lags = sorted(lag * 1000 for note in window for lag in note["lags"])
    cpu = (window[-1]["cpu"] - window[0]["cpu"]) / (window[-1]["at"] - window[0]["at"])
    print(f"{size} waiting: measured, restarting", flush=True)
    _stop(components)
    again = _all_read(size, components, server, probe)
    _stop(components)
    row = [
        size,
        round(statistics.median(lags), 1),
        round(lags[int(len(lags) * 0.99)], 1),
        round(cpu * 100, 1),
        round(window[-1]["megabytes"], 1),
        round(reads),
        window[-1]["look_ups"],
        round(first, 1),
        round(again, 1),
    ]
    print(row, flush=True)
    return row


def _all_read(size, components, server, probe) -> float:
    """Seconds from the first trigger's start until every clip has been read; Airflow starts them one by one."""
    probe.unlink(missing_ok=True)
    server.reset()
    components.start("triggerer", "triggerer", "--skip-serve-logs", "--capacity", str(size + 10))
    began, until = None, time.time() + 400
    while time.time() < until:
        components.check()
        if began is None and probe.exists():
            began = time.time()
        if began is not None and server.count()[1] == size:
            return time.time() - began
        time.sleep(0.1)
    raise TimeoutError(f"{server.count()} of {size}; {components['triggerer'].tail()}")


def _stop(components) -> None:
    import signal

    components["triggerer"].signal(signal.SIGTERM)
    components.wait_for_end("triggerer", 240)
