"""Two Dags that save into one folder, and of which not everybody may read the second."""

from __future__ import annotations

from airflow.sdk import DAG, task_group

from airflow_runway.operators.runway import RunwayBatchOperator, RunwayTextToVideoOperator
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

CLIP = {"model": "gen4.5", "ratio": "1280:720", "duration": 2}
HAS_BATCHES = True
try:
    from airflow.sdk.execution_time.context import NEVER_EXPIRE  # noqa: F401
except ImportError:
    HAS_BATCHES = False

for dag_id in ("ours", "theirs"):
    with DAG(dag_id, schedule=None, params={"folder": "", "prompt": ""}):

        @task_group
        def shot(prompt: str) -> None:
            film = RunwayTextToVideoOperator(
                task_id="film", prompt_text=prompt, map_index_template="{{ task.prompt_text }}",
                wait_for_completion=True, **CLIP,
            )  # fmt: skip
            film >> RunwayToObjectStorageOperator(
                task_id="save",
                runway_task_id=film.output["runway_task_id"],
                destination="{{ params.folder }}",
            )

        shot.expand(prompt=["a lighthouse", "夜の東京"])

with DAG("batch_in_flight", schedule=None, params={"folder": "", "prompt": ""}):
    if HAS_BATCHES:
        RunwayBatchOperator(
            task_id="batch",
            route="text_to_video",
            requests=[{**CLIP, "promptText": f"shot {number}"} for number in range(6)],
            label_field="promptText",
            max_in_flight=2,
            destination="{{ params.folder }}",
        )
