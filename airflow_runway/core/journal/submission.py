"""What to do about a generation when a task starts, and may have started before.

A generation is paid for when the gateway accepts it, and there is no idempotency key and no list of tasks. So a
submission is journalled (decision 1): an *intent* before the POST, the id right after it, the ending at the end. The
history outlives a killed worker, a retry, a deferral and a clear. Of its records the newest of this very request
counts; where none is of it, the current one, which is of a *changed* request. :func:`decide` reads it:

=================  =======  =======  ============  ==============  ==========  ======  =================
recorded           request  cleared  remote        account         policy      mapped  decision
=================  =======  =======  ============  ==============  ==========  ======  =================
nothing            any      any      any           any             any         any     submit
unreadable         any      any      any           any             any         any     try later
traceable          same     any      any           same            recover     any     search
intent, traceable  same     any      any           any             fail        any     refuse
intent, traceable  same     any      any           any             recover     any     refuse
intent, traceable  any      any      any           any             any         any     submit
any                any      any      unread        any             any         any     look
accepted           same     no       unreadable    any             any         any     re-attach
any                any      any      unreadable    any             any         any     try later
named              same     any      gone          same            fail        any     refuse
named              same     any      gone          same            recover     any     refuse
named, refused     same     any      gone          same            any         any     submit
named, refused     changed  any      alive         any             any         any     submit, leaving
any                changed  any      alive         any             any         no      submit, replacing
any                changed  any      alive         any             any         yes     submit, leaving
failed             any      any      gone          any             any         any     submit
any                changed  any      gone          other, unknown  any         any     submit, leaving
any                changed  any      any           any             any         any     submit
named, refused     same     yes      alive         any             regenerate  any     submit, leaving
any                same     yes      alive         any             regenerate  no      submit, replacing
any                same     yes      alive         any             regenerate  yes     submit, leaving
any                same     yes      gone          other, unknown  regenerate  any     submit, leaving
any                same     yes      any           any             regenerate  any     submit
any                same     any      gone          other, unknown  any         any     elsewhere
any                same     yes      alive, done   any             any         any     reuse
any                same     any      alive, done   any             any         any     re-attach
accepted           same     no       failed        any             any         any     re-attach
named, refused     same     no       failed        any             any         any     re-attach
any                any      any      any           any             any         any     submit
=================  =======  =======  ============  ==============  ==========  ======  =================

The first row that fits counts. What is recorded: an *intent* was never answered, a *traceable* one neither, but it
asked a router, whose requests the gateway lists; a *named* one was answered by an
error that holds an id, a *refused* one by a refusal that does; *accepted* has an id, and did not end badly as far as
is known; *failed* was read to have failed or been cancelled, or was cancelled by us; *lost* was once not found any
more. "Remote" is what the gateway says of the id: "failed" includes cancelled, "gone" is an id that the server does
not know. That means something only on the account that accepted it (decision 16): on *another* account (origin or
key), or where 0.1.0 recorded none, nothing follows from it. Where the id can be read, all is well, whatever the key.

"Search" looks into that list, see :mod:`airflow_runway.core.journal.evidence`; it sends nothing. "Refuse" leaves it
to a person: a generation may exist. "Try later" sends nothing: "could not read" is never
"nothing there". "Elsewhere" sends nothing either: the generation is out of sight from here. A plain re-attach does
not even need to know the remote state, since waiting tolerates trouble. "Replacing" cancels the old generation once
the new one is recorded, and not before (decision 18); "leaving" lets it run on and says so: a mapped task's index may
have moved, so that the old one is a sibling's, and what another account runs cannot be cancelled from here. An id
that only an error has named may be another task's altogether ("you have one running already"): it is not cancelled.

Lost answers of other requests are no reason to send nothing, but they are kept and named at every start, until they
are resolved.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from airflow_runway.core.journal.accounts import AccountMatch
from airflow_runway.core.journal.history import UNREADABLE, History, Unreadable, read_history
from airflow_runway.core.journal.record import Phase, Record, fingerprint
from airflow_runway.core.limits import EVIDENCE_WINDOW
from airflow_runway.core.protocol.endings import NotEnded, NotFound, Succeeded, ending_of

if TYPE_CHECKING:
    from airflow_runway.core.models import RunwayTask

__all__ = [
    "UNREADABLE", "AccountMatch", "Elsewhere", "History", "Look", "Phase", "Policy", "Reattach", "Record", "Refuse",
    "Remote", "Reuse", "Search", "SubmissionDecision", "Submit", "TryLater", "Unreadable", "decide", "fingerprint",
    "read_history", "remote_of",
]  # fmt: skip

#: Outcomes of generations that were read, or made, to end badly: there is nothing left to come.
_ENDED_BADLY = frozenset({"failed", "cancelled", "stopped: cancelled"})


class Remote(Enum):
    """What the gateway says of a recorded generation."""

    UNREAD = "unread"
    #: Accepted and not ended, or in a state that nobody documented.
    ALIVE = "alive"
    DONE = "done"
    #: FAILED or CANCELLED.
    FAILED = "failed"
    #: The server does not know it (any more).
    GONE = "gone"
    UNREADABLE = "unreadable"


def remote_of(task: RunwayTask) -> Remote:
    """The remote state in a reading.

    :param task: the reading.
    """
    match ending_of(task):
        case Succeeded():
            return Remote.DONE
        case NotEnded():
            return Remote.ALIVE
        case NotFound():
            return Remote.GONE
        case _:
            return Remote.FAILED


@dataclass(frozen=True, slots=True)
class Submit:
    """Send the request: one POST."""

    #: A generation that still runs and that nobody wants any more: cancel it once the new one is recorded.
    replaces: str = ""
    #: One that may run on, and is charged: say so.
    leaves: str = ""


@dataclass(frozen=True, slots=True)
class Reattach:
    """Go on with the recorded generation, as if nothing had happened."""

    record: Record


@dataclass(frozen=True, slots=True)
class Reuse:
    """Somebody cleared the task: give back the recorded generation, at no cost."""

    record: Record


@dataclass(frozen=True, slots=True)
class Look:
    """Read the recorded generation and decide again."""

    record: Record


@dataclass(frozen=True, slots=True)
class Refuse:
    """An earlier submission may have been accepted; only a person can decide."""

    record: Record


@dataclass(frozen=True, slots=True)
class Search:
    """An earlier submission may have been accepted, and the gateway's own list may name it; nothing may be sent."""

    record: Record


