from __future__ import annotations

import inspect

import pytest
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException

from airflow_runway import exceptions
from airflow_runway.exceptions import (
    RunwayError,
    RunwayTaskFailedError,
    RunwayTaskFailureError,
    RunwayTransientFailureError,
)

CLASSES = [getattr(exceptions, name) for name in exceptions.__all__]
#: What a retry can mend, at no risk of paying twice.
RETRIED = {
    "RunwayError", "RunwayNotAcceptedError", "RunwayReadError", "RunwaySubmissionError", "RunwayTaskError",
    "RunwayTransferError", "RunwayBatchIncompleteError", "RunwayMediaError", "RunwayJournalError",
    "RunwayTransientFailureError", "RunwayTaskFailureError", "RunwayStoppedError", "RunwayLostAnswerError",
    "RunwayEvidencePendingError",
}  # fmt: skip


def test_every_class_is_exported():
    defined = {
        name
        for name, value in vars(exceptions).items()
        if inspect.isclass(value) and value.__module__ == exceptions.__name__
    }
    assert defined == set(exceptions.__all__)


@pytest.mark.parametrize("error", CLASSES, ids=lambda error: error.__name__)
class TestEachClass:
    def test_it_is_in_the_tree_that_the_docstring_draws(self, error):
        assert issubclass(error, RunwayError)
        (line,) = [
            line
            for line in exceptions.__doc__.splitlines()
            if line.strip("│├└─ ").split(" ")[0] == error.__name__
        ]
        assert ("  x  " in line or line.rstrip().split(error.__name__)[1].strip().startswith("x ")) == (
            error.__name__ not in RETRIED
        )

    def test_airflow_retries_it_only_where_that_can_help(self, error):
        assert issubclass(error, AirflowFailException) == (error.__name__ not in RETRIED)
        # Otherwise a sensor would be skipped by it in one mode and fail in another.
        assert issubclass(error, AirflowException) == issubclass(error, AirflowFailException)

    def test_it_says_what_a_retry_does_or_costs(self, error):
        if error is not RunwayError and not issubclass(error, tuple(error.__subclasses__()) or (type(None),)):
            assert any(word in error.__doc__ for word in ("etr", "cost", "charge", "did not end well"))

    def test_it_can_be_made_from_a_sentence_alone(self, error):
        made = error("What happened.")
        assert made.message == "What happened."
        happened, step, what, *_ = str(made).splitlines()
        assert (f"{happened} {step}", what) == (made.headline, "What: What happened.")


def test_of_a_failed_generation_both_errors_are_caught_by_one_class():
    assert set(RunwayTaskFailureError.__subclasses__()) == {
        RunwayTaskFailedError,
        RunwayTransientFailureError,
    }


def test_the_tree_of_the_docstring_is_the_tree_of_the_classes():
    parents, drawn = [], {}
    for line in exceptions.__doc__.splitlines():
        name = line.strip("│├└─ ").split(" ")[0]
        if name in exceptions.__all__ and (line.startswith("    ")):
            depth = (line.index(name) - 4) // 4
            parents[depth:] = [name]
            drawn[name] = parents[depth - 1] if depth else None
    real = {error.__name__: error.__base__.__name__ for error in CLASSES}
    assert drawn == {**real, "RunwayError": None}
