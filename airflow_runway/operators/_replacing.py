"""What becomes of generations that another one replaces (decision 18): cancelled once that one is recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.core.models import CancelOutcome
from airflow_runway.operators._evidence import clock

if TYPE_CHECKING:
    from airflow_runway.core.journal.submission import Record, Submit, Unreadable
    from airflow_runway.hooks._ports import CancelsTasks
    from airflow_runway.stores.submission import SubmissionStore
    from airflow_runway.telemetry import Log


def tell_of_current(store: SubmissionStore, found: Record | Unreadable | None, log: Log) -> None:
    """Say that what a task stood for is not what it is asked for now.

    :param store: the task's journal.
    :param found: the record that counts now.
    :param log: the task's log.
    """
    current = store.record
    if current is not None and current is not found and not current.is_open:
        log.warning(
            "Runway task %s, submitted at %s, was for another request of this task; it is left alone and, where "
            "it still runs, charged.",
            current.runway_task_id,
            clock(current.sent_at),
        )


def replaced_by(store: SubmissionStore, decision: Submit, log: Log) -> tuple[str, ...]:
    """What is to be cancelled once a new generation is recorded; says what is not.

    :param store: the task's journal.
    :param decision: to submit.
    :param log: the task's log.
    """
    if decision.leaves:
        log.warning(
            "Runway task %s, which an earlier request of this task made, is not cancelled: %s. It may run on and "
            "is charged; note its id.",
            decision.leaves,
            "only an error named it, so that it may be another task's"
            if store.history.is_doubtful(decision.leaves)
            else "the index of a mapped task may have moved, so that it is another one's"
            if store.is_mapped
            else "the connection's account is another one now, or it is not known which it was",
        )
    carried = store.record.replaces if store.record else ()
    return tuple(dict.fromkeys(filter(None, (*carried, decision.replaces))))


def cancel_replaced(hook: CancelsTasks, store: SubmissionStore, log: Log) -> None:
    """Cancel what the current generation replaces, now that it is recorded; a crash leaves it to the next try.

    Cancelling reads first: what today's account does not know is not touched.

    :param hook: the connection.
    :param store: the task's journal.
    :param log: the task's log.
    """
    record = store.record
    if store.is_cut_off or record is None:
        return
    cancelled, left = [], []
    for old in record.replaces:
        outcome = hook.cancel_task(old)
        if outcome is CancelOutcome.CANCELLED:
            cancelled.append(old)
        elif outcome is CancelOutcome.UNKNOWN:
            left.append(old)
        log.warning(
            "Runway task %s was for an earlier request of this task; it %s.",
            old,
            "was cancelled"
            if outcome is CancelOutcome.CANCELLED
            else f"may run on ({outcome}) and is charged",
        )
    if record.replaces != tuple(left):
        store.replaced(cancelled, tuple(left))
