"""What a trigger tells the worker survives JSON, a database and another version of this provider."""

from __future__ import annotations

import json

import pytest

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.models import RunwayTask, TaskStatus
from airflow_runway.core.polling.decisions import Finished, GaveUp
from airflow_runway.exceptions import error_of
from airflow_runway.triggers._events import ErrorEvent, error_event, error_in

TASK = RunwayTask("t1", TaskStatus.SUCCEEDED, output=("https://e/x.mp4?_jwt=secret",))


def stored(event):
    """As it comes back from Airflow's database."""
    return json.loads(json.dumps(event))


def test_the_servers_last_word_is_no_error():
    assert error_event(Finished(TASK)) is None
    assert error_in(stored(error_event(Finished(TASK)))) is None


@pytest.mark.parametrize("kind", ErrorKind)
@pytest.mark.parametrize(("retry_after", "key_refused"), [(None, False), (7.5, True)])
def test_the_facts_of_an_error_survive(kind, retry_after, key_refused):
    facts = ErrorFacts(
        kind,
        "What happened.",
        retry_after=retry_after,
        key_refused=key_refused,
        runway_task_id="t1",
        summary="In short",
        next_step="Do",
    )
    event = error_event(GaveUp(facts))
    assert set(event) == set(ErrorEvent.__annotations__)
    assert stored(event) == event
    assert error_in(stored(event)) == facts
    assert type(error_of(error_in(stored(event)))) is type(error_of(facts))


def test_the_last_reading_travels_without_links_and_without_foreign_text():
    task = RunwayTask(
        "t1",
        TaskStatus.RUNNING,
        output=("https://e/x.mp4?_jwt=secret",),
        progress=0.5,
        created_at="2026-11-01T00:00:00Z",
        failure="a secret plot was refused",
        estimated_credits=25.0,
        raw_status="secret",
    )
    event = error_event(GaveUp(ErrorFacts(ErrorKind.TASK_TIMEOUT, "Late.", task=task, status=200)))
    assert "secret" not in json.dumps(event)
    bare = RunwayTask(
        "t1", TaskStatus.RUNNING, progress=0.5, created_at="2026-11-01T00:00:00Z", estimated_credits=25.0
    )
    assert error_in(stored(event)) == ErrorFacts(ErrorKind.TASK_TIMEOUT, "Late.", task=bare)


@pytest.mark.parametrize("reading", [None, "x", 7, [], {}, {"id": "t1"}, {"id": "t1", "status": "TOMORROW"}])
def test_a_reading_of_another_form_is_none(reading):
    assert error_in({"kind": "task_timeout", "message": "Late.", "task": reading}).task is None


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("RunwayTaskTimeoutError", ErrorKind.TASK_TIMEOUT),
        ("RunwayTaskLostError", ErrorKind.TASK_LOST),
        ("RunwayOutputMissingError", ErrorKind.OUTPUT_MISSING),
        ("RunwayReadRefusedError", ErrorKind.READ_REFUSED),
        ("RunwayConfigurationError", ErrorKind.CONFIGURATION),
        ("RunwayReadError", ErrorKind.READ),
        ("SomethingElse", ErrorKind.READ),
    ],
)
def test_an_event_of_0_1_0_named_a_class(name, kind):
    error = error_in(stored({"type": name, "message": "What happened."}))
    assert error == ErrorFacts(kind, "What happened.")
    if kind is not ErrorKind.READ:
        assert type(error_of(error)).__name__ == name


def test_a_kind_of_a_newer_version_is_some_error():
    error = error_in({"kind": "a_kind_of_tomorrow", "message": "x", "colour": "blue"})
    assert error == ErrorFacts(ErrorKind.OTHER, "x")
    assert error.kind.a_retry_may_help


@pytest.mark.parametrize(
    "event", [{}, {"message": None}, {"kind": None}, {"kind": ["read"]}, {"type": ["x"]}]
)
def test_whatever_is_missing_or_odd_has_a_default(event):
    error = error_in(event)
    assert error.kind in {ErrorKind.READ, ErrorKind.OTHER}
    assert (error.retry_after, error.key_refused) == (None, False)


@pytest.mark.parametrize("event", [None, "", "x", 7, []])
def test_what_is_no_error_is_none(event):
    assert error_in(event) is None
