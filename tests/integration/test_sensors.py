"""A sensor in each of its modes, on a real Airflow, against each way a generation can end."""

from __future__ import annotations

import json
import urllib.request

import pytest
from integration.support import KEY

MODES = ("deferrable", "poke", "reschedule")
ENDINGS = {
    "success": ("success", "succeeded"),
    "failure": ("failed", "RunwayTaskFailedError"),
    "cancellation": ("failed", "RunwayTaskCancelledError"),
    "deadline": ("failed", "RunwayTaskTimeoutError"),
    "soft_fail": ("skipped", "failed (SAFETY.INPUT.TEXT): Flagged."),
}


def create(emulator):
    body = {"model": "gen4.5", "promptText": "rain", "ratio": "1280:720", "duration": 5}
    request = urllib.request.Request(
        f"{emulator.url}/v1/text_to_video",
        json.dumps(body).encode(),
        {
            "Authorization": f"Bearer {KEY}",
            "X-Runway-Version": "2024-11-06",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["id"]


@pytest.fixture
def ended_run(airflow, emulator):
    """A run of the Dag ``sensors``, in which four generations go four ways; slow enough to be waited for."""
    emulator.settings(seconds=75)  # 15 s at the emulator's speed: nobody finds it finished at the first look
    try:
        conf = {"success": create(emulator)}
        emulator.add_fault(
            on="create", kind="fail_task", failure="Flagged.", failure_code="SAFETY.INPUT.TEXT"
        )
        conf["failure"] = create(emulator)
        emulator.add_fault(on="create", kind="cancel_task")
        conf["cancellation"] = create(emulator)
        emulator.add_fault(on="create", kind="stall_task")
        conf["deadline"] = create(emulator)
        airflow.wait_for_dag("sensors")
        run_id = airflow.trigger_dag("sensors", conf)
        airflow.wait_for_run("sensors", run_id, timeout=180)
    finally:
        emulator.settings(seconds=30)
    return run_id, conf


def test_every_mode_against_every_ending(airflow, emulator, ended_run):
    run_id, conf = ended_run
    states = {task["task_id"]: task["state"] for task in airflow.task_instances("sensors", run_id)}
    wanted = {f"{mode}_{ending}": state for mode in MODES for ending, (state, _) in ENDINGS.items()}
    assert states == wanted
    for mode in MODES:
        for ending, (_, words) in ENDINGS.items():
            records = airflow.task_log("sensors", run_id, f"{mode}_{ending}")
            log = json.dumps(records)
            assert words in log, f"{mode}_{ending}"
            assert conf.get(ending, conf["failure"]) in log
            assert KEY not in log
        assert airflow.xcom("sensors", run_id, f"{mode}_success")["status"] == "SUCCEEDED"
    assert len(emulator.ledger()["charges"]) == 4
