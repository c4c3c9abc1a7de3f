"""Nobody answers in time."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, task

from airflow_runway.operators.review import RunwayReviewOperator

with DAG("silent", schedule=None):
    choose = RunwayReviewOperator(
        task_id="choose", shots=["an-id", ["another", "a-third"]], response_timeout=timedelta(seconds=4)
    )

    @task
    def use(choice):
        """Gets nothing."""
        raise AssertionError(choice)

    use.expand(choice=choose.output)
