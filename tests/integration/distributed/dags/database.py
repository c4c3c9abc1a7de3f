"""Clips that are waited for, in a triggerer and in a worker, and one that is only submitted."""

from datetime import timedelta

from airflow.sdk import DAG

from airflow_runway.operators.runway import RunwaySubmitOperator

SUBMISSION = {
    "route": "text_to_video",
    "payload": {"model": "gen4.5", "promptText": "A clip", "ratio": "1280:720", "duration": 5},
}
ARGUMENTS = {"schedule": None, "default_args": {"retries": 3, "retry_delay": timedelta(seconds=2)}}

with DAG("database_waits", **ARGUMENTS):
    for deferrable in (True, False):
        RunwaySubmitOperator(
            task_id="deferred" if deferrable else "in_worker",
            wait_for_completion=True,
            deferrable=deferrable,
            poll_interval=5,
            timeout=timedelta(minutes=10),
            **SUBMISSION,
        )

with DAG("database_submits", **ARGUMENTS):
    RunwaySubmitOperator(task_id="submit", **SUBMISSION)
