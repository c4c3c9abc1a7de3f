"""A batch that is cleared while it submits: what it cannot write down any more is cancelled, or named, at once."""

from __future__ import annotations

import pytest

from airflow_runway.exceptions import RunwayStoppedError
from airflow_runway.hooks import _transport
from airflow_runway.triggers import _task_instance


@pytest.fixture
def cleared_in_post(batch, monkeypatch):
    """A batch whose task is cleared during its second POST; Airflow tells it to stop, and takes no more records."""

    def run(**fields):
        one = batch(**fields)
        operator = one.operator()

        def send(session, settings, call):
            if call.method == "POST" and one.gateway.posts == 1:
                one.store.cleared_meanwhile = True
                operator.on_kill()
            return one.gateway.send(session, settings, call)

        monkeypatch.setattr(_transport, "send", send)
        monkeypatch.setattr(_task_instance, "blocking_state_of", lambda task_instance: "restarting")
        with pytest.raises(RunwayStoppedError) as caught:
            operator.execute(one.context())
        monkeypatch.setattr(_transport, "send", one.gateway.send)
        one.store.cleared_meanwhile = False
        one.clear()
        return one, str(caught.value)

    return run


def test_what_no_next_try_knows_is_cancelled_and_named_and_the_rest_runs_on(cleared_in_post):
    one, said = cleared_in_post()
    assert one.gateway.deleted == ["t2"]
    assert "Runway task t2: This task was cleared before it could be recorded" in one.log.text
    assert "1 unfinished Runway tasks (t1)" in said
    assert one.gateway.posts == 2


def test_the_next_try_leaves_the_lost_answer_to_a_person(cleared_in_post):
    one, _ = cleared_in_post()
    summary = one.to_the_end()
    assert (summary["succeeded"], summary["lost_answers"]) == (2, 1)
    assert one.gateway.charges == 3


def test_where_nothing_is_to_be_cancelled_it_is_named(cleared_in_post):
    one, said = cleared_in_post(cancel_on_kill=False)
    assert one.gateway.deleted == []
    assert (
        "its next try does not know them. Not known to have ended, and charged if they finish: t2."
        in one.log.text
    )
    assert "1 unfinished Runway tasks (t1)" in said


def test_what_was_recorded_before_is_never_cancelled(batch, monkeypatch):
    """It runs, its record is only brought up to date, and that write meets the clear."""
    one = batch(max_in_flight=1)
    one.begin()
    operator = one.operator()
    reading = one.gateway.send

    def send(session, settings, call):
        if call.method == "GET" and call.path.endswith("t1"):
            one.store.cleared_meanwhile = True
            operator.on_kill()
        return reading(session, settings, call)

    monkeypatch.setattr(_transport, "send", send)
    monkeypatch.setattr(_task_instance, "blocking_state_of", lambda task_instance: "restarting")
    with pytest.raises(Exception, match=r"written|runs on"):
        operator.execute(one.context())
    assert one.gateway.deleted == []
