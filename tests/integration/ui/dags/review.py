"""Two stills of each shot; a person chooses, and only what was chosen is used."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Asset, task, task_group

from airflow_runway.operators.review import RunwayReviewOperator
from airflow_runway.operators.runway import RunwayTextToImageOperator
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

PROMPTS = ["a red shoe | on <b>sand</b>", "a *fox* in the snow", "夜の東京"]

with DAG("review", schedule=None, params={"folder": "", "prompt": "", "seconds": 3600}):

    @task_group
    def still(prompt: str) -> None:
        draw = RunwayTextToImageOperator(
            task_id="draw", model="gen4_image", prompt_text=prompt, ratio="1280:720", wait_for_completion=True
        )
        draw >> RunwayToObjectStorageOperator(
            task_id="save",
            runway_task_id=draw.output["runway_task_id"],
            destination="{{ params.folder }}/stills",
        )

    @task
    def pairs(ti=None):
        """Two variants of each shot, in the order of the shots."""
        saved = list(ti.xcom_pull("still.save", map_indexes=range(2 * len(PROMPTS))))
        return [saved[at : at + 2] for at in range(0, len(saved), 2)]

    shots = pairs()
    choose = RunwayReviewOperator(
        task_id="choose",
        shots=shots,
        labels=PROMPTS,
        prompts=PROMPTS,
        response_timeout=timedelta(hours=1),
        outlets=[Asset("choice")],
    )

    @task
    def use(choice):
        """Gets what was chosen, one at a time."""
        return choice["manifest"]["files"][0]["path"]

    still.expand(prompt=[prompt for prompt in PROMPTS for _ in range(2)]) >> shots
    use.expand(choice=choose.output)
