"""A campaign as one task."""

from datetime import timedelta

from airflow.sdk import DAG, Param

from airflow_runway.operators.runway import RunwayBatchOperator

with DAG(
    "batch",
    schedule=None,
    params={"requests": Param("", type="string"), "destination": Param("", type="string")},
    default_args={"retries": 3, "retry_delay": timedelta(seconds=2)},
):
    RunwayBatchOperator(
        task_id="campaign",
        route="image_to_video",
        requests="{{ params.requests }}",
        destination="{{ params.destination }}",
        # Lists lie wherever a test has its folder.
        media_from="/",
        max_in_flight=8,
        poll_interval=5,
        timeout=timedelta(minutes=10),
    )
