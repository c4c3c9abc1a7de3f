"""A film's shots are partitions of one asset; the film begins when all but one are there. Needs Airflow 3.3.

- ``film_shots`` makes every shot, and saves each with its name as the partition's key.
- ``film_when_ready`` is scheduled by those keys: it starts once, when at most one shot is missing. A shot that was
  moderated or has failed holds nobody up; whoever wants to wait for all gives no ``wait_policy``.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    FixedKeyMapper,
    MinimumCount,
    Param,
    PartitionedAssetTimetable,
    RollupMapper,
    SegmentWindow,
    task,
    task_group,
)

from airflow_runway.operators.runway import RunwayTextToVideoOperator
from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

SHOT = Asset("film_shot")
SHOTS = {
    "opening": "a lighthouse at dawn, a slow push in",
    "storm": "rain on a tin roof, close",
    "harbour": "boats that rise and fall at their moorings",
    "ending": "the lighthouse goes out, wide",
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
):

    @task_group
    def shot(name: str, prompt: str) -> None:
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
            outlets=[SHOT],
            partition_key=name,
            map_index_template="{{ task.partition_key }}",
        )

    shot.expand_kwargs([{"name": name, "prompt": prompt} for name, prompt in SHOTS.items()])

with DAG(
    dag_id="film_when_ready",
    schedule=PartitionedAssetTimetable(
        assets=SHOT,
        default_partition_mapper=RollupMapper(
            upstream_mapper=FixedKeyMapper("film"),
            window=SegmentWindow(SHOTS),
            wait_policy=MinimumCount(-1),
        ),
    ),
    tags=["runway"],
    doc_md=__doc__,
):

    @task
    def shots_there(triggering_asset_events: Any = None) -> list[str]:
        """The files of the film so far, in its order."""
        files = [file for event in triggering_asset_events[SHOT] for file in event.extra["files"]]
        return sorted(file["path"] for file in files)

    shots_there()
