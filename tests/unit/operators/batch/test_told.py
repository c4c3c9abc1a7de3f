"""The report of a batch's item: the whole error, not the note that is recorded of it."""

from __future__ import annotations

import pytest

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.journal.settlement import Settlement
from airflow_runway.core.models import RunwayTask, TaskStatus
from airflow_runway.core.polling.decisions import Finished, GaveUp
from airflow_runway.exceptions import (
    RunwayTaskCancelledError,
    RunwayTaskFailedError,
    RunwayTaskLostError,
    RunwayTransientFailureError,
)
from airflow_runway.operators._batch.settling import _told


def ended(status, code=None):
    return Finished(RunwayTask("t1", status, failure="because", failure_code=code))


@pytest.mark.parametrize(
    ("decision", "error"),
    [
        (ended(TaskStatus.FAILED, "SAFETY.INPUT.TEXT"), RunwayTaskFailedError),
        (ended(TaskStatus.FAILED, "INTERNAL"), RunwayTransientFailureError),
        (ended(TaskStatus.CANCELLED), RunwayTaskCancelledError),
        (GaveUp(ErrorFacts(ErrorKind.TASK_LOST, "Gone.")), RunwayTaskLostError),
    ],
)
def test_an_item_that_did_not_end_well_has_the_report_of_its_error(decision, error):
    item = Item("k", State.RUNNING, "w").ended(State.FAILED, note="short")
    assert type(_told(Settlement(item, decision))) is error


def test_without_an_error_the_note_is_told():
    assert _told(Settlement(Item("k", State.RUNNING, "w").ended(State.FAILED, note="short"))) == "short"
