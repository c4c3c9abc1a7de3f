"""A campaign as one task, on a real Airflow: judged by the ledger and by the files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from integration.media import decode
from integration.support import KEY

DAG = "batch"
OVER = {"success", "failed"}


@pytest.fixture
def campaign(airflow, emulator, picture, tmp_path):
    """A list in a file, its keyframe beside it, and a way to run it."""
    keyframe = tmp_path / "keyframe.jpg"
    keyframe.write_bytes(picture)

    class Campaign:
        destination = tmp_path / "clips"
        requests = tmp_path / "requests.jsonl"

        def write(self, *prompts):
            fields = {
                "model": "gen4_turbo",
                "ratio": "1280:720",
                "duration": 2,
                "promptImage": f"file://{keyframe}",
            }
            lines = [json.dumps({**fields, "promptText": prompt}) for prompt in prompts]
            self.requests.write_text("\n".join(lines) + "\n")

        def start(self, kill_at=""):
            airflow.wait_for_dag(DAG)
            self.marker = tmp_path / "killed"
            conf = {
                "requests": f"file://{self.requests}",
                "destination": f"file://{self.destination}",
                "kill_at": kill_at,
                "marker": str(self.marker),
            }
            self.run_id = airflow.trigger_dag(DAG, conf)

        def end(self, seconds=150):
            airflow.wait_until(lambda: airflow.dag_run(DAG, self.run_id)["state"] in OVER, seconds, "the run")
            self.log = json.dumps(
                [
                    airflow.task_log(DAG, self.run_id, "campaign", try_number=number)
                    for number in range(1, self.task()["try_number"] + 1)
                ]
            )
            assert KEY not in self.log
            assert "_jwt" not in self.log
            return airflow.dag_run(DAG, self.run_id)["state"]

        def task(self):
            (task,) = airflow.task_instances(DAG, self.run_id)
            return task

        def manifest(self):
            (path,) = self.destination.glob("*.manifest.jsonl")
            return [json.loads(line) for line in path.read_text().splitlines()]

        def check_files(self):
            """Every charged generation that succeeded is there, whole, and nothing else is."""
            saved = [
                Path(file["path"].partition("://")[2]) for line in self.manifest() for file in line["files"]
            ]
            assert sorted(saved) == sorted(self.destination.glob("*.mp4"))
            assert {path.name.rpartition("-")[0] for path in saved} == {
                charge["runway_task_id"]
                for charge in emulator.ledger()["charges"]
                if charge["status"] == "SUCCEEDED"
            }
            for path in saved:
                assert decode(path).seconds == pytest.approx(2, abs=0.1)

    return Campaign()


def test_a_campaign_with_one_bad_item(airflow, emulator, campaign):
    campaign.write(*(f"clip {number}" for number in range(7)), "", "clip 8")
    campaign.start()
    assert campaign.end() == "failed"
    assert campaign.task()["try_number"] == 1, campaign.log[-3000:]
    lines = campaign.manifest()
    assert [line["state"] for line in lines] == ["succeeded"] * 7 + ["failed", "succeeded"]
    assert "promptText" in lines[7]["note"]
    assert len(emulator.ledger()["charges"]) == 8
    campaign.check_files()
    # The bad one is mended, and the task cleared: only that is paid for.
    campaign.write(*(f"clip {number}" for number in range(9)))
    airflow.clear(DAG, campaign.run_id, "campaign")
    airflow.wait_until(lambda: airflow.dag_run(DAG, campaign.run_id)["state"] not in OVER, 30, "a new try")
    assert campaign.end() == "success"
    assert len(emulator.ledger()["charges"]) == 9
    summary = airflow.xcom(DAG, campaign.run_id, "campaign")
    assert (summary["total"], summary["succeeded"]) == (9, 9)
    assert len(json.dumps(summary)) < 500
    campaign.check_files()


def test_a_worker_that_dies_while_submitting(airflow, emulator, campaign):
    campaign.write(*(f"clip {number}" for number in range(10)))
    campaign.start(kill_at="answered:5")
    campaign.end()
    assert campaign.marker.exists()
    charges = emulator.ledger()["charges"]
    lines = campaign.manifest()
    lost = [line for line in lines if line["state"] == "intent"]
    # Each lost answer is one that was under way, sent or about to be; everything else was made once, and is here.
    assert 10 - len(lost) <= len(charges) <= 10
    assert len(lost) == 1  # one submission at a time
    assert sum(line["state"] == "succeeded" for line in lines) == 10 - len(lost)
    known = {line["runway_task_id"] for line in lines if line["runway_task_id"]}
    assert len(known) == 10 - len(lost)
    assert known <= {charge["runway_task_id"] for charge in charges}


def test_a_worker_that_dies_while_settling(airflow, emulator, campaign):
    campaign.write(*(f"clip {number}" for number in range(6)))
    campaign.start(kill_at="settling")
    assert campaign.end() == "success", campaign.log[-3000:]
    assert campaign.marker.exists()
    assert len(emulator.ledger()["charges"]) == 6
    campaign.check_files()


def test_a_batch_that_is_stopped_cancels_what_runs(airflow, emulator, campaign):
    emulator.settings(seconds=600)
    campaign.write(*(f"clip {number}" for number in range(5)))
    campaign.start()
    airflow.wait_until(lambda: campaign.task()["state"] == "deferred", 60, "the deferral")
    airflow.wait_until(
        lambda: sum(task["reads"] for task in emulator.tasks()) >= 5, 60, "the trigger's first looks"
    )
    airflow.set_state(DAG, campaign.run_id, "campaign", "failed")
    airflow.wait_until(
        lambda: sum(request["method"] == "DELETE" for request in emulator.requests()) == 5, 60, "five DELETEs"
    )
    assert all(charge["status"] == "CANCELLED" for charge in emulator.ledger()["charges"])
