"""What a person has settled, told to whom it concerns: the budgets it counts in, and who asks the same router."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway._recover.journals import journal_here
from airflow_runway.core.journal.bounds import millionths
from airflow_runway.core.journal.budgets import Standing, Word, reservation_of
from airflow_runway.core.redaction import redact
from airflow_runway.stores.budgets import Ledgers, of_day, of_run
from airflow_runway.stores.routers import RouterNotes

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_runway.core.journal.entries import TaskKey
    from airflow_runway.core.journal.record import Record
    from airflow_runway.stores.files import Files


def tell_forgotten(task: TaskKey, record: Record) -> str:
    """A submission was never accepted: nothing is reserved for it any more, and no router's list can name it.

    :param task: whose it is.
    :param record: of the submission.
    :returns: a sentence where that could not be told; else empty.
    """
    return _tell(
        lambda files: _follow(files, task, record, Word.WITHDRAWN, None),
        lambda files: RouterNotes(files, record.router, task).void(record),
        record,
    )


def tell_attached(task: TaskKey, record: Record, runway_task_id: str, estimated: float | None) -> str:
    """A generation was found: it counts in the place of what was reserved, and no other task takes it up.

    :param task: whose it is.
    :param record: of the submission.
    :param runway_task_id: of the generation.
    :param estimated: credits; ``None`` = not told.
    :returns: a sentence where that could not be told; else empty.
    """
    amount = None if estimated is None else millionths(estimated)
    return _tell(
        lambda files: _follow(files, task, record, Word.ACCEPTED, amount),
        lambda files: RouterNotes(files, record.router, task).hold(record, runway_task_id),
        record,
    )


def _tell(budget: Callable[[Files], None], router: Callable[[Files], None], record: Record) -> str:
    journal = journal_here() if record.kind or record.router else None
    if journal is None:
        return ""
    said = ""
    if record.kind:
        said += _told(
            budget, journal.files, "Its budget could not be told, and still counts what was reserved"
        )
    if record.router:
        said += _told(
            router, journal.files, "Others through its router could not be told, and take it for open still"
        )
    return said


def _told(tell: Callable[[Files], None], files: Files, otherwise: str) -> str:
    try:
        tell(files)
    except Exception as error:
        return f" {otherwise}: {redact(error, limit=200)}."
    return ""


def _follow(files: Files, task: TaskKey, record: Record, word: Word, amount: int | None) -> None:
    ledgers, own = Ledgers(files), reservation_of(task, record.sent_at, record.fingerprint, record.kind)
    places = [of_run(task), of_day(record.sent_at, dag_id=task.dag_id)]
    if record.team_name:
        places.append(of_day(record.sent_at, team_name=record.team_name))
    for ledger in places:
        for before in ledgers.standings(ledger):
            after = Standing(own, word, before.amount if amount is None else amount)
            if before.reservation == own and after.follows(before):
                ledgers.follow(ledger, before, after, task)
