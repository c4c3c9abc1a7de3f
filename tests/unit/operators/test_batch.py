"""Batches: every item for itself, paid for once, whatever happens to the worker."""

from __future__ import annotations

import contextlib
import functools
import json

import pytest
from unit.operators.batch_story import DONE, prompts
from unit.operators.memory import Crash
from unit.scripted import KEY

from airflow_runway.exceptions import (
    RunwayAuthenticationError,
    RunwayBatchError,
    RunwayBatchIncompleteError,
    RunwayConfigurationError,
    RunwayJournalError,
    RunwayMediaError,
    RunwayReadRefusedError,
)
from airflow_runway.operators import batch_run


@pytest.fixture(autouse=True)
def one_at_a_time(monkeypatch):
    """The order of submissions is then that of the list."""
    monkeypatch.setattr(batch_run, "SUBMISSIONS_AT_ONCE", 1)


class TestAWholeBatch:
    def test_all_at_once_and_one_trigger(self, batch):
        one = batch()
        assert one.to_the_end() == {
            "total": 3, "succeeded": 3, "failed": 0, "moderated": 0, "lost_answers": 0, "unfinished": 0,
            "not_submitted": 0, "credits": 75.0, "manifest": None, "runway_task_ids": ["t1", "t2", "t3"],
        }  # fmt: skip
        assert len(one.triggers) == 1
        assert one.gateway.charges == 3

    def test_what_the_trigger_gets_is_plain_and_short(self, batch):
        one = batch()
        trigger = one.begin()
        _, arguments = trigger.serialize()
        assert json.loads(json.dumps(arguments)) == arguments
        assert arguments["runway_task_ids"] == ["t1", "t2", "t3"]
        assert KEY not in json.dumps(arguments)

    def test_what_is_written_down_holds_no_prompt_or_url(self, batch):
        one = batch(requests=prompts("a secret idea"))
        one.to_the_end()
        written = json.dumps(one.store.values)
        assert "secret" not in written
        assert "http" not in written

    def test_as_many_as_allowed_and_no_more(self, batch):
        one = batch(requests=prompts(*"abcdefg"), max_in_flight=2)
        assert one.to_the_end()["succeeded"] == 7
        assert one.gateway.most_at_once == 2
        assert len(one.triggers) > 1

    def test_the_same_request_twice_is_two_generations(self, batch):
        one = batch(requests=prompts("a", "a"))
        assert one.to_the_end()["runway_task_ids"] == ["t1", "t2"]

    def test_a_list_in_a_file(self, batch, tmp_path):
        path = tmp_path / "requests.jsonl"
        lines = [json.dumps(entry) for entry in prompts("a", "b")]
        path.write_text("\n".join([lines[0], "", "{broken", lines[1], "[1]"]) + "\n")
        one = batch(requests=f"file://{path}")
        result = one.to_the_end()
        assert (result["total"], result["succeeded"], result["failed"]) == (4, 2, 2)

    @pytest.mark.parametrize("requests", [[], None, 7, {}])
    def test_what_is_no_list(self, batch, requests):
        one = batch(requests=requests)
        with pytest.raises(RunwayConfigurationError, match="Nothing was sent"):
            one.begin()

    def test_a_list_that_cannot_be_read_now(self, batch):
        with pytest.raises(RunwayMediaError, match="could not be read"):
            batch(requests="file:///nowhere/requests.jsonl").begin()

    def test_it_needs_a_store(self, batch):
        one = batch()
        with pytest.raises(RunwayConfigurationError, match=r"Airflow 3\.3"):
            one.operator().execute({**one.context(), "task_state_store": None})

    def test_an_unknown_route_costs_nothing(self, batch):
        one = batch()
        with pytest.raises(RunwayConfigurationError, match="no such route"):
            one.begin(route="text_to_vidoe")
        assert one.gateway.posts == 0


