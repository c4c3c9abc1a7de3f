"""Mapped tasks with a journal folder: fifty shots that spend from one budget, and a list whose order changes."""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import DAG, Param, task

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


with DAG("reordered", schedule=None, params={"list": Param("", type="string")}):

    @task
    def prompts(params=None):
        return [
            {"model": "gen4.5", "ratio": "1280:720", "duration": 2, "promptText": line}
            for line in Path(params["list"]).read_text().split()
        ]

    RunwaySubmitOperator.partial(task_id="film", route="text_to_video").expand(payload=prompts())
