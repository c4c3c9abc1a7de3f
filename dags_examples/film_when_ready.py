"""A film is cut once, as soon as all but one of its shots are there; ``film_shots`` makes them. Needs Airflow 3.3.

A shot that was moderated or has failed holds nobody up; whoever wants to wait for all gives no ``wait_policy``.
Lies beside ``film_cutting.py``, which needs PyAV on the workers: ``pip install 'airflow-provider-runway[media]'``.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import (
    DAG,
    Asset,
    FixedKeyMapper,
    MinimumCount,
    PartitionedAssetTimetable,
    RollupMapper,
    SegmentWindow,
    task,
)

SHOT = Asset("film_shot")
# The partitions' keys: the names of the shots.
SHOTS = ["1-opening", "2-storm", "3-harbour", "4-ending"]

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
) as dag:

    @task
    def shots_there(triggering_asset_events: Any = None) -> list[str]:
        """The shots that are there, in the order of the film."""
        files = [file for event in triggering_asset_events[SHOT] for file in event.extra["files"]]
        return sorted(file["path"] for file in files)

    @task
    def cut(shots: list[str]) -> str:
        """The film, beside its shots."""
        from film_cutting import cut_film

        path = f"{shots[0].rpartition('/')[0]}/film.mp4"
        cut_film(shots, path, "")
        return path

    cut(shots_there())