class TestOneBadItem:
    def test_refused(self, batch):
        one = batch()
        one.gateway.refused = {"b"}
        result = one.to_the_end()
        assert (result["succeeded"], result["failed"]) == (2, 1)
        assert result["runway_task_ids"] == ["t1", None, "t2"]

    def test_a_file_that_is_none(self, batch, tmp_path):
        (tmp_path / "page.png").write_bytes(b"<html>")
        requests = [
            *prompts("a"),
            {"promptText": "b", "promptImage": str(tmp_path / "page.png")},
            *prompts("c"),
        ]
        result = batch(requests=requests).to_the_end()
        assert (result["succeeded"], result["failed"]) == (2, 1)

    def test_not_json(self, batch):
        result = batch(requests=[*prompts("a"), {"seed": float("nan")}, 7]).to_the_end()
        assert (result["succeeded"], result["failed"]) == (1, 2)

    def test_the_error_tells_which_and_why(self, batch):
        one = batch(on_partial_failure="fail")
        one.gateway.refused = {"b"}
        with pytest.raises(RunwayBatchError, match=r"2 of 3 items succeeded, 1 failed; 50 credits.*Item 1: "):
            one.to_the_end()

    def test_where_another_try_may_do_better_airflow_retries(self, batch):
        one = batch(on_partial_failure="fail")
        one.gateway.endings = {"b": "FAILED"}
        with pytest.raises(RunwayBatchIncompleteError, match="only what failed"):
            one.to_the_end()
        one.gateway.endings = {}
        assert one.to_the_end()["succeeded"] == 3
        assert one.gateway.charges == 4
        assert len(one.gateway.of("b")) == 2

    def test_a_lost_answer_is_left_to_a_person(self, batch):
        one = batch()
        one.gateway.faults = ["", "drop after accept"]
        result = one.to_the_end()
        assert (result["succeeded"], result["lost_answers"]) == (2, 1)
        one.clear()
        assert one.to_the_end()["lost_answers"] == 1
        assert one.gateway.charges == 3
        one.clear()
        assert one.to_the_end(on_ambiguous_submit="resubmit")["succeeded"] == 3
        assert one.gateway.charges == 4


class TestMoney:
    def test_the_budget_is_never_exceeded(self, batch):
        one = batch(requests=prompts(*"abcde"), max_credits=80)
        result = one.to_the_end()
        assert (result["succeeded"], result["not_submitted"], result["credits"]) == (3, 2, 75)
        assert one.gateway.charges == 3

    def test_with_several_at_once_neither(self, batch, monkeypatch):
        monkeypatch.setattr(batch_run, "SUBMISSIONS_AT_ONCE", 4)
        one = batch(requests=prompts(*"abcdefghij"), max_credits=100)
        assert one.to_the_end()["credits"] == 100
        assert one.gateway.charges == 4

    def test_a_first_item_that_is_too_dear_is_cancelled(self, batch):
        one = batch(max_credits=20)
        result = one.to_the_end()
        assert (result["succeeded"], result["failed"], result["not_submitted"]) == (0, 1, 2)
        assert one.gateway.deleted == ["t1"]

    def test_a_gateway_that_tells_no_price(self, batch):
        one = batch(max_credits=20)
        one.gateway.estimate = None
        assert one.to_the_end()["succeeded"] == 3

    def test_the_error_says_what_to_raise(self, batch):
        with pytest.raises(RunwayBatchError, match="to keep to max_credits: raise it"):
            batch(max_credits=30, on_partial_failure="fail").to_the_end()

    def test_a_daily_limit_is_waited_for_without_a_worker(self, batch):
        one = batch(requests=prompts(*"abcd"))
        one.gateway.taken_today = 2
        trigger = one.begin()
        assert list(trigger.runway_task_ids) == ["t1", "t2"]
        assert trigger.resume_at == one.now + 60
        one.gateway.finish(["t1", "t2"])
        one.now = trigger.resume_at
        trigger = one.go_on(trigger)
        assert list(trigger.runway_task_ids) == []
        assert trigger.resume_at == one.now + 120
        one.gateway.taken_today = None
        one.now = trigger.resume_at
        trigger = one.go_on(trigger)
        assert list(trigger.runway_task_ids) == ["t3", "t4"]
        one.gateway.finish(["t3", "t4"])
        assert one.go_on(trigger)["succeeded"] == 4
        assert one.gateway.charges == 4

    def test_no_connection_is_waited_for_too(self, batch):
        one = batch()
        one.gateway.faults = ["unconnected"] * 3
        trigger = one.begin()
        assert list(trigger.runway_task_ids) == []
        assert one.go_on(trigger).runway_task_ids == ["t1", "t2", "t3"]

    def test_a_refused_key_stops_everything_and_loses_nothing(self, batch, monkeypatch):
        one = batch()
        from airflow_runway.hooks.runway import RunwayHook

        def refused(*_):
            raise RunwayAuthenticationError("The key is refused.")

        with monkeypatch.context() as patch:
            patch.setattr(RunwayHook, "send", refused)
            with pytest.raises(RunwayAuthenticationError):
                one.begin()
        assert one.to_the_end()["succeeded"] == 3


