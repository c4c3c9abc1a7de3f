"""One more reading of a batch's item: what is recorded, and whether the wait has ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.journal.settlement import Begins, is_over, settlement_of, stored
from airflow_runway.core.models import CancelOutcome, RunwayTask, TaskStatus
from airflow_runway.core.polling.decisions import Finished, GaveUp

ITEM = Item("k.0", State.RUNNING, "w", runway_task_id="t1", estimated=25.0)
LOST = ErrorFacts(ErrorKind.TASK_LOST, "Runway task t1 was known and no longer is.")


def reading(status, **fields):
    return RunwayTask("t1", status, **fields)


@pytest.mark.parametrize(("to_be_saved", "state"), [(True, State.UNSAVED), (False, State.SUCCEEDED)])
def test_a_success_waits_for_its_files_where_they_are_wanted(to_be_saved, state):
    task = reading(TaskStatus.SUCCEEDED, output=("https://e/x.mp4",), cost_credits=20.0)
    settled = settlement_of(ITEM, task, to_be_saved=to_be_saved)
    assert (settled.item.state, settled.item.charged) == (state, 20.0)
    assert settled.decision == Finished(task)


@pytest.mark.parametrize(
    ("code", "state", "may_pass"),
    [
        ("SAFETY.INPUT.TEXT", State.MODERATED, False),
        ("INPUT_PREPROCESSING.SAFETY.IMAGE", State.MODERATED, False),
        ("INTERNAL", State.FAILED, True),
        ("THIRD_PARTY.UNAVAILABLE", State.FAILED, True),
        ("ASSET.INVALID", State.FAILED, False),
        (None, State.FAILED, False),
        ("SOMETHING.NEW", State.FAILED, False),
    ],
)
def test_a_failure_is_judged_by_its_code(code, state, may_pass):
    task = reading(TaskStatus.FAILED, failure_code=code, failure="No.", cost_credits=25.0)
    settled = settlement_of(ITEM, task, to_be_saved=True)
    assert (settled.item.state, settled.item.may_pass, settled.item.charged) == (state, may_pass, 25.0)
    assert "t1" in settled.item.note
    assert settled.decision == Finished(task)


def test_a_cancellation_is_a_failure_that_no_retry_mends():
    settled = settlement_of(ITEM, reading(TaskStatus.CANCELLED), to_be_saved=True)
    assert (settled.item.state, settled.item.may_pass) == (State.FAILED, False)


@pytest.mark.parametrize(
    "status", sorted(set(TaskStatus) - {TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED})
)
def test_whatever_else_is_shown_ends_nothing_by_itself(status):
    settled = settlement_of(ITEM, reading(status), to_be_saved=True)
    assert settled.item is ITEM
    assert settled.decision is None


@pytest.mark.parametrize("kind", [ErrorKind.TASK_LOST, ErrorKind.OUTPUT_MISSING])
def test_the_trigger_may_know_more_than_the_status_tells(kind):
    error = ErrorFacts(kind, "Runway task t1 is nowhere.")
    settled = settlement_of(ITEM, reading(TaskStatus.GONE), error, to_be_saved=True)
    assert (settled.item.state, settled.item.note) == (State.FAILED, error.message)
    assert settled.decision == GaveUp(error)


@pytest.mark.parametrize("kind", [ErrorKind.TASK_TIMEOUT, ErrorKind.READ_REFUSED, ErrorKind.READ])
def test_what_may_still_come_stays_on_record_as_running(kind):
    settled = settlement_of(ITEM, reading(TaskStatus.RUNNING), ErrorFacts(kind, "Hm."), to_be_saved=True)
    assert settled.item is ITEM
    assert settled.decision is None


def test_a_result_counts_more_than_the_triggers_error():
    task = reading(TaskStatus.SUCCEEDED, output=("https://e/x.mp4",))
    assert settlement_of(ITEM, task, LOST, to_be_saved=False).item.state is State.SUCCEEDED


class TestWhenATryBegins:
    """No trigger has watched: what is gone was cancelled, unless it is too young to be shown."""

    @pytest.mark.parametrize(
        ("age", "state"), [(299, State.RUNNING), (300, State.FAILED), (9000, State.FAILED)]
    )
    def test_what_is_gone(self, age, state):
        settled = settlement_of(
            ITEM, reading(TaskStatus.GONE), to_be_saved=True, begins=Begins(ITEM.sent_at + age, 2)
        )
        assert settled.item.state is state
        assert (settled.decision is None) == (state is State.RUNNING)

    def test_what_a_slow_gateway_does_not_show_is_left_to_the_trigger(self):
        settled = settlement_of(
            ITEM, reading(TaskStatus.NOT_VISIBLE), to_be_saved=True, begins=Begins(1e9, 2)
        )
        assert settled.item is ITEM

    def test_what_runs_on_is_of_that_try(self):
        settled = settlement_of(ITEM, reading(TaskStatus.RUNNING), to_be_saved=True, begins=Begins(1e9, 2))
        assert (settled.item, settled.decision) == (replace(ITEM, sent_in=2), None)


class TestStoring:
    @pytest.mark.parametrize("before", [State.UNSAVED, State.GONE])
    def test_without_an_error_it_has_succeeded(self, before):
        assert stored(replace(ITEM, state=before), None, None).state is State.SUCCEEDED

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            (TaskStatus.SUCCEEDED, State.UNSAVED),
            (TaskStatus.RUNNING, State.UNSAVED),
            (TaskStatus.UNKNOWN, State.UNSAVED),
            (TaskStatus.OUTPUT_MISSING, State.UNSAVED),
            (TaskStatus.GONE, State.GONE),
            (TaskStatus.NOT_VISIBLE, State.GONE),
            (TaskStatus.CANCELLED, State.GONE),
            (TaskStatus.FAILED, State.GONE),
        ],
    )
    @pytest.mark.parametrize("before", [State.UNSAVED, State.GONE])
    def test_with_one_it_is_gone_if_the_server_shows_no_result(self, before, status, state):
        error = ErrorFacts(ErrorKind.TRANSFER, "Runway task t1 could not be stored.")
        item = stored(replace(ITEM, state=before), reading(status), error)
        assert (item.state, item.note, item.runway_task_id) == (state, error.message, "t1")

    @pytest.mark.parametrize("before", [State.UNSAVED, State.GONE])
    def test_unread_it_stays_what_it_was(self, before):
        error = ErrorFacts(ErrorKind.READ, "No answer.")
        assert stored(replace(ITEM, state=before), None, error).state is before


@pytest.mark.parametrize(
    ("outcome", "age", "over"),
    [
        (CancelOutcome.CANCELLED, 0, True),
        (CancelOutcome.NOT_FOUND, 299, False),
        (CancelOutcome.NOT_FOUND, 300, True),
        (CancelOutcome.ALREADY_FINISHED, 999, False),
        (CancelOutcome.NOT_SUPPORTED, 999, False),
        (CancelOutcome.UNKNOWN, 999, False),
    ],
)
def test_what_is_cancelled_is_over_and_what_is_not_found_may_be_too_young(outcome, age, over):
    assert is_over(replace(ITEM, sent_at=1_000.0), outcome, 1_000.0 + age) is over
