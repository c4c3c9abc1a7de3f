from __future__ import annotations

from datetime import timedelta

import pytest

pytest.importorskip("airflow.sdk.definitions.retry_policy", reason="retry policies came with Airflow 3.3")

from airflow.sdk import RetryAction

from airflow_runway import exceptions
from airflow_runway.exceptions import (
    RunwayNotAcceptedError,
    RunwayReadError,
    RunwayStoppedError,
    RunwayTransferError,
    RunwayTransientFailureError,
)
from airflow_runway.models import RunwayTask, TaskStatus
from airflow_runway.retry_policy import RunwayRetryPolicy

SOON, LATER = timedelta(minutes=1), timedelta(minutes=10)


def failed(code):
    return RunwayTransientFailureError("x", task=RunwayTask("t1", TaskStatus.FAILED, failure_code=code))


@pytest.mark.parametrize(
    ("error", "delay"),
    [
        (RunwayNotAcceptedError("limit", status=429), LATER),
        (RunwayNotAcceptedError("limit", status=429, retry_after=90), timedelta(seconds=90)),
        (RunwayNotAcceptedError("no connection"), SOON),
        (RunwayReadError("busy", retry_after=5), timedelta(seconds=5)),
        (RunwayStoppedError("evicted"), SOON),
        (RunwayTransferError("broke off"), SOON),
        (failed("INTERNAL"), SOON),
        (failed("INTERNAL.BAD_OUTPUT.01"), SOON),
        (failed("THIRD_PARTY.UNAVAILABLE"), LATER),
        (RunwayTransientFailureError("x"), SOON),
        (RunwayNotAcceptedError("limit", status=429, retry_after=0.0), timedelta(0)),
    ],
)
def test_what_is_retried_and_when(error, delay):
    decision = RunwayRetryPolicy().evaluate(error, 1, 3)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay == delay
    assert type(error).__name__ in decision.reason


@pytest.mark.parametrize("name", exceptions.__all__)
def test_every_error_of_ours_has_a_verdict(name):
    error = getattr(exceptions, name)("What happened.")
    decision = RunwayRetryPolicy().evaluate(error, 1, 3)
    stops = isinstance(error, exceptions.AirflowFailException)
    assert decision.action is (RetryAction.FAIL if stops else RetryAction.RETRY)


def test_what_is_not_ours_is_left_to_airflow():
    assert RunwayRetryPolicy().evaluate(ValueError("x"), 1, 3).action is RetryAction.DEFAULT


def test_the_pauses_are_the_authors():
    policy = RunwayRetryPolicy(soon=timedelta(seconds=2), later=timedelta(hours=1))
    assert policy.evaluate(failed("INTERNAL"), 1, 3).retry_delay == timedelta(seconds=2)
    assert policy.evaluate(RunwayNotAcceptedError("x", status=503), 1, 3).retry_delay == timedelta(hours=1)
