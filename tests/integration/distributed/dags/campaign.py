"""A campaign: one clip per shot, each on its own way from submission to file."""

from datetime import timedelta

from airflow.sdk import DAG, Param, task, task_group

from airflow_runway.operators.runway import RunwayImageToVideoOperator
from airflow_runway.sensors.runway import RunwayTaskSensor
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

with DAG(
    "campaign",
    schedule=None,
    max_active_tasks=64,
    params={
        "clips": Param(1, type="integer", minimum=1),
        "image": Param("", type="string"),
        "destination": Param("", type="string"),
    },
    default_args={"retries": 3, "retry_delay": timedelta(seconds=2)},
):

    @task
    def shots(params):
        """What each clip is to show."""
        return [f"Shot {number} of the campaign" for number in range(params["clips"])]

    @task_group
    def clip(shot):
        """One clip."""
        submit = RunwayImageToVideoOperator(
            task_id="submit",
            model="gen4_turbo",
            prompt_image="{{ params.image }}",
            prompt_text=shot,
            ratio="1280:720",
            duration=2,
            pool="runway_submit",
        )
        wait = RunwayTaskSensor(
            task_id="wait",
            runway_task_id=submit.output,
            poke_interval=5,
            timeout=timedelta(minutes=10),
        )
        wait >> RunwayToObjectStorageOperator(
            task_id="save",
            runway_task_id=submit.output,
            destination="{{ params.destination }}",
        )

    clip.expand(shot=shots())
