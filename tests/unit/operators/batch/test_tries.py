"""Batches that are tried again, end early, or lose their worker."""

from __future__ import annotations

import contextlib
import functools
import json

import pytest
from unit.operators.batch_tries import DONE, prompts
from unit.operators.memory import Crash

from airflow_runway.exceptions import (
    RunwayJournalError,
    RunwayReadRefusedError,
)
from airflow_runway.hooks.runway import RunwayHook
from airflow_runway.models import CancelOutcome


class TestAnotherTry:
    def test_what_runs_is_waited_for(self, batch):
        one = batch()
        one.begin()
        trigger = one.begin()
        assert trigger.runway_task_ids == ["t1", "t2", "t3"]
        assert one.gateway.posts == 3

    def test_a_clear_after_success_costs_nothing(self, batch):
        one = batch()
        first = one.to_the_end()
        one.clear()
        assert one.to_the_end() == first
        assert one.gateway.posts == 3

    def test_a_clear_submits_again_what_failed(self, batch):
        one = batch()
        one.gateway.endings = {"b": "FAILED"}
        assert one.to_the_end()["failed"] == 1
        one.gateway.endings = {}
        one.clear()
        result = one.to_the_end()
        assert result["succeeded"] == 3
        assert one.gateway.posts == 4

    def test_a_worker_that_died_in_the_middle_does_not(self, batch):
        one = batch(max_in_flight=1)
        one.gateway.endings = {"a": "FAILED"}
        trigger = one.begin()
        one.gateway.finish(trigger.runway_task_ids)
        one.go_on(trigger)
        one.begin()
        assert len(one.gateway.of("a")) == 1

    def test_after_a_clear_the_list_may_have_changed_its_order_shrunk_and_grown(self, batch):
        one = batch()
        one.begin()
        one.clear()
        trigger = one.begin(requests=prompts("c", "d", "a"))
        assert one.gateway.charges == 4
        assert one.gateway.deleted == ["t2"]  # nobody wants b any more
        one.gateway.finish(trigger.runway_task_ids)
        result = one.go_on(trigger, requests=prompts("c", "d", "a"))
        assert result["runway_task_ids"] == ["t3", "t4", "t1"]

    def test_a_list_that_is_half_written_when_it_is_read_again_cancels_nothing(self, batch):
        one = batch()
        trigger = one.begin()
        one.gateway.finish(trigger.runway_task_ids)
        one.go_on(trigger, requests=prompts("a"))
        assert one.gateway.deleted == []

    def test_what_failed_is_not_tried_again_within_a_try_under_other_words(self, batch):
        signed = "https://b.s3.amazonaws.com/a.png?X-Amz-Signature={}".format
        lists = [[{"promptText": "a", "promptImage": signed(number)}] for number in range(2)]
        one = batch(max_in_flight=1)
        one.gateway.endings = {"a": "FAILED"}
        trigger = one.begin(requests=lists[0])
        one.gateway.finish(trigger.runway_task_ids)
        result = one.go_on(trigger, requests=lists[1])
        assert result["failed"] == 1
        assert one.gateway.posts == 1

    def test_a_file_that_was_tidied_away_hides_nothing(self, batch, tmp_path):
        from unit.operators.test_media import write_picture

        path = write_picture(tmp_path / "a.png", "teal")
        one = batch(requests=[{"promptText": "a", "promptImage": str(path)}])
        trigger = one.begin()
        path.unlink()
        assert one.begin().runway_task_ids == trigger.runway_task_ids == ["t1"]
        assert one.gateway.posts == 1

    def test_a_journal_that_cannot_be_read_sends_nothing(self, batch):
        one = batch()
        one.store.broken = 1
        with pytest.raises(RunwayJournalError, match="Nothing was sent"):
            one.begin()
        assert one.gateway.posts == 0

    def test_a_journal_that_cannot_be_written_sends_nothing(self, batch):
        one = batch()
        real, one.store.set = one.store.set, lambda *_, **__: 1 / 0
        with pytest.raises(RunwayJournalError):
            one.begin()
        assert one.gateway.posts == 0
        one.store.set = real
        assert one.to_the_end()["succeeded"] == 3

    def test_what_runs_is_still_waited_for(self, batch):
        one = batch(max_in_flight=1)
        trigger = one.begin()
        one.gateway.finish(trigger.runway_task_ids)
        real, one.store.set = one.store.set, lambda *_, **__: 1 / 0
        with pytest.raises(RunwayJournalError):
            one.go_on(trigger)
        one.store.set = real
        assert one.to_the_end()["succeeded"] == 3
        assert one.gateway.posts == 3

    def test_many_items_stay_below_the_limit_of_the_store(self, batch):
        one = batch(requests=prompts(*(f"item {number}" for number in range(120))))
        one.gateway.endings = {f"item {number}": "FAILED" for number in range(0, 120, 2)}
        one.to_the_end()
        assert max(len(json.dumps(value)) for value in one.store.values.values()) < 65_535 / 3
        assert one.begin().runway_task_ids


