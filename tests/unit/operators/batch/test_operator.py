"""Batches: every item for itself, paid for once, whatever happens to the worker."""

from __future__ import annotations

import json

import pytest
from PIL import Image
from unit.operators.batch_tries import moderating, prompts
from unit.scripted import KEY

from airflow_runway.exceptions import (
    RunwayAuthenticationError,
    RunwayBatchError,
    RunwayBatchIncompleteError,
    RunwayConfigurationError,
    RunwayMediaError,
)


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
        # The origin of the account is told, and nothing else of an address.
        assert written.count("http") == written.count('"https://api.dev.runwayml.com"') == 1
        assert KEY not in written

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
        with pytest.raises(RunwayMediaError, match="cannot be had"):
            batch(requests="file:///nowhere/requests.jsonl").begin()

    def test_an_item_whose_file_nobody_allowed_fails_alone(self, batch, tmp_path, monkeypatch):
        monkeypatch.delenv("AIRFLOW__RUNWAY__MEDIA_FROM")
        Image.new("RGB", (64, 64)).save(tmp_path / "a.png")
        body = {"promptImage": str(tmp_path / "a.png"), "promptText": "a"}
        one = batch(requests=[body, {"promptText": "x"}])
        one.begin()
        assert one.gateway.posts == 1
        other = batch(requests=[body, {"promptText": "x"}], media_from=f"file://{tmp_path}")
        other.begin()
        assert other.gateway.posts == 2

    def test_it_needs_a_store(self, batch):
        one = batch()
        with pytest.raises(RunwayConfigurationError, match=r"Airflow 3\.3"):
            one.operator().execute({**one.context(), "task_state_store": None})

    def test_an_unknown_route_costs_nothing(self, batch):
        one = batch()
        with pytest.raises(RunwayConfigurationError, match="has no route"):
            one.begin(route="text_to_vidoe")
        assert one.gateway.posts == 0


class TestBeforeAnythingIsSent:
    @pytest.mark.parametrize(
        "fields",
        [
            {"destination": "nowhere://bucket/x"}, {"destination": "file:///tmp/x", "file_name": "../{index}"},
            {"destination": "file:///tmp/x", "file_name": "clip{extension}"}, {"manifest": "nowhere://x/y.jsonl"},
        ],
    )  # fmt: skip
    def test_where_outputs_go_is_checked(self, batch, fields):
        one = batch(**fields)
        with pytest.raises(RunwayConfigurationError):
            one.begin()
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

    def test_with_several_at_once_neither(self, batch):
        one = batch(requests=prompts(*"abcdefghij"), max_credits=100, submissions_at_once=4)
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
        moderating(monkeypatch)

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

    def test_removing_them_is_enough_to_go_on(self, moderated):
        one = moderated(max_moderated=2)
        assert one.to_the_end()["not_submitted"] == 6
        one.clear()
        assert one.to_the_end(requests=prompts(*"efgh"))["succeeded"] == 4
        assert one.gateway.charges == 6

    def test_changing_them_is_enough_to_go_on(self, moderated):
        one = moderated(max_moderated=2)
        one.gateway.endings = dict.fromkeys("ab", "MODERATED")
        one.to_the_end()
        one.clear()
        assert one.to_the_end(requests=prompts(*"ABcdefgh"))["succeeded"] == 8

    def test_a_clear_without_either_sends_nothing_more(self, moderated):
        one = moderated(max_moderated=2)
        one.to_the_end()
        one.clear()
        assert one.to_the_end()["not_submitted"] == 6
        assert one.gateway.charges == 2

    def test_a_batch_of_which_everything_was_moderated_and_changed_goes_on(self, moderated):
        one = moderated(max_moderated=5)
        one.to_the_end(requests=prompts(*"abcd"))
        one.clear()
        assert one.to_the_end(requests=prompts(*"ABCD"))["succeeded"] == 4
