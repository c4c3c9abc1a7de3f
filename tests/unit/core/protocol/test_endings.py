"""One meaning of a reading, for whoever waits, saves, chains or settles."""

from __future__ import annotations

import pytest

from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.models import RunwayTask, TaskStatus
from airflow_runway.core.protocol.endings import Cancelled, Failed, NotEnded, NotFound, Succeeded, ending_of

CLASSES = {
    TaskStatus.PENDING: NotEnded,
    TaskStatus.THROTTLED: NotEnded,
    TaskStatus.RUNNING: NotEnded,
    TaskStatus.SUCCEEDED: Succeeded,
    TaskStatus.FAILED: Failed,
    TaskStatus.CANCELLED: Cancelled,
    TaskStatus.NOT_VISIBLE: NotFound,
    TaskStatus.GONE: NotFound,
    TaskStatus.OUTPUT_MISSING: NotEnded,
    TaskStatus.UNKNOWN: NotEnded,
}


def failed(code=None, **fields):
    return RunwayTask("t1", TaskStatus.FAILED, failure_code=code, **fields)


@pytest.mark.parametrize("status", TaskStatus)
def test_every_status_has_one_ending(status):
    task = RunwayTask("t1", status)
    ending = ending_of(task)
    assert type(ending) is CLASSES[status]
    assert ending.task is task


@pytest.mark.parametrize("status", TaskStatus)
def test_only_the_servers_last_word_is_an_end(status):
    assert status.is_final == isinstance(ending_of(RunwayTask("t1", status)), Succeeded | Failed | Cancelled)


@pytest.mark.parametrize(
    ("code", "retryable", "moderated"),
    [
        ("SAFETY", False, True),
        ("SAFETY.INPUT.TEXT", False, True),
        ("SAFETY.OUTPUT.VIDEO", False, True),
        ("safety.input.image", False, True),
        ("INPUT_PREPROCESSING.SAFETY.TEXT", False, True),
        ("INTERNAL.SAFETY", False, True),
        ("ASSET", False, False),
        ("ASSET.INVALID", False, False),
        ("INTERNAL", True, False),
        ("INTERNAL.ANYTHING", True, False),
        ("INTERNAL.BAD_OUTPUT", True, False),
        ("INTERNAL.BAD_OUTPUT.CODE01", True, False),
        ("INPUT_PREPROCESSING.INTERNAL", True, False),
        ("INPUT_PREPROCESSING.OTHER", False, False),
        ("THIRD_PARTY.UNAVAILABLE", True, False),
        ("THIRD_PARTY.OTHER", False, False),
        ("INTERNALS", False, False),
        ("UNSAFETY", False, False),
        ("NEW.CODE", False, False),
        ("", False, False),
        (None, False, False),
    ],
)
def test_what_a_failure_code_means_for_another_try(code, retryable, moderated):
    ending = ending_of(failed(code))
    assert (ending.retryable, ending.moderated) == (retryable, moderated)
    assert ending.error.kind is ErrorKind.TASK_FAILED


class TestMessages:
    def test_failure_tells_reason_code_and_cost(self):
        task = failed("SAFETY.INPUT.TEXT", failure="Flagged.", cost_credits=0)
        error = ending_of(task).error
        assert error.kind is ErrorKind.TASK_FAILED
        assert error.task is task
        assert "t1 failed (SAFETY.INPUT.TEXT): Flagged. The gateway charged 0 credits." in str(error)

    def test_cancellation_says_so(self):
        task = RunwayTask("t1", TaskStatus.CANCELLED)
        error = ending_of(task).error
        assert error.kind is ErrorKind.TASK_CANCELLED
        assert error.task is task
        assert "Runway task t1 was cancelled." in str(error)
        assert "an amount it did not tell" in str(error)
        assert "to pay for another generation" in str(error)

    def test_without_reason_and_code_it_says_that_none_was_given(self):
        assert "Runway task t1 failed: no reason given. The gateway charged an amount" in str(
            ending_of(failed()).error
        )

    @pytest.mark.parametrize(
        ("cost", "words"),
        [
            (None, "an amount it did not tell"), (0, "charged 0 credits"), (25.0, "charged 25 credits"),
            (0.5, "charged 0.5 credits"),
        ],
    )  # fmt: skip
    def test_the_cost_is_the_servers(self, cost, words):
        assert words in str(ending_of(failed("INTERNAL", cost_credits=cost)).error)

    @pytest.mark.parametrize(
        ("code", "remedy"),
        [
            ("SAFETY.INPUT.IMAGE", "Change the input: the same one is refused again"),
            ("ASSET.INVALID", "Correct the media or the fields"),
            ("INTERNAL", "Clear the submitting task to pay for another generation."),
            ("NEW.CODE", "Clear the submitting task to pay for another generation."),
        ],
    )
    def test_the_remedy_fits_the_cause(self, code, remedy):
        assert remedy in str(ending_of(failed(code)).error)
