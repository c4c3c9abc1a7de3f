"""Fifty shots as mapped tasks that spend from one budget of their run."""

from __future__ import annotations

from airflow.sdk import DAG

from airflow_runway.operators.runway import RunwaySubmitOperator

with DAG("run_budget", schedule=None, max_active_tasks=50):
    RunwaySubmitOperator.partial(
        task_id="film", route="text_to_video", max_credits_per_run=220, max_active_tis_per_dag=50
    ).expand(
        payload=[
            {"model": "gen4.5", "ratio": "1280:720", "duration": 2, "promptText": f"shot {number}"}
            for number in range(50)
        ]
    )
