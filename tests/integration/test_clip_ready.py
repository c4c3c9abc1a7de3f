"""A Dag that is scheduled by "clip ready", on a real Airflow: mapped generations, one transfer, asset events."""

from __future__ import annotations

import hashlib
import json

from integration.support import saved_names

DAG = "clip_made"


def runs_of(airflow, dag_id):
    return airflow.request("GET", f"/api/v2/dags/{dag_id}/dagRuns")["dag_runs"]


def test_a_saved_clip_starts_the_next_dag(airflow, emulator, tmp_path):
    airflow.wait_for_dag(DAG)
    airflow.wait_for_dag("clip_ready")
    run_id = airflow.trigger_dag(DAG, {"destination": f"file://{tmp_path}/clips"})
    state = airflow.wait_for_run(DAG, run_id)
    log = json.dumps(airflow.task_log(DAG, run_id, "save"))
    assert state == "success", log

    ids = [charge["runway_task_id"] for charge in emulator.ledger()["charges"]]
    manifests = airflow.xcom(DAG, run_id, "save")
    assert {manifest["runway_task_id"] for manifest in manifests} == set(ids)
    assert [manifest["route"] for manifest in manifests] == ["text_to_video"] * 2
    folder = tmp_path / "clips" / run_id
    assert {path.name for path in folder.iterdir()} == set().union(*map(saved_names, ids))

    wanted = {}
    for manifest in manifests:
        assert json.loads((folder / f"{manifest['runway_task_id']}.manifest.json").read_text()) == manifest
        (file,) = manifest["files"]
        content = (folder / f"{manifest['runway_task_id']}-0.mp4").read_bytes()
        assert (file["sha256"], file["width"]) == (hashlib.sha256(content).hexdigest(), 1280)
        wanted[file["path"]] = file["sha256"]

    seen = {}

    def all_seen():
        for run in runs_of(airflow, "clip_ready"):
            if run["state"] == "success":
                seen.update(airflow.xcom("clip_ready", run["dag_run_id"], "look"))
        return len(seen) == len(wanted)

    airflow.wait_until(all_seen, 120, "the runs of the second Dag")
    assert {extra["path"]: extra["sha256"] for extra in seen.values()} == wanted
    assert {extra["runway_task_id"] for extra in seen.values()} == set(ids)
    assert all(
        extra["manifest"].endswith(f"/{extra['runway_task_id']}.manifest.json") for extra in seen.values()
    )
    assert "_jwt" not in json.dumps([seen, manifests]) + log
