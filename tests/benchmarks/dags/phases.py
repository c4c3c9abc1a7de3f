"""Clips in four phases, each of which begins when the one before is over: so each can be measured for itself."""

from datetime import timedelta

from airflow.sdk import DAG, Param, task

from airflow_runway.operators.runway import RunwayImageToVideoOperator
from airflow_runway.sensors.runway import RunwayTaskSensor
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

with DAG(
    "phases",
    schedule=None,
    max_active_tasks=64,
    params={
        "clips": Param(1, type="integer", minimum=1),
        "image": Param("", type="string"),
        "destination": Param("", type="string"),
    },
):

    @task
    def shots(params):
        """What each clip is to show."""
        return [f"Shot {number}" for number in range(params["clips"])]

    submit = RunwayImageToVideoOperator.partial(
        task_id="submit",
        model="gen4_turbo",
        prompt_image="{{ params.image }}",
        ratio="1280:720",
        duration=2,
    ).expand(prompt_text=shots())
    wait = RunwayTaskSensor.partial(task_id="wait", poke_interval=5, timeout=timedelta(minutes=30)).expand(
        runway_task_id=submit.output
    )
    save = RunwayToObjectStorageOperator.partial(
        task_id="save", destination="{{ params.destination }}"
    ).expand(runway_task_id=submit.output)
    wait >> save
