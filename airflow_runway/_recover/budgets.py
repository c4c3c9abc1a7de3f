"""What a person has settled, told to the budgets that it counts in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway._recover.journals import journal_here
from airflow_runway.core.journal.bounds import millionths
from airflow_runway.core.journal.budgets import Standing, Word, reservation_of
from airflow_runway.core.redaction import redact
from airflow_runway.stores.budgets import Ledgers, of_day, of_run

if TYPE_CHECKING:
    from airflow_runway.core.journal.entries import TaskKey
    from airflow_runway.core.journal.record import Record


def withdraw(task: TaskKey, record: Record) -> str:
    """Release what is reserved for a submission that was never accepted.

    :param task: whose it is.
    :param record: of the submission.
    :returns: a sentence where that could not be done; else empty.
    """
    return _follow(task, record, Word.WITHDRAWN, None)


def accept(task: TaskKey, record: Record, estimated: float | None) -> str:
    """Let a generation that was found count in the place of what was reserved for it.

    :param task: whose it is.
    :param record: of the submission.
    :param estimated: credits; ``None`` = not told.
    :returns: a sentence where that could not be done; else empty.
    """
    return _follow(task, record, Word.ACCEPTED, None if estimated is None else millionths(estimated))


def _follow(task: TaskKey, record: Record, word: Word, amount: int | None) -> str:
    journal = journal_here() if record.kind else None
    if journal is None:
        return ""
    ledgers, own = (
        Ledgers(journal.files),
        reservation_of(task, record.sent_at, record.fingerprint, record.kind),
    )
    places = [of_run(task), of_day(record.sent_at, dag_id=task.dag_id)]
    if record.team_name:
        places.append(of_day(record.sent_at, team_name=record.team_name))
    try:
        for ledger in places:
            for before in ledgers.standings(ledger):
                after = Standing(own, word, before.amount if amount is None else amount)
                if before.reservation == own and after.follows(before):
                    ledgers.follow(ledger, before, after, task)
    except Exception as error:
        return (
            f" Its budget could not be told, and still counts what was reserved: {redact(error, limit=200)}."
        )
    return ""
