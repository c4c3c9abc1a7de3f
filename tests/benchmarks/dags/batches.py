"""One Dag per case of ``tests.benchmarks.batch``, which writes ``cases.json`` and the lists beside this file."""

import json
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG

from airflow_runway.operators.runway import RunwayBatchOperator

FOLDER = Path(__file__).parent

for case in json.loads((FOLDER / "cases.json").read_text()):
    with DAG(case["dag_id"], schedule=None):
        RunwayBatchOperator(
            task_id="batch",
            route=case["route"],
            requests=f"file://{FOLDER / case['requests']}",
            media_from=str(FOLDER),
            max_in_flight=case["in_flight"],
            submissions_at_once=case["at_once"],
            timeout=timedelta(hours=1),
        )
