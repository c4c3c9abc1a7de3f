"""What importing us adds to parsing a Dag file: over ``airflow.sdk`` alone, and beside the HTTP provider's sensor.

Each measurement is a fresh interpreter; variants take turns, and the median counts.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile

from tests.benchmarks.table import table

HELP = "milliseconds that importing us adds to a Dag file"

IMPORTS = {
    "our operators": "import airflow_runway.operators.runway",
    "our sensor": "import airflow_runway.sensors.runway",
    "our transfer": "import airflow_runway.transfers.runway_to_object_storage",
    "all three": (
        "import airflow_runway.operators.runway, airflow_runway.sensors.runway,"
        " airflow_runway.transfers.runway_to_object_storage"
    ),
    "the HTTP provider's sensor": "import airflow.providers.http.sensors.http",
}

#: What any Dag file with operators and sensors has loaded already.
BASE = "import airflow.sdk; from airflow.sdk import DAG, BaseOperator, BaseSensorOperator"


def options(parser) -> None:
    parser.add_argument("--rounds", type=int, default=9)


def run(args) -> None:
    taken: dict[str, list[float]] = {name: [] for name in IMPORTS}
    with tempfile.TemporaryDirectory() as home:
        environment = {**os.environ, "AIRFLOW_HOME": home}
        for _ in range(args.rounds + 1):
            for name, statement in IMPORTS.items():
                code = f"{BASE}\nimport time\nt = time.process_time()\n{statement}\nprint(time.process_time() - t)"
                done = subprocess.run(
                    [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
                )
                taken[name].append(float(done.stdout.split()[-1]) * 1000)
    # The first round fills the file cache, and writes byte code.
    rows = [
        (name, f"{statistics.median(values[1:]):.0f}", f"{min(values[1:]):.0f}")
        for name, values in taken.items()
    ]
    table(
        f"Added to parsing over airflow.sdk alone, CPU ms, {args.rounds} fresh interpreters each",
        ("import", "median", "least"),
        rows,
    )
