"""What to do about a generation when a task starts, and may have started before.

A generation is paid for when the gateway accepts it, and there is no idempotency key and no list of tasks. So a
submission is journalled (decision 1): an *intent* before the POST, the id right after it, the ending at the end. The
record outlives a killed worker, a retry, a deferral and a clear. :func:`decide` reads it:

============================  =======  =======  ============  ==========  ==================
recorded                      request  cleared  remote        policy      decision
============================  =======  =======  ============  ==========  ==================
nothing                       any      any      any           any         submit
unreadable                    any      any      any           any         try later
intent                        same     any      any           fail        refuse
intent                        same     any      any           resubmit    submit
intent                        changed  any      any           any         submit, telling
submitted, happy, unhappy     any      any      unread        any         look
submitted, happy              same     no       gone          any         submit
submitted, happy              same     no       any           any         re-attach
submitted, happy, unhappy     any      any      unreadable    any         try later
unhappy                       same     no       alive, done   any         re-attach
unhappy                       same     no       failed, gone  any         submit
submitted, happy, unhappy     changed  any      alive         any         submit, cancelling
submitted, happy, unhappy     changed  any      any           any         submit
submitted, happy, unhappy     same     yes      alive         regenerate  submit, cancelling
submitted, happy, unhappy     same     yes      any           regenerate  submit
submitted, happy, unhappy     same     yes      alive, done   reuse       reuse
submitted, happy, unhappy     same     yes      failed, gone  reuse       submit
============================  =======  =======  ============  ==========  ==================

The first row that fits counts. "Happy" and "unhappy" are records of tasks that ended: with their result, or with a
generation that failed (the next try, or a clear, then asks for another). "Failed" includes cancelled; "gone" is an
id that the server does not know any more. "Refuse" leaves it to a person: a generation may exist. "Try later" sends
nothing: "could not read" is never "nothing there". A plain re-attach does not even need to know the remote state,
since waiting tolerates trouble. "Cancelling" refers to the old generation, which nobody wants any more; "telling"
to one that may exist and was for another request.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.protocol.endings import NotEnded, NotFound, Succeeded, ending_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.core.models import RunwayTask

#: Outcomes after which a retry of the task asks for another generation.
UNHAPPY = frozenset({"failed", "cancelled", "lost"})
#: Ids of earlier generations that a record keeps.
PREVIOUS_KEPT = 20


class Phase(StrEnum):
    """How far a submission got."""

    #: About to be sent, or sent and never answered.
    INTENT = "intent"
    #: Accepted; the id is known.
    SUBMITTED = "submitted"
    #: The task ended of its own accord: returned, succeeded, failed, timed out.
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of a submission. No prompt, key or URL: it is visible in UI and database."""

    phase: Phase
    #: Of the request; see :func:`fingerprint`.
    fingerprint: str
    gateway: str
    route: str
    #: Wall clock of the POST, seconds since the epoch.
    sent_at: float
    runway_task_id: str = ""
    #: Wall clock from which a deadline is counted: the POST, or a clear since.
    anchored_at: float = 0.0
    #: Airflow's ``max_tries`` at the time, which every clear changes and no retry does.
    max_tries: int | None = None
    #: The most it may cost, in credits.
    estimated_credits: float | None = None
    #: Random text in the callback URL, by which a lost answer can be recognised.
    token: str = ""
    #: The account before the POST: ``credits``, ``today``; empty where not known.
    account: Mapping[str, float] = field(default_factory=dict)
    #: How the task ended, once closed: ``returned``, ``succeeded``, ``failed``, ...
    outcome: str = ""
    #: Fingerprint of the request as its author wrote it, with the names of files in place of their content.
    as_written: str = ""
    #: Ids of earlier generations of this task, oldest first.
    previous: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The record as plain JSON values."""
        return {"version": 1, **asdict(self), "phase": self.phase.value, "previous": list(self.previous)}


class Unreadable(Enum):
    """A record that is there and cannot be understood, or could not be read."""

    UNREADABLE = "unreadable"


UNREADABLE: Final = Unreadable.UNREADABLE


def read_record(value: Any) -> Record | Unreadable | None:
    """The record in a stored value.

    :param value: what the store gave; ``None`` if it holds nothing.
    """
    if value is None:
        return None
    try:
        return Record(
            phase=Phase(value["phase"]),
            fingerprint=str(value["fingerprint"]),
            gateway=str(value["gateway"]),
            route=str(value["route"]),
            sent_at=float(value["sent_at"]),
            runway_task_id=str(value.get("runway_task_id") or ""),
            anchored_at=float(value.get("anchored_at") or value["sent_at"]),
            max_tries=value.get("max_tries"),
            estimated_credits=value.get("estimated_credits"),
            token=str(value.get("token") or ""),
            account=dict(value.get("account") or {}),
            outcome=str(value.get("outcome") or ""),
            as_written=str(value.get("as_written") or ""),
            previous=tuple(str(old) for old in value.get("previous") or ()),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return UNREADABLE


def fingerprint(gateway: str, conn_id: str, route: str, payload: Mapping[str, Any]) -> str:
    """What makes two requests the same: a hash, from which nothing can be read back.

    :param gateway: the gateway's name.
    :param conn_id: the connection's id.
    :param route: the route's name.
    :param payload: the JSON body, with names by content in place of its media.
    """
    canonical = json.dumps(
        [gateway, conn_id, route, payload], sort_keys=True, separators=(",", ":"), default=str
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


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

    #: A generation that still runs for an earlier request: cancel it first, or tell that it cannot be.
    replaces: str = ""
    #: Something the log should say.
    note: str = ""


@dataclass(frozen=True, slots=True)
class Reattach:
    """Go on with the recorded generation, as if nothing had happened."""

    runway_task_id: str


@dataclass(frozen=True, slots=True)
class Reuse:
    """Somebody cleared the task: give back the recorded generation, at no cost."""

    runway_task_id: str


@dataclass(frozen=True, slots=True)
class Look:
    """Read the recorded generation and decide again."""

    runway_task_id: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """An earlier submission may have been accepted; only a person can decide."""

    record: Record


@dataclass(frozen=True, slots=True)
class TryLater:
    """Something needed for the decision could not be read; nothing may be sent."""

    reason: str


SubmissionDecision = Submit | Reattach | Reuse | Look | Refuse | TryLater


@dataclass(frozen=True, slots=True)
class Policy:
    """What the author wants where there is a choice."""

    #: After a lost answer: send again, at the risk of paying twice.
    resubmit_ambiguous: bool = False
    #: After a clear: make a new generation even though the old one is there.
    regenerate: bool = False


def decide(
    record: Record | Unreadable | None,
    request: str,
    *,
    cleared: bool,
    remote: Remote = Remote.UNREAD,
    policy: Policy = Policy(),
) -> SubmissionDecision:
    """The table of this module.

    :param record: what the journal holds.
    :param request: fingerprint of what is asked for now.
    :param cleared: whether somebody cleared the task since the record was written.
    :param remote: what the gateway says of the recorded generation.
    :param policy: the author's wishes.
    """
    if record is None:
        return Submit()
    if isinstance(record, Unreadable):
        return TryLater("the journal of this task could not be read")
    same = record.fingerprint == request
    if record.phase is Phase.INTENT:
        return _after_intent(record, same=same, policy=policy)
    if remote is Remote.UNREAD:
        return Look(record.runway_task_id)
    plain_retry = same and not cleared and record.outcome not in UNHAPPY
    if remote is Remote.UNREADABLE and not plain_retry:
        return TryLater(f"the recorded generation {record.runway_task_id} could not be read")
    if plain_retry:
        return Submit() if remote is Remote.GONE else Reattach(record.runway_task_id)
    if not same or (cleared and policy.regenerate):
        return Submit(replaces=record.runway_task_id if remote is Remote.ALIVE else "")
    if remote in {Remote.ALIVE, Remote.DONE}:
        return Reuse(record.runway_task_id) if cleared else Reattach(record.runway_task_id)
    return Submit()


def _after_intent(record: Record, *, same: bool, policy: Policy) -> SubmissionDecision:
    if not same:
        return Submit(
            note="An earlier submission of another request by this task was never answered; it may exist and may "
            "have been charged."
        )
    return Submit() if policy.resubmit_ambiguous else Refuse(record)
