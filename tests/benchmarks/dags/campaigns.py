"""The same campaign twice: one task for all clips, and two mapped tasks for each. Nothing is saved in either."""

from datetime import timedelta

from airflow.sdk import DAG, Param, task, task_group

from airflow_runway.operators.runway import RunwayBatchOperator, RunwaySubmitOperator
from airflow_runway.sensors.runway import RunwayTaskSensor

ROUTE = "text_to_video"
PATIENCE = timedelta(hours=1)
SAME = {"schedule": None, "max_active_tasks": 64, "params": {"clips": Param(1, type="integer", minimum=1)}}


@task
def shots(params):
    """The requests, one per clip."""
    fields = {"model": "gen4.5", "ratio": "1280:720", "duration": 2}
    return [{**fields, "promptText": f"Shot {number}"} for number in range(params["clips"])]


with DAG("campaign_batch", **SAME):
    RunwayBatchOperator(task_id="batch", route=ROUTE, requests=shots(), timeout=PATIENCE)

with DAG("campaign_mapped", **SAME):

    @task_group
    def clip(payload):
        """One clip."""
        submit = RunwaySubmitOperator(task_id="submit", route=ROUTE, payload=payload)
        RunwayTaskSensor(task_id="wait", runway_task_id=submit.output, deferrable=True, timeout=PATIENCE)

    clip.expand(payload=shots())
