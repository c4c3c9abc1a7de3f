"""What can be told of a generation that nobody has seen, or that cannot be seen from here; for the person on call."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_runway.core.journal.submission import AccountMatch, Elsewhere
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayConfigurationError,
    RunwayError,
    RunwayJournalError,
)
from airflow_runway.stores.files import JournalFolderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_runway.core.journal.submission import Record, TryLater
    from airflow_runway.hooks._ports import SubmittingHook
    from airflow_runway.stores.folder import TaskFolder

_ENTRY = 'this task\'s state entry "runway_submission"'


def clock(seconds: float) -> str:
    """A wall clock in words.

    :param seconds: since the epoch.
    """
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def lost_answer(
    hook: SubmittingHook, record: Record, payload: Mapping[str, object], folder: TaskFolder | None = None
) -> RunwayAmbiguousSubmissionError:
    """The error of a try that finds the lost answer of an earlier one.

    :param hook: the connection.
    :param record: the open intent.
    :param payload: the JSON body.
    :param folder: the journal folder, where the journal is kept in one.
    """
    return RunwayAmbiguousSubmissionError(
        f"{never_answered(hook, record)} {evidence(hook, record, payload, folder)}",
        runway_task_id=record.runway_task_id,
        summary="An earlier try's answer was lost",
    )


def never_answered(hook: SubmittingHook, record: Record) -> str:
    """What a try says that finds the lost answer of an earlier one.

    :param hook: the connection.
    :param record: the open intent.
    """
    named = (
        f", but an error that names Runway task {record.runway_task_id}, which the gateway does not know"
        if record.runway_task_id
        else ""
    )
    return (
        f"An earlier try of this task sent a request to {record.route} of {hook.settings.gateway.title} at "
        f"{clock(record.sent_at)} and never got to see the answer{named}: a generation may exist and may have been "
        "charged. Nothing was sent now."
    )


def evidence(
    hook: SubmittingHook, record: Record, payload: Mapping[str, object], folder: TaskFolder | None = None
) -> str:
    """What can be known without an id, and what to do.

    :param hook: the connection.
    :param record: the open intent.
    :param payload: the JSON body.
    :param folder: the journal folder, where the journal is kept in one.
    """
    parts = []
    now = hook.account_figures(payload.get("model")) if record.evidence else {}
    before = {name: value for name, value in record.evidence.items() if name in now}
    if before and hook.account.compared_with(record.account) is not AccountMatch.OTHER:
        moved = any(now[name] != value for name, value in before.items())
        parts.append(
            f"Evidence, no proof while others submit too: the account showed {_figures(before)} before "
            f"and shows {_figures(now)} now, so a generation was {'most likely' if moved else 'probably not'} "
            "accepted."
        )
    if record.token:
        parts.append(f"A callback whose address holds {record.token} would carry its id.")
    parts.append(_to_decide(folder))
    return " ".join(parts)


def _to_decide(folder: TaskFolder | None) -> str:
    if folder is None:
        return (
            "To decide: look for it in the request history. If it is not there, clear this task with "
            f'on_ambiguous_submit="resubmit", or delete {_ENTRY}, and it is sent again.'
        )
    words = shlex.join(folder.task.words())
    return (
        "To decide: look for it in the request history. If it is there, run: airflow-runway recover attach ID "
        f"{words}; if it is not: airflow-runway recover forget {words} --yes. Then clear this task: the first picks "
        "it up and pays nothing, after the second it is sent again."
    )


def could_not_be_read(decision: TryLater, trouble: Exception | None) -> RunwayError:
    """The error of a try that does not know enough to send anything.

    :param decision: says what could not be read.
    :param trouble: why the journal could not be.
    """
    if isinstance(trouble, RunwayConfigurationError):
        return trouble
    why = f": {trouble}" if isinstance(trouble, JournalFolderError) else ""
    return RunwayJournalError(
        f"Nothing was sent and nothing was charged: {decision.reason}{why}. A retry looks again.",
        summary=decision.reason,
    )


def elsewhere(
    hook: SubmittingHook, decision: Elsewhere, folder: TaskFolder | None = None
) -> RunwayJournalError:
    """The error of a try that does not find the generation, on another account than accepted it.

    :param hook: the connection.
    :param decision: the record, and how the accounts differ.
    :param folder: the journal folder, where the journal is kept in one.
    """
    record = decision.record
    accepted = f"Runway task {record.runway_task_id}, submitted at {clock(record.sent_at)} over connection "
    accepted += f"{hook.runway_conn_id!r}"
    if record.account is None:
        accepted += (
            f", is not known at {hook.account.origin}. It was recorded by version 0.1.0, which did not note the "
            "account: it may belong to an API key or Base URL that the connection had before"
        )
    elif record.account.origin == hook.account.origin:
        accepted += (
            f" at {record.account.origin}, is not known there with the API key that the connection holds now; "
            "it was accepted with another one, or under another path of the Base URL"
        )
    else:
        accepted += (
            f" at {record.account.origin}, is not known at {hook.account.origin}, which the connection's Base URL "
            "is now"
        )
    return RunwayJournalError(
        f"Nothing was sent and nothing was charged: {accepted}. It may run on and be charged there. A retry looks "
        "again: give the connection its earlier key and Base URL back until this task has ended. To give the "
        'generation up and pay for another one, clear this task with on_clear="regenerate"'
        f"{f', or delete {_ENTRY}' if folder is None else ''}.",
        runway_task_id=record.runway_task_id,
        summary=f"Runway task {record.runway_task_id} is not this account's",
        next_step="Give the connection its earlier key back",
    )


def lost_elsewhere(hook: SubmittingHook, record: Record) -> RunwayJournalError | None:
    """The error of a wait that does not find the generation, on another account than accepted it.

    :param hook: the connection.
    :param record: of the generation.
    :returns: ``None`` on the account that accepted it, or where 0.1.0 did not note which that was.
    """
    account = hook.account.compared_with(record.account)
    return elsewhere(hook, Elsewhere(record, account)) if account is AccountMatch.OTHER else None


def still_open(records: Iterable[Record], folder: TaskFolder | None = None) -> str:
    """Lost answers, in words; empty where there are none.

    :param records: the open intents.
    :param folder: the journal folder, where the journal is kept in one.
    """
    told = [
        f"to {record.route} at {clock(record.sent_at)}"
        + (f" (an error named Runway task {record.runway_task_id})" if record.runway_task_id else "")
        + (f" (token {record.token})" if record.token else "")
        for record in records
    ]
    if not told:
        return ""
    return (
        f"Never answered, of earlier submissions by this task: {'; '.join(told)}. Each may exist and may have been "
        f"charged. They are kept in {_ENTRY if folder is None else folder.url}."
    )


def _figures(account: Mapping[str, float]) -> str:
    return ", ".join(f"{value:g} {name}" for name, value in account.items())
