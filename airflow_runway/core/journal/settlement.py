"""What becomes of a batch's item when its generation is read once more."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.journal.item import State
from airflow_runway.core.limits import NOT_VISIBLE_GRACE
from airflow_runway.core.models import CancelOutcome, TaskStatus
from airflow_runway.core.polling.decisions import Finished, GaveUp
from airflow_runway.core.protocol.endings import Cancelled, Failed, NotEnded, NotFound, Succeeded, ending_of

if TYPE_CHECKING:
    from airflow_runway.core.journal.item import Item
    from airflow_runway.core.models import RunwayTask

#: What a trigger can report that the server's own status does not tell.
_ENDS_WITHOUT_A_RESULT = frozenset({ErrorKind.TASK_LOST, ErrorKind.OUTPUT_MISSING})


@dataclass(frozen=True, slots=True)
class Settlement:
    """An item after a reading."""

    item: Item
    #: How the wait for it ended; ``None`` if it has not, and the item is as it was.
    decision: Finished | GaveUp | None = None


@dataclass(frozen=True, slots=True)
class Begins:
    """The beginning of another try."""

    #: Wall clock, seconds since the epoch.
    now: float
    #: The number of the try.
    number: int


def settlement_of(
    item: Item,
    task: RunwayTask,
    error: ErrorFacts | None = None,
    *,
    to_be_saved: bool,
    begins: Begins | None = None,
) -> Settlement:
    """What becomes of an item.

    :param item: as recorded, running.
    :param task: the reading.
    :param error: why the trigger gave up waiting for it; ``None`` if it did not.
    :param to_be_saved: whether outputs are stored afterwards.
    :param begins: given where another try begins, and no trigger has watched: what the server no longer knows was
        cancelled, unless it was accepted so short a while ago that the server may not show it yet; what runs on is of
        that try from now on. An id that only an error named is taken up where the server knows it.
    """
    if item.is_named and task.status.is_sighting:
        item = replace(item, state=State.RUNNING, taken_up=True)
    match ending_of(task):
        case Succeeded():
            state = State.UNSAVED if to_be_saved else State.SUCCEEDED
            return Settlement(item.ended(state, charged=task.cost_credits), Finished(task))
        case Failed(error=failure, retryable=retryable, moderated=moderated):
            state = State.MODERATED if moderated else State.FAILED
            ended = item.ended(state, note=str(failure), may_pass=retryable, charged=task.cost_credits)
            return Settlement(ended, Finished(task))
        case Cancelled(error=cancellation):
            ended = item.ended(State.FAILED, note=str(cancellation), charged=task.cost_credits)
            return Settlement(ended, Finished(task))
        case NotEnded() if begins is not None:
            return Settlement(replace(item, sent_in=begins.number))
    if item.is_named:
        is_gone = begins and not task.status.is_sighting and begins.now - item.sent_at >= NOT_VISIBLE_GRACE
        return Settlement(item.unnamed("the gateway does not know") if is_gone else item)
    if begins and task.status is TaskStatus.GONE and begins.now - item.sent_at >= NOT_VISIBLE_GRACE:
        error = ErrorFacts(
            ErrorKind.TASK_LOST,
            f"Runway task {task.id} is no longer known to the server: it was cancelled or deleted.",
            task=task,
        )
    if error is not None and error.kind is ErrorKind.TASK_LOST and task.status.is_sighting:
        # Seen again: the trigger looked while the connection was another one.
        return Settlement(item)
    if error is not None and error.kind in _ENDS_WITHOUT_A_RESULT:
        return Settlement(item.ended(State.FAILED, note=error.message), GaveUp(error))
    return Settlement(item)


def is_over(item: Item, outcome: CancelOutcome, now: float) -> bool:
    """Whether nothing comes of a generation any more after it was to be cancelled.

    What is not found was cancelled before, unless it was accepted so short a while ago that the server may not show
    it yet: then it may run on.

    :param item: as recorded, running.
    :param outcome: what came of the cancellation.
    :param now: wall clock, seconds since the epoch.
    """
    if outcome is CancelOutcome.NOT_FOUND:
        return now - item.sent_at >= NOT_VISIBLE_GRACE
    return outcome is CancelOutcome.CANCELLED


def stored(item: Item, task: RunwayTask | None, error: ErrorFacts | None) -> Item:
    """What becomes of an item that has succeeded, and whose outputs were to be stored.

    What is gone is looked for again whenever outputs are stored, since that is free: servers err.

    :param item: as recorded, unsaved or gone.
    :param task: the last reading; ``None`` if there was none.
    :param error: why they were not stored; ``None`` if they were.
    """
    if error is None:
        return item.ended(State.SUCCEEDED)
    if task is None:
        return item.ended(item.state, note=error.message)
    is_gone = isinstance(ending_of(task), NotFound | Cancelled | Failed)
    return item.ended(State.GONE if is_gone else State.UNSAVED, note=error.message)