class TestModeration:
    ENDINGS = dict.fromkeys("abcd", "MODERATED")

    @pytest.fixture
    def moderated(self, batch, monkeypatch):
        from unit.operators import batch_story

        def answer(self, call):
            said = plain(self, call)
            if b'"status": "MODERATED"' in said.body:
                told = {
                    "id": call.path.rpartition("/")[2],
                    "status": "FAILED",
                    "failureCode": "SAFETY.INPUT.TEXT",
                }
                return batch_story._says(told)
            return said

        plain = batch_story.BatchGateway._answer
        monkeypatch.setattr(batch_story.BatchGateway, "_answer", answer)

        def begin(**fields):
            one = batch(requests=prompts(*"abcdefgh"), max_in_flight=1, **fields)
            one.gateway.endings = dict(self.ENDINGS)
            return one

        return begin

    def test_the_breaker_stops_submissions(self, moderated):
        one = moderated(max_moderated=2, on_partial_failure="fail")
        with pytest.raises(RunwayBatchError, match=r"after 2 moderated items.*can suspend the account"):
            one.to_the_end()
        assert one.gateway.charges == 2

    def test_it_can_be_turned_off(self, moderated):
        result = moderated(max_moderated=0).to_the_end()
        assert (result["moderated"], result["succeeded"]) == (4, 4)

    def test_what_was_moderated_is_not_tried_again(self, moderated):
        one = moderated(max_moderated=0)
        one.to_the_end()
        one.clear()
        assert one.to_the_end()["moderated"] == 4
        assert one.gateway.charges == 8

    def test_changed_requests_go_on(self, moderated):
        one = moderated(max_moderated=2)
        one.to_the_end()
        one.clear()
        result = one.to_the_end(requests=prompts(*"efgh"))
        assert result["not_submitted"] == 4  # the count is the task's, and the account remembers too
        assert one.to_the_end(requests=prompts(*"efgh"), max_moderated=5)["succeeded"] == 4


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

    def test_the_list_may_change_its_order_shrink_and_grow(self, batch):
        one = batch()
        one.begin()
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

    def test_a_kill_cancels_what_runs(self, batch):
        one = batch()
        operator = one.operator()
        one._phase(lambda: operator.execute(one.context()))
        operator.on_kill()
        assert sorted(one.gateway.deleted) == ["t1", "t2", "t3"]

    def test_a_kill_before_anything_runs_stops_submitting(self, batch, monkeypatch):
        one = batch()
        operator = one.operator()
        begin = operator._begin

        def begin_and_stop(*arguments, **fields):
            run = begin(*arguments, **fields)
            operator.on_kill()
            return run

        monkeypatch.setattr(operator, "_begin", begin_and_stop)
        with pytest.raises(RunwayBatchError, match="was stopped"):
            operator.execute(one.context())
        assert one.gateway.posts == 0


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
        one.fuse.left, one.fuse.after = crash, after
        with contextlib.suppress(Crash):
            work()
        one.fuse.left = None
        result = one.to_the_end()
        assert one.gateway.charges <= 3
        assert result["succeeded"] + result["lost_answers"] == 3
        assert one.gateway.charges >= result["succeeded"]
        assert result["lost_answers"] <= 1
        known = one.log.text + json.dumps(one.store.values)
        assert all(runway_task_id in known for runway_task_id in one.gateway.received)
