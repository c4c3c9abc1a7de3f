"""Every kind of task of ours, each of which succeeds or fails as the gateway has it."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, AssetAlias, Param

from airflow_runway.operators.runway import RunwayBatchOperator, RunwaySubmitOperator
from airflow_runway.sensors.runway import RunwayTaskSensor
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

PAYLOAD = {"model": "gen4.5", "promptText": "{{ params.prompt }}", "ratio": "1280:720", "duration": 2}

with DAG(
    "every_task",
    schedule=None,
    params={
        "folder": Param("file:///tmp/clips/secrets", type="string"),
        "prompt": Param("rain", type="string"),
    },
    default_args={"retries": 1, "retry_delay": timedelta(seconds=1)},
) as dag:
    submit = RunwaySubmitOperator(task_id="submit", route="text_to_video", payload=PAYLOAD)
    wait = RunwayTaskSensor(task_id="wait", runway_task_id=submit.output, poke_interval=5)
    save = RunwayToObjectStorageOperator(
        task_id="save",
        runway_task_id=submit.output,
        destination="{{ params.folder }}/saved",
        outlets=[AssetAlias("clips")],
        on_failure="manifest",
        trigger_rule="all_done",
    )
    wait >> save
    RunwaySubmitOperator(
        task_id="film", route="text_to_video", payload=PAYLOAD, wait_for_completion=True, poll_interval=5
    )
    RunwayBatchOperator(
        task_id="batch",
        route="text_to_video",
        requests=[PAYLOAD, {**PAYLOAD, "promptText": "snow"}],
        destination="{{ params.folder }}/batch",
        poll_interval=5,
        retries=0,
    )
