"""What a person may settle of a submission, and what is written down then. Pure.

Where a submission stands, and who waits for it:

===============  ==================================================================================
standing         the submission ...
===============  ==================================================================================
lost answer      was never answered: a generation may exist
named            was answered by an error that holds an id
named, refused   was answered by a refusal that holds an id: the generation may be another task's
runs alone       was accepted, is not known to have ended, and no task of its own waits for it
===============  ==================================================================================

A task *waits* while it is in a state from which it can write to its journal, or begin to: whatever is not an end.
Where it has handed its generation over ("returned", or nothing), a sensor of the same run may wait, as long as the
run goes on.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from airflow_runway.core.journal.accounts import AccountMatch
from airflow_runway.core.journal.entries import Change, Word
from airflow_runway.core.journal.record import Phase, Record
from airflow_runway.core.protocol.gateways import DEFAULT_GATEWAY, GATEWAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_runway.core.journal.history import History

#: States of a task instance in which no worker and no trigger has it, and none gets it unless somebody clears it.
#: All others may write, or may begin to at any moment: queued, running, deferred, up_for_retry, none and so on.
OVER: Final = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
#: States of a run in which nothing of it is scheduled any more.
RUN_OVER: Final = frozenset({"success", "failed"})
#: Outcomes after which there is nothing left to run.
_ENDED: Final = frozenset(
    {"succeeded", "failed", "cancelled", "lost", "stopped: cancelled", "stopped: already_finished"}
)
#: Outcomes of a task that gave its generation to another one.
_HANDED_OVER: Final = frozenset({"", "returned"})
#: Seconds before the recorded moment of a POST from which a generation can be of it: clocks differ.
CREATED_BEFORE: Final = 60.0
#: Seconds after it until which one can: two tries without a connection, and one with the longest time-out that a
#: connection may have, are over by then (contracts §12).
CREATED_AFTER: Final = 1_200.0
#: Gateways whose times are of the zone that they name; those of the others may be of any (contracts §9).
_TELL_ZONES: Final = frozenset({"runway"})
_FRACTION = re.compile(r"(\.\d{6})\d+")


class Standing(StrEnum):
    """Where a submission stands: the table of this module."""

    LOST = "lost answer"
    NAMED = "named"
    REFUSED = "named, refused"
    ALONE = "runs alone"


@dataclass(frozen=True, slots=True)
class States:
    """Airflow's states of a task instance and of its run; ``None`` where they could not be found out."""

    task: str | None = None
    run: str | None = None

    @property
    def may_write(self) -> bool:
        """Whether a worker or a trigger may write to the journal, or may begin to."""
        return self.task is not None and self.task not in OVER


@dataclass(frozen=True, slots=True)
class Open:
    """A submission that somebody may have to settle."""

    standing: Standing
    record: Record

    @property
    def handle(self) -> str:
        """A short name for a submission that may have no id."""
        return handle_of(self.record)


def handle_of(record: Record) -> str:
    """A short name for a submission.

    :param record: of the submission.
    """
    return hashlib.sha256(f"{record.sent_at!r} {record.fingerprint}".encode()).hexdigest()[:8]


def open_in(history: History, states: States, *, is_batch: bool = False) -> Iterator[Open]:
    """What of a task instance's submissions is not settled, newest first; those that run alone are still to be read.

    :param history: of the task instance.
    :param states: of it.
    :param is_batch: whether the task instance stands for all of them, and not for one.
    """
    for record in history.newest_first():
        if record.is_open:
            yield Open(_standing_of(record), record)
            continue
        is_current = is_batch or record is history.current
        if may_run(record) and not is_waited_for(record, states, is_current=is_current):
            yield Open(Standing.ALONE, record)


def _standing_of(record: Record) -> Standing:
    if not record.runway_task_id:
        return Standing.LOST
    return Standing.REFUSED if record.refused else Standing.NAMED


def may_run(record: Record) -> bool:
    """Whether a generation was accepted, and is not known to have ended.

    :param record: of its submission.
    """
    return not record.is_open and bool(record.runway_task_id) and record.outcome not in _ENDED


def is_waited_for(record: Record, states: States, *, is_current: bool) -> bool:
    """Whether a task of Airflow's is known to wait for a generation, or may be expected to.

    :param record: of its submission.
    :param states: of its task instance.
    :param is_current: whether the task instance stands for it.
    """
    if not is_current:
        return False
    if states.may_write:
        return True
    return record.outcome in _HANDED_OVER and states.run is not None and states.run not in RUN_OVER


