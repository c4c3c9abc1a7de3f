"""Facts, and the exceptions that are made of them: one class per kind, and the way back."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from unit.core.raising import raises

from airflow_runway import exceptions
from airflow_runway.core.facts import CoreError, ErrorFacts, ErrorKind, core_error, kind_named
from airflow_runway.core.models import RunwayTask, TaskStatus
from airflow_runway.exceptions import RunwayError, error_of, runway_errors

CLASSES = [getattr(exceptions, name) for name in exceptions.__all__]
#: They are caught and never raised: each collects others.
COLLECTING = {
    "RunwayError", "RunwaySubmissionError", "RunwayTaskError", "RunwayTaskFailureError", "RunwayLostAnswerError",
}  # fmt: skip
TASK = RunwayTask("t1", TaskStatus.FAILED, failure_code="INTERNAL")
every_kind = pytest.mark.parametrize("kind", ErrorKind)


def facts(kind, **fields):
    more = {
        "summary": "In short",
        "next_step": "Do",
        "task": TASK,
        "status": 429,
        "retry_after": 7.0,
        "key_refused": True,
        "runway_task_id": "t9",
    }
    return ErrorFacts(kind, "What happened.", **{**more, **fields})


@every_kind
def test_each_kind_has_exactly_one_class(kind):
    own = [error for error in CLASSES if error.__name__ not in COLLECTING and error.kind is kind]
    if kind is ErrorKind.OTHER:
        assert own == []
        assert type(error_of(facts(kind))) is RunwayError
    else:
        assert own == [type(error_of(facts(kind)))]


@pytest.mark.parametrize("name", sorted(COLLECTING))
def test_a_class_that_only_collects_others_has_no_kind_of_its_own(name):
    assert getattr(exceptions, name)("x").facts.kind is ErrorKind.OTHER


@every_kind
def test_a_retry_may_help_unless_airflow_is_to_fail_at_once(kind):
    assert kind.a_retry_may_help == (not isinstance(error_of(facts(kind)), AirflowFailException))


@every_kind
def test_facts_become_an_error_and_facts_again(kind):
    error = error_of(facts(kind))
    assert error.facts == facts(kind)
    assert (error.task, error.status, error.retry_after, error.key_refused) == (TASK, 429, 7.0, True)
    assert error.runway_task_id == "t9"
    assert error.message == str(error.facts) == "What happened."
    assert error.headline == "In short. Do."


@every_kind
def test_what_core_raises_leaves_it_as_the_class_of_its_kind(kind):
    with pytest.raises(RunwayError) as caught, runway_errors():
        raise CoreError(facts(kind))
    assert type(caught.value) is type(error_of(facts(kind)))
    assert caught.value.facts == facts(kind)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_it_may_stand_around_a_function_too():
    @runway_errors()
    def refused():
        raise core_error(ErrorKind.MEDIA_REFUSED, "No.")

    for _ in range(2):
        with pytest.raises(exceptions.RunwayMediaRefusedError, match="No"):
            refused()


@pytest.mark.parametrize("other", [ValueError("x"), exceptions.RunwayReadError("x"), KeyboardInterrupt()])
def test_other_errors_pass_as_they_are(other):
    with pytest.raises(type(other)) as caught, runway_errors():
        raise other
    assert caught.value is other


def test_a_core_error_carries_what_it_was_given():
    with raises(ErrorKind.READ, "busy") as caught:
        raise core_error(ErrorKind.READ, "It is busy.", retry_after=5.0, status=503)
    assert caught.value.facts == ErrorFacts(ErrorKind.READ, "It is busy.", retry_after=5.0, status=503)


@every_kind
def test_judged_otherwise_the_facts_stay(kind):
    assert facts(ErrorKind.OTHER).of_kind(kind) == facts(kind)


@every_kind
def test_a_kind_is_known_by_its_word(kind):
    assert kind_named(kind.value) is kind
    assert kind_named(str(kind)) is kind


@pytest.mark.parametrize("word", ["a_kind_of_tomorrow", "", "READ", None, 7, 0.5, True, ["read"], {}])
def test_a_word_of_another_version_is_some_other_kind(word):
    assert kind_named(word) is ErrorKind.OTHER


def test_facts_without_more_claim_nothing():
    bare = ErrorFacts(ErrorKind.READ, "x")
    assert (bare.task, bare.status, bare.retry_after, bare.key_refused) == (None, None, None, False)
