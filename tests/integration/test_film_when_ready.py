"""A Dag that starts when all but one of a film's shots are there: partitions of one asset, on a real Airflow."""

from __future__ import annotations

import pytest
from airflow import __version__ as airflow_version
from integration.media import decode

pytestmark = pytest.mark.skipif(airflow_version < "3.3", reason="Partitions of assets came with Airflow 3.3.")


def runs(airflow):
    return airflow.request("GET", "/api/v2/dags/film_when_ready/dagRuns")["dag_runs"]


def test_it_starts_without_the_one_that_failed(airflow, emulator, tmp_path):
    emulator.settings(seconds=2)
    emulator.add_fault(on="create", route="text_to_video", kind="fail_task", count=1)
    airflow.wait_for_dag("film_shots")
    airflow.wait_for_dag("film_when_ready")
    run_id = airflow.trigger_dag("film_shots", {"seconds": 2, "destination": f"file://{tmp_path}/shots"})
    assert airflow.wait_for_run("film_shots", run_id, 240) == "failed"
    saved = [
        (one["state"], one["rendered_map_index"])
        for one in airflow.task_instances("film_shots", run_id)
        if one["task_id"] == "shot.save"
    ]
    assert sorted(state for state, _ in saved) == ["success"] * 3 + ["upstream_failed"]

    airflow.wait_until(lambda: bool(runs(airflow)), 120, "the film's run")
    (run,) = runs(airflow)
    assert airflow.wait_for_run("film_when_ready", run["dag_run_id"], 120) == "success"
    there = airflow.xcom("film_when_ready", run["dag_run_id"], "shots_there")
    assert there == sorted(f"file://{path}" for path in (tmp_path / "shots").glob("?-*.mp4"))
    assert len(there) == 3
    film = airflow.xcom("film_when_ready", run["dag_run_id"], "cut")
    assert decode(tmp_path / "shots" / film.rpartition("/")[2]).seconds == pytest.approx(6, abs=0.2)
    keys = {
        event["partition_key"] for event in airflow.request("GET", "/api/v2/assets/events")["asset_events"]
    }
    assert {name for state, name in saved if state == "success"} <= keys
