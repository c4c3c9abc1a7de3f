"""A campaign as one task loses, on CeleryExecutor, Redis and PostgreSQL, its triggerer and then its worker."""

from __future__ import annotations

import json
import time

import pytest
from integration.chaos.stage import until
from integration.distributed.judging import check_clips, check_ledger
from integration.support import KEY

CLIPS = 12
CREDITS_PER_CLIP = 10
#: Length of the first generations, in seconds: time enough to see that another triggerer has taken over.
GENERATION = 15
#: So slowly are clips downloaded while the worker is to die over them.
BYTES_PER_SECOND = 4_000
#: Seconds. The test took 88 and 98 seconds on two busy cores; most of it is waiting.
PATIENCE = 180
DAG, TASK = "batch", "campaign"


@pytest.fixture
def batch(whole_airflow, gateway, picture, tmp_path):
    """A batch of which two thirds are allowed to run at the same time."""
    gateway.reset()
    gateway.settings(seconds=GENERATION, max_concurrent=None)
    return Batch(whole_airflow, gateway, picture, tmp_path)


class Batch:
    """One run, seen from outside."""

    def __init__(self, airflow, gateway, picture, folder):
        self.airflow, self.gateway, self.folder = airflow, gateway, folder / "clips"
        fields = {"model": "gen4_turbo", "ratio": "1280:720", "duration": 2}
        fields["promptImage"] = gateway.put_media("keyframe.jpg", picture)
        lines = [json.dumps({**fields, "promptText": f"Shot {number}"}) for number in range(CLIPS)]
        requests = folder / "requests.jsonl"
        requests.write_text("\n".join(lines))
        airflow.wait_for_dag(DAG)
        conf = {"requests": requests.as_uri(), "destination": self.folder.as_uri()}
        self.run_id = airflow.trigger_dag(DAG, conf)

    def task(self):
        """The task instance."""
        (task,) = self.airflow.task_instances(DAG, self.run_id)
        return task

    def triggerer(self):
        """The id of the triggerer in which the batch waits."""
        trigger = self.task()["trigger"]
        return trigger and trigger["triggerer_id"]

    def worker(self):
        """The worker in which the batch runs."""
        pid = self.task()["pid"]
        return next(one for one in self.airflow.workers() if pid in one.family())

    def is_saving(self):
        """Whether a download is under way: after all submissions of its phase."""
        return self.task()["state"] == "running" and any(
            request["method"] == "GET" and "/_outputs/" in request["path"]
            for request in self.gateway.requests()
        )

    def until(self, condition, what):
        """Wait for something, and give it back."""
        return until(self.airflow, condition, PATIENCE, what)

    def log(self):
        """The logs of all tries."""
        tries = range(1, self.task()["try_number"] + 1)
        return json.dumps([self.airflow.task_log(DAG, self.run_id, TASK, try_number=one) for one in tries])


def test_a_killed_triggerer_and_a_killed_worker_lose_no_clip_and_cost_nothing(batch, note):
    """Every clip is saved once, and the ledger has one charge for each.

    The worker dies in the middle of downloads, when all that was submitted is in the journal: no answer can be lost.
    """
    airflow, gateway = batch.airflow, batch.gateway
    doomed = batch.until(batch.triggerer, "the deferral")
    airflow.triggerer_of(doomed).kill()
    killed = time.time()
    batch.until(lambda: batch.triggerer() not in (None, doomed), "the other triggerer to take over")
    assert batch.task()["state"] == "deferred", "the triggerer died too late"
    note("the batch was in no triggerer", time.time() - killed)

    gateway.settings(seconds=1)
    gateway.add_fault(on="output", kind="slow", bytes_per_second=BYTES_PER_SECOND, count=None)
    batch.until(batch.is_saving, "a download")
    before = len(gateway.ledger()["charges"])
    batch.worker().kill()
    killed = time.time()
    gateway.clear_faults()
    batch.until(lambda: batch.task()["try_number"] == 2, "another try")
    note("the batch was in no worker", time.time() - killed)

    state = airflow.wait_for_run(DAG, batch.run_id, PATIENCE)
    assert state == "success", batch.log()[-4000:]
    assert batch.task()["try_number"] == 2
    summary = airflow.xcom(DAG, batch.run_id, TASK)
    assert (summary["total"], summary["succeeded"]) == (CLIPS, CLIPS)
    assert before >= 8, "the limit was not reached"
    check_ledger(gateway, batch.folder, CLIPS, CREDITS_PER_CLIP)
    (report,) = batch.folder.glob("*.manifest.jsonl")
    lines = [json.loads(line) for line in report.read_text().splitlines()]
    assert [line["state"] for line in lines] == ["succeeded"] * CLIPS
    check_clips(lines, batch.folder)
    assert all(KEY not in file.read_text(errors="replace") for file in airflow.logs.rglob("*.log"))