@dataclass(frozen=True, slots=True)
class TryLater:
    """Something needed for the decision could not be read; nothing may be sent."""

    reason: str


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """The recorded generation is not found, on another account than accepted it; nothing may be sent."""

    record: Record
    account: AccountMatch


SubmissionDecision = Submit | Reattach | Reuse | Look | Search | Refuse | TryLater | Elsewhere


@dataclass(frozen=True, slots=True)
class Policy:
    """What the author wants where there is a choice."""

    #: After a lost answer: send again, at the risk of paying twice.
    resubmit_ambiguous: bool = False
    #: After a lost answer: look for it where the gateway lists requests.
    recover_ambiguous: bool = False
    #: Seconds after a POST until when its lost answer is looked for.
    evidence_timeout: float = EVIDENCE_WINDOW
    #: After a clear: make a new generation even though the old one is there.
    regenerate: bool = False


def decide(
    record: Record | Unreadable | None,
    request: str,
    *,
    cleared: bool,
    remote: Remote = Remote.UNREAD,
    account: AccountMatch = AccountMatch.SAME,
    mapped: bool = False,
    policy: Policy = Policy(),
) -> SubmissionDecision:
    """The table of this module.

    :param record: what :meth:`History.matching` found.
    :param request: fingerprint of what is asked for now.
    :param cleared: whether somebody cleared the task since the record was written.
    :param remote: what the gateway says of the recorded generation.
    :param account: whether today's account is the one that the record is about.
    :param mapped: whether the task is mapped, so that its index may have moved.
    :param policy: the author's wishes.
    """
    if record is None:
        return Submit()
    if isinstance(record, Unreadable):
        return TryLater("the journal of this task could not be read")
    same = record.fingerprint == request
    if not record.runway_task_id:
        if not same or policy.resubmit_ambiguous:
            return Submit()
        is_traceable = record.router and policy.recover_ambiguous and account is AccountMatch.SAME
        return Search(record) if is_traceable else Refuse(record)
    if remote is Remote.UNREAD:
        return Look(record)
    return _after_look(record, remote, account, same=same, cleared=cleared, mapped=mapped, policy=policy)


def _after_look(
    record: Record,
    remote: Remote,
    account: AccountMatch,
    *,
    same: bool,
    cleared: bool,
    mapped: bool,
    policy: Policy,
) -> SubmissionDecision:
    ended_badly = record.outcome in _ENDED_BADLY
    accepted = not record.is_open and not ended_badly and record.outcome != "lost"
    if remote is Remote.UNREADABLE:
        if accepted and same and not cleared:
            return Reattach(record)
        return TryLater(f"the recorded generation {record.runway_task_id} could not be read")
    knows = remote is not Remote.GONE or account is AccountMatch.SAME
    if record.is_open and same and remote is Remote.GONE and knows:
        return Submit() if record.refused or policy.resubmit_ambiguous else Refuse(record)
    if not same or (cleared and policy.regenerate):
        return _another(record, remote, mapped=mapped, knows=knows or ended_badly)
    if remote in {Remote.ALIVE, Remote.DONE}:
        return Reuse(record) if cleared else Reattach(record)
    if not knows and not ended_badly:
        return Elsewhere(record, account)
    may_be_what_it_is = accepted or record.is_open
    return Reattach(record) if remote is Remote.FAILED and may_be_what_it_is and not cleared else Submit()


def _another(record: Record, remote: Remote, *, mapped: bool, knows: bool) -> Submit:
    """The recorded generation is not what is wanted now."""
    if remote is Remote.ALIVE and not mapped and not record.is_doubtful:
        return Submit(replaces=record.runway_task_id)
    return Submit(leaves=record.runway_task_id if remote is Remote.ALIVE or not knows else "")
