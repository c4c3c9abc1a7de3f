"""The main job: the example DAG, on a real Airflow and under ``dag.test()``, against the emulator."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from integration.dag_test import dag_test
from integration.media import decode
from integration.support import KEY, connection_to

from airflow_runway.demo.examples import example_dags
from airflow_runway.demo.rest import RestError

DAG = "image_to_video"


@pytest.fixture
def conf(emulator, picture, tmp_path):
    return {
        "image": emulator.put_media("keyframe.jpg", picture),
        "prompt": "A slow push in",
        "seconds": 3,
        "destination": f"file://{tmp_path}/clips",
    }


def check_clip(path, seconds):
    clip = decode(path)
    assert (clip.codec, clip.pixels, clip.width, clip.height) == ("h264", "yuv420p", 1280, 720)
    assert clip.seconds == pytest.approx(seconds, abs=0.1)
    assert clip.distinct_frames > 1


def test_on_a_real_airflow(airflow, emulator, conf, tmp_path):
    airflow.wait_for_dag(DAG)
    run_id = airflow.trigger_dag(DAG, conf)
    seen: dict[str, set[str]] = {"submit": set(), "wait": set(), "save": set()}
    link_while_deferred = []

    def ended():
        for instance in airflow.task_instances(DAG, run_id):
            seen[instance["task_id"]].add(instance["state"])
            if instance["task_id"] == "wait" and instance["state"] == "deferred" and not link_while_deferred:
                # Airflow writes it after the state.
                with suppress(RestError):
                    link_while_deferred.append(airflow.xcom(DAG, run_id, "wait", "_link_RunwayTaskLink"))
        return airflow.dag_run(DAG, run_id)["state"] in {"success", "failed"}

    airflow.wait_until(ended, 120, "the run")
    logs = {task: json.dumps(airflow.task_log(DAG, run_id, task)) for task in seen}
    assert airflow.dag_run(DAG, run_id)["state"] == "success", logs
    assert "deferred" in seen["wait"]
    assert "deferred" not in seen["submit"] | seen["save"]

    (charge,) = emulator.ledger()["charges"]
    runway_task_id = charge["runway_task_id"]
    assert airflow.xcom(DAG, run_id, "submit") == runway_task_id
    assert airflow.xcom(DAG, run_id, "submit", "runway_task_id") == runway_task_id
    assert airflow.xcom(DAG, run_id, "wait")["status"] == "SUCCEEDED"
    assert link_while_deferred == [f"{emulator.url}/v1/tasks/{runway_task_id}"]

    manifest = airflow.xcom(DAG, run_id, "save")
    assert manifest["cost_credits"] == charge["credits"]
    (file,) = manifest["files"]
    check_clip(tmp_path / "clips" / file["path"].rpartition("/")[2], seconds=3)

    assert all(KEY not in log and "_jwt" not in log for log in logs.values())
    outputs = [request for request in emulator.requests() if request["path"].startswith("/_outputs/")]
    assert outputs
    assert all("authorization" not in request["headers"] for request in outputs)


def test_under_dag_test(emulator, conf, tmp_path):
    file = example_dags() / "image_to_video.py"
    connections = {"runway_default": connection_to(emulator)}
    states, printed = dag_test(tmp_path / "home", file, connections, [["dag", conf]])
    assert states == {"dag": "success"}, printed[-8000:]
    (charge,) = emulator.ledger()["charges"]
    check_clip(tmp_path / "clips" / f"{charge['runway_task_id']}-0.mp4", seconds=3)
    assert KEY not in printed
