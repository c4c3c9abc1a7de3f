"""A batch counts each generation once, when it ends, in the words that sensors and operators use."""

from __future__ import annotations

from collections import Counter

import pytest
from unit.operators.batch_tries import prompts

from airflow_runway import telemetry
from airflow_runway.exceptions import RunwayBatchIncompleteError


@pytest.fixture
def counted(monkeypatch):
    """Counters by name and status."""
    counters = Counter()

    def emit(places, how, name, value, tags):
        if name in {"runway.finished", "runway.credits"}:
            assert (places, how) == (telemetry.IN_WORKER, "incr")
            counters[name, tags["status"]] += value

    monkeypatch.setattr(telemetry, "_emit", emit)
    return counters


def test_each_ending_has_the_word_of_its_status(batch, counted):
    one = batch(requests=prompts("a", "b", "c"))
    one.gateway.endings = {"b": "FAILED", "c": "CANCELLED"}
    one.to_the_end()
    assert counted == {
        ("runway.finished", "SUCCEEDED"): 1,
        ("runway.finished", "FAILED"): 1,
        ("runway.finished", "CANCELLED"): 1,
    }


def test_what_they_cost_is_counted_where_the_gateway_tells(batch, counted):
    one = batch(requests=prompts("a", "b"))
    one.gateway.endings = {"b": "FAILED"}
    one.gateway.cost = 20.0
    one.to_the_end()
    assert counted["runway.credits", "SUCCEEDED"] == 20.0
    assert counted["runway.credits", "FAILED"] == 20.0


def test_another_try_does_not_count_what_succeeded_before(batch, counted):
    one = batch(requests=prompts("a", "b", "c"), on_partial_failure="fail")
    one.gateway.endings = {"c": "FAILED"}
    with pytest.raises(RunwayBatchIncompleteError):
        one.to_the_end()
    one.gateway.endings = {}
    one.clear()
    one.to_the_end()
    assert counted["runway.finished", "SUCCEEDED"] == 3
    assert counted["runway.finished", "FAILED"] == 1
    assert one.gateway.charges == 4


def test_refused_and_lost_items_never_were_a_wait(batch, counted):
    one = batch(requests=prompts("a", "b"))
    one.gateway.refused = {"a"}
    one.to_the_end()
    assert counted == {("runway.finished", "SUCCEEDED"): 1}


def test_a_generation_that_vanished_is_lost(batch, counted):
    one = batch(requests=prompts("a"))
    trigger = one.begin()
    one.gateway.tasks["t1"] = "GONE"
    event = {
        "kind": "task_lost",
        "message": "Runway task t1 is lost.",
        "retry_after": None,
        "key_refused": False,
    }
    one.go_on(trigger, errors={"t1": event})
    assert counted == {("runway.finished", "LOST"): 1}


def test_what_the_deadline_cancels_has_timed_out(batch, counted):
    one = batch(requests=prompts("a", "b"), timeout=600)
    trigger = one.begin()
    one.gateway.finish(["t1"])
    one.now += 601
    one.go_on(trigger, ended=["t1"])
    assert counted == {("runway.finished", "SUCCEEDED"): 1, ("runway.finished", "TIMED_OUT"): 1}
    assert one.gateway.deleted == ["t2"]
