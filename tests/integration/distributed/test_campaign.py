"""A campaign on CeleryExecutor, Redis and PostgreSQL loses a triggerer and a worker, and not one clip."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import datetime

import pytest
from integration.chaos.stage import until
from integration.distributed.judging import check_clips, check_ledger
from integration.distributed.stage import SLOTS
from integration.support import KEY

CLIPS = 16
CREDITS_PER_CLIP = 10
#: Length of a generation, in seconds: time enough to see that another triggerer has taken over.
GENERATION = 15
#: So slowly is a clip downloaded while a worker is to die over it.
BYTES_PER_SECOND = 14_000
#: Seconds. The whole test takes about two minutes on two cores.
PATIENCE = 180


@pytest.fixture
def campaign(whole_airflow, gateway, picture, tmp_path):
    """A campaign whose account runs one generation at a time for now: nearly all clips wait."""
    gateway.reset()
    gateway.settings(seconds=GENERATION, max_concurrent=1)
    return Campaign(whole_airflow, gateway, picture, tmp_path / "clips")


class Campaign:
    """One run, seen from outside."""

    def __init__(self, airflow, gateway, picture, folder):
        self.airflow, self.gateway, self.folder = airflow, gateway, folder
        airflow.wait_for_dag("campaign")
        image = gateway.put_media("keyframe.jpg", picture)
        conf = {"clips": CLIPS, "image": image, "destination": folder.as_uri()}
        self.run_id = airflow.trigger_dag("campaign", conf)

    def tasks(self, task_id, *states):
        """The instances of a task that are in some states."""
        instances = self.airflow.task_instances("campaign", self.run_id)
        return [one for one in instances if one["task_id"] == f"clip.{task_id}" and one["state"] in states]

    def until(self, condition, what):
        """Wait for something."""
        until(self.airflow, condition, PATIENCE, what)

    def triggerers(self):
        """How many waiting clips each triggerer has, by its id."""
        return Counter(one["trigger"]["triggerer_id"] for one in self.tasks("wait", "deferred"))

    def saving_on(self, worker):
        """The map indexes of the clips that a worker is saving at this moment."""
        family = worker.family()
        return {one["map_index"] for one in self.tasks("save", "running") if one["pid"] in family}

    def complaints(self):
        """The logs of what did not succeed."""
        failed = [
            one
            for one in self.airflow.task_instances("campaign", self.run_id)
            if one["state"] not in ("success", None)
        ]
        return {(one["task_id"], one["map_index"], one["state"]): self.log_of(one) for one in failed[:3]}

    def log_of(self, one):
        """The log of an instance's last try."""
        log = self.airflow.task_log(
            "campaign",
            self.run_id,
            one["task_id"],
            try_number=max(1, one["try_number"]),
            map_index=one["map_index"],
        )
        return json.dumps(log)[-4000:]


def test_a_killed_triggerer_and_a_killed_worker_lose_no_clip_and_cost_nothing(campaign, note):
    """Every clip is saved once, and the ledger has one charge for each.

    The worker dies when all submissions are in their journals, in the middle of downloads: so that no answer
    can be lost, and what must come of it is certain. What a worker's death between POST and journal costs is
    the chaos suite's subject.
    """
    airflow, gateway = campaign.airflow, campaign.gateway
    campaign.until(lambda: len(campaign.tasks("submit", "success")) == CLIPS, "all submissions")
    campaign.until(lambda: not campaign.tasks("wait", "scheduled", "queued", "running"), "all waiting")

    shared = campaign.triggerers()
    doomed, lost = shared.most_common(1)[0]
    airflow.triggerer_of(doomed).kill()
    killed = time.time()
    campaign.until(
        lambda: (now := set(campaign.triggerers())) and not now & {None, doomed},
        "the other triggerer to take over",
    )
    assert campaign.triggerers().total() > CLIPS // 2, "the triggerer died too late"
    note(f"{lost} of {shared.total()} waits were the dead triggerer's", time.time() - killed)

    gateway.add_fault(on="output", kind="slow", bytes_per_second=BYTES_PER_SECOND, count=None)
    gateway.settings(max_concurrent=None)
    victim = airflow.components["worker-1"]
    campaign.until(lambda: len(campaign.saving_on(victim)) == SLOTS, "downloads in the worker that is to die")
    interrupted = campaign.saving_on(victim)
    victim.kill()
    killed = time.time()
    gateway.clear_faults()

    state = airflow.wait_for_run("campaign", campaign.run_id, PATIENCE)
    assert state == "success", campaign.complaints()
    saves = {one["map_index"]: one for one in campaign.tasks("save", "success")}
    assert len(saves) == CLIPS
    again = [saves[index] for index in interrupted if saves[index]["try_number"] == 2]
    assert again, "the worker's death interrupted nothing"
    begun = max(datetime.fromisoformat(one["start_date"]).timestamp() for one in again)
    note(f"{len(again)} downloads of the dead worker's began again", begun - killed)
    check_ledger(gateway, campaign.folder, CLIPS, CREDITS_PER_CLIP)
    manifests = [airflow.xcom("campaign", campaign.run_id, "clip.save", map_index=n) for n in range(CLIPS)]
    check_clips(manifests, campaign.folder)
    assert all(KEY not in file.read_text(errors="replace") for file in airflow.logs.rglob("*.log"))