class Doubt(StrEnum):
    """Why a generation may not be that of an open submission."""

    ACCOUNT = "it is on another account than the request was sent to"
    TIME = "it was created at another time than the request was sent"
    ROUTE = "it was asked for on another route"


def doubts(record: Record, created_at: str | None, account: AccountMatch, action: str = "") -> list[Doubt]:
    """Why a generation is not that of an open submission; empty if nothing speaks against it.

    :param record: the open submission.
    :param created_at: when the generation was created, as the gateway told.
    :param account: whether the account that was asked is the one that the request was sent to.
    :param action: the gateway's word for what was asked for, where it has one (contracts §2.4).
    """
    found = []
    # Runway's own names, on both sides: on the reverse format the same things have names of their own.
    known = GATEWAYS[DEFAULT_GATEWAY].creates
    if action in known and record.route in known and action != record.route:
        found.append(Doubt.ROUTE)
    if account is AccountMatch.OTHER:
        found.append(Doubt.ACCOUNT)
    created = moment(created_at)
    if created is not None and not _fits(created - record.sent_at, to_the_second=_tells_zones(record)):
        found.append(Doubt.TIME)
    return found


def unproven(record: Record, created_at: str | None, account: AccountMatch) -> list[str]:
    """What speaks for a generation only as far as a person says so.

    :param record: see :func:`doubts`.
    :param created_at: see there.
    :param account: see there.
    """
    found = []
    if account is AccountMatch.UNKNOWN:
        found.append("which account the request was sent to")
    if moment(created_at) is None or not _tells_zones(record):
        found.append("when exactly the generation was created")
    return found


def _tells_zones(record: Record) -> bool:
    return record.gateway in _TELL_ZONES


def _fits(after: float, *, to_the_second: bool) -> bool:
    if to_the_second:
        return -CREATED_BEFORE <= after <= CREATED_AFTER
    # Zones reach from 12 hours behind UTC to 14 before it.
    day = timedelta(hours=14).total_seconds() + CREATED_AFTER
    return -timedelta(hours=12).total_seconds() - CREATED_BEFORE <= after <= day


def moment(told: str | None) -> float | None:
    """A gateway's time in seconds since the epoch; ``None`` if it is none.

    :param told: in ISO 8601; without a zone it is taken for UTC.
    """
    if not told:
        return None
    try:
        found = datetime.fromisoformat(_FRACTION.sub(r"\1", told.strip()))
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def attached(record: Record, runway_task_id: str, *, now: float, estimated: float | None = None) -> Change:
    """An open submission is known to have been accepted.

    The next try picks it up, also where the task has to be cleared for it: that clear is not the wish for another
    generation. Its deadline begins anew.

    :param record: the open submission.
    :param runway_task_id: of the generation.
    :param now: wall clock, seconds since the epoch.
    :param estimated: the most that it may cost, in credits, where the gateway told.
    """
    known = record.estimated_credits if estimated is None else estimated
    return Change(
        Word.SUBMITTED,
        replace(
            record,
            phase=Phase.SUBMITTED,
            runway_task_id=runway_task_id,
            refused=False,
            outcome="",
            anchored_at=now,
            max_tries=None,
            estimated_credits=known,
        ),
    )


def forgotten(record: Record) -> Change:
    """An open submission is known not to have been accepted: it counts no longer.

    :param record: the open submission.
    """
    return Change(Word.FORGOTTEN, record)


def cancelled(record: Record, charged: float | None = None) -> Change:
    """A generation was cancelled.

    :param record: of its submission.
    :param charged: what it did cost, in credits, where the gateway told.
    """
    cost = record.charged_credits if charged is None else charged
    return Change(Word.CLOSED, replace(record, phase=Phase.CLOSED, outcome="cancelled", charged_credits=cost))


def after(history: History, change: Change) -> History:
    """A history after a change to one of its submissions.

    :param history: that holds it.
    :param change: what changes.
    """
    one = handle_of(change.record)
    is_gone = change.word is Word.FORGOTTEN
    earlier = tuple(
        change.record if handle_of(record) == one else record
        for record in history.earlier
        if not (is_gone and handle_of(record) == one)
    )
    current = history.current
    if current is not None and handle_of(current) == one:
        current = None if is_gone else change.record
    if current is None and earlier:
        # What was there before counts again.
        *rest, current = earlier
        earlier = tuple(rest)
    return replace(history, current=current, earlier=earlier)
