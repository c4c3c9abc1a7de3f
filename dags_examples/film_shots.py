"""The shots of a film, each saved as a partition of one asset: ``film_when_ready`` waits for them. Needs Airflow 3.3.

A shot's name is the partition's key, and begins its file's name, so that files are in the film's order.
"""

from __future__ import annotations

from airflow.sdk import DAG, Asset, Param, task_group

from airflow_runway.operators.runway import RunwayTextToVideoOperator
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

SHOTS = {
    "1-opening": "a lighthouse at dawn, a slow push in",
    "2-storm": "rain on a tin roof, close",
    "3-harbour": "boats that rise and fall at their moorings",
    "4-ending": "the lighthouse goes out, wide",
}

with DAG(
    dag_id="film_shots",
    schedule=None,
    params={
        "seconds": Param(5, type="integer", minimum=2, maximum=10, title="Seconds of a shot"),
        "destination": Param(
            "file:///tmp/clips", type="string", title="Folder, e.g. s3://aws_default@bucket/clips"
        ),
    },
    tags=["runway"],
    doc_md=__doc__,
) as dag:

    @task_group
    def shot(name: str, prompt: str, file_name: str) -> None:
        """One of them."""
        film = RunwayTextToVideoOperator(
            task_id="film",
            model="gen4.5",
            prompt_text=prompt,
            ratio="1280:720",
            duration="{{ params.seconds }}",
            wait_for_completion=True,
        )
        film >> RunwayToObjectStorageOperator(
            task_id="save",
            runway_task_id=film.output["runway_task_id"],
            destination="{{ params.destination }}",
            file_name=file_name,
            outlets=[Asset("film_shot")],
            partition_key=name,
            map_index_template="{{ task.partition_key }}",
        )

    shot.expand_kwargs(
        [
            {"name": name, "prompt": prompt, "file_name": f"{name}-{{runway_task_id}}{{extension}}"}
            for name, prompt in SHOTS.items()
        ]
    )
