"""A still, a person's choice, a clip of it, and a batch: everything that tells of lineage."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG

from airflow_runway.operators.review import RunwayReviewOperator
from airflow_runway.operators.runway import (
    RunwayBatchOperator,
    RunwayImageToVideoOperator,
    RunwayTextToImageOperator,
)
from airflow_runway.sensors.runway import RunwayTaskSensor
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

CLIP = {"model": "gen4.5", "ratio": "1280:720", "duration": 2}

with DAG("lineage", schedule=None, params={"folder": "", "picture": ""}):
    draw = RunwayTextToImageOperator(
        task_id="draw",
        model="gen4_image",
        prompt_text="a secret lamp",
        ratio="1280:720",
        reference_images=[{"uri": "{{ params.picture }}", "tag": "lamp"}],
        wait_for_completion=True,
    )
    still = RunwayToObjectStorageOperator(
        task_id="save_still", runway_task_id=draw.output["runway_task_id"], destination="{{ params.folder }}"
    )
    choose = RunwayReviewOperator(task_id="choose", shots=[still.output], response_timeout=timedelta(hours=1))
    film = RunwayImageToVideoOperator(
        task_id="film",
        model="gen4_turbo",
        prompt_image="{{ ti.xcom_pull('choose')[0].path }}",
        media_from=["file:///"],
        prompt_text="a secret lamp",
        ratio="1280:720",
        duration=2,
    )
    wait = RunwayTaskSensor(task_id="wait", runway_task_id=film.output)
    save = RunwayToObjectStorageOperator(
        task_id="save",
        runway_task_id=film.output,
        destination="{{ params.folder }}",
        route="image_to_video",
        model="gen4_turbo",
    )
    RunwayBatchOperator(
        task_id="reel",
        route="text_to_video",
        requests=[{**CLIP, "promptText": f"a secret lamp {number}"} for number in range(2)],
        destination="{{ params.folder }}",
    )
    still >> choose >> film >> wait >> save