class TestEnds:
    def test_the_deadline(self, batch):
        one = batch(timeout=600)
        trigger = one.begin()
        assert trigger.deadline == one.now + 600
        one.now = trigger.deadline
        one.gateway.tasks["t2"] = DONE
        late = {"type": "RunwayTaskTimeoutError", "message": "late"}
        result = one.go_on(trigger, errors={"t1": late, "t2": late, "t3": late})
        assert (result["succeeded"], result["failed"]) == (1, 2)
        assert one.gateway.deleted == ["t1", "t3"]

    def test_the_deadline_without_cancelling(self, batch):
        one = batch(timeout=600, cancel_on_timeout=False)
        trigger = one.begin()
        one.now = trigger.deadline
        result = one.go_on(trigger, ended=[])
        assert result["unfinished"] == 3
        assert one.gateway.deleted == []

    @pytest.mark.parametrize("outcome", [CancelOutcome.NOT_SUPPORTED, CancelOutcome.UNKNOWN])
    @pytest.mark.parametrize("fields", [{"timeout": 600}, {"max_credits": 20, "requests": prompts("a")}])
    def test_what_could_not_be_cancelled_is_not_paid_for_again(self, batch, monkeypatch, outcome, fields):
        one = batch(**fields)
        with monkeypatch.context() as patch:
            patch.setattr(RunwayHook, "cancel_task", lambda *_: outcome)
            trigger = one.begin()
            if "timeout" in fields:
                one.now = trigger.deadline
                assert one.go_on(trigger, ended=[])["unfinished"] == 3
        paid = one.gateway.charges
        one.clear()
        assert one.to_the_end()["succeeded"] == paid
        assert one.gateway.posts == paid

    def test_an_expired_deferral(self, batch):
        one = batch(timeout=600)
        one.begin()
        one.now += 600
        operator = one.operator()
        result = operator.resume_execution("__fail__", {"error": "Trigger timeout"}, one.context())
        assert result["failed"] == 3
        assert sorted(one.gateway.deleted) == ["t1", "t2", "t3"]

    def test_a_generation_that_vanished(self, batch):
        one = batch()
        trigger = one.begin()
        one.gateway.finish(["t1", "t3"])
        one.gateway.tasks["t2"] = "GONE"
        result = one.go_on(trigger, errors={"t2": {"type": "RunwayTaskLostError", "message": "It vanished."}})
        assert (result["succeeded"], result["failed"]) == (2, 1)

    def test_a_reading_that_fails_leaves_it_running(self, batch):
        one = batch()
        trigger = one.begin()
        one.gateway.finish(trigger.runway_task_ids)
        one.gateway.reads_fail = 99
        trigger = one.go_on(trigger)
        assert trigger.runway_task_ids == ["t1", "t2", "t3"]
        one.gateway.reads_fail = 0
        assert one.go_on(trigger)["succeeded"] == 3

    def test_a_key_that_is_refused_for_reading(self, batch, monkeypatch):
        from airflow_runway.hooks.runway import RunwayHook

        one = batch()
        trigger = one.begin()

        def refused(*_, **__):
            raise RunwayReadRefusedError("The key is refused.", key_refused=True)

        with monkeypatch.context() as patch:
            patch.setattr(RunwayHook, "get_task", refused)
            with pytest.raises(RunwayReadRefusedError):
                one.go_on(trigger)
        one.gateway.finish(trigger.runway_task_ids)
        assert one.to_the_end()["succeeded"] == 3
        assert one.gateway.posts == 3


@pytest.mark.parametrize("phase", ["submitting", "settling"])
@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_no_crash_pays_twice(batch, phase, after):
    """The worker dies at every operation in turn, before or after it took effect; the next one picks up."""
    for crash in range(1, 40):
        one = batch(max_in_flight=2)
        work = one.begin
        if phase == "settling":
            trigger = one.begin()
            one.gateway.finish(trigger.runway_task_ids)
            work = functools.partial(one.go_on, trigger)
        one.crash_point.left, one.crash_point.after = crash, after
        with contextlib.suppress(Crash):
            work()
        one.crash_point.left = None
        result = one.to_the_end()
        assert one.gateway.charges <= 3
        assert result["succeeded"] + result["lost_answers"] == 3
        assert one.gateway.charges >= result["succeeded"]
        assert result["lost_answers"] <= 1
        known = one.log.text + json.dumps(one.store.values)
        assert all(runway_task_id in known for runway_task_id in one.gateway.received)
