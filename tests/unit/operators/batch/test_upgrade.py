"""What 0.1.0 wrote down is read, and goes on: fixtures made by its code, with its in-memory store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from unit.operators.batch_tries import prompts

from airflow_runway.exceptions import RunwayBatchError, RunwayJournalError
from airflow_runway.triggers.batch import RunwayBatchTrigger

FIXTURES = Path(__file__).parents[3] / "fixtures" / "0.1.0"


@pytest.fixture
def begun(batch):
    """A batch that 0.1.0 began."""

    def load(name, **fields):
        fixture = json.loads((FIXTURES / f"{name}.json").read_text())
        one = batch(**fields)
        one.store.values = fixture["store"]
        for runway_task_id, status in fixture["tasks"].items():
            one.gateway.add(runway_task_id, status)
        one.gateway.prompts = dict(zip(fixture["tasks"], "abcde", strict=False))
        one.max_tries, one.now = fixture["max_tries"], fixture["now"]
        one.fixture = fixture
        if fixture["trigger"]:
            one.trigger = RunwayBatchTrigger(**fixture["trigger"]["kwargs"])
        return one

    return load


def go_on(one, **fields):
    """The resume of 0.1.0's deferral, with the event of its trigger."""
    event = one.fixture["event"]
    return one._phase(
        lambda: one.operator(**fields).resume_execution("execute_complete", {"event": event}, one.context())
    )


def to_the_end(one, result, **fields):
    while not isinstance(result, dict):
        one.now = max(one.now, result.resume_at or 0.0)
        one.gateway.finish(result.runway_task_ids)
        result = one.go_on(result, **fields)
    return result


DEFERRED = {"requests": prompts(*"abcde"), "max_in_flight": 2}
ENDED = {"requests": prompts(*"abcd")}


class TestADeferralThatBeganThere:
    def test_it_resumes_and_submits_nothing_twice(self, begun):
        one = begun("batch_deferred", **DEFERRED)
        one.gateway.finish(["t1"])
        result = to_the_end(one, go_on(one))
        assert (result["total"], result["succeeded"], result["credits"]) == (5, 5, 125)
        assert one.gateway.charges == 5

    def test_a_retry_does_too(self, begun):
        one = begun("batch_deferred", **DEFERRED)
        assert to_the_end(one, one.begin())["succeeded"] == 5
        assert one.gateway.charges == 5

    @pytest.mark.parametrize("requests", [prompts(*"abxde")[1:], prompts(*"vwxyz"), [], None, prompts("a")])
    @pytest.mark.parametrize("way", ["resume", "retry"])
    def test_with_another_list_nothing_new_is_sent_and_nothing_is_lost(self, begun, requests, way):
        one = begun("batch_deferred", **DEFERRED | {"requests": requests, "on_partial_failure": "succeed"})
        one.gateway.finish(["t1", "t2"])
        result = to_the_end(one, go_on(one) if way == "resume" else one.begin())
        assert (result["total"], result["succeeded"], one.gateway.charges) == (2, 2, 2)

    def test_what_was_postponed_is_sent(self, begun):
        one = begun("batch_postponed", requests=prompts("a", "b", "c"))
        one.gateway.finish(["t1"])
        result = to_the_end(one, go_on(one))
        assert (result["succeeded"], one.gateway.charges) == (3, 3)

    def test_a_clear_pins_the_list_and_pays_for_nothing_again(self, begun):
        one = begun("batch_deferred", **DEFERRED)
        one.clear()
        assert to_the_end(one, one.begin())["succeeded"] == 5
        assert one.gateway.charges == 5


class TestABatchThatEndedThere:
    def test_a_clear_sends_again_what_failed_and_leaves_what_was_lost(self, begun):
        one = begun("batch_ended", **ENDED)
        one.clear()
        result = to_the_end(one, one.begin())
        assert (result["succeeded"], result["lost_answers"], one.gateway.charges) == (3, 1, 5)

    def test_its_lost_answer_counts_against_the_bound(self, begun):
        one = begun("batch_ended", **ENDED)
        one.clear()
        # t1 and t2 were charged, t3 may have been: 75 of 100.
        result = to_the_end(one, one.begin(max_credits=100), max_credits=100)
        assert (result["succeeded"], one.gateway.charges) == (2, 4)

    def test_another_list_after_a_clear_sends_nothing(self, begun):
        one = begun("batch_ended", **ENDED)
        one.clear()
        with pytest.raises(RunwayBatchError, match="None of the 2 entries"):
            one.begin(requests=prompts("x", "y"))
        assert one.gateway.charges == 3


@pytest.mark.parametrize("way", ["first", "resume"])
def test_a_newer_header_is_refused_with_nothing_sent(begun, way):
    one = begun("batch_deferred", requests=prompts(*"abcde"))
    one.store.values["runway_batch"] = {"version": 3, "whatever": 1}
    with pytest.raises(
        RunwayJournalError, match=r"newer version of this provider \(version 3\).*Nothing was sent"
    ):
        one.begin() if way == "first" else go_on(one)
    assert (one.gateway.posts, one.gateway.deleted) == (0, [])
