"""A request that is refused."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_runway.operators.runway import RunwaySubmitOperator

with DAG("refused", schedule=None):
    RunwaySubmitOperator(
        task_id="submit",
        route="text_to_video",
        payload={"model": "gen4.5", "promptText": "a lighthouse", "ratio": "sideways", "duration": 2},
    )
