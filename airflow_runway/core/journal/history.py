"""All that a task instance has ever sent, as far as it is kept: the submission it stands for, and earlier ones.

A request is matched against all of them, so that one that was changed and changed back finds its own generation, or
its own lost answer, again (decision 17). Values: every change gives another history.

In the store this is version 2. Version 1, of 0.1.0, was a single record; it is read. 0.1.0 finds nothing that it
knows in version 2 and takes it for unreadable, so that it sends nothing; so does this version with a later one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.journal.record import Phase, Record, read_one, read_one_of_0_1_0

if TYPE_CHECKING:
    from collections.abc import Iterator

VERSION = 2
#: Lost answers that are kept.
OPEN_KEPT = 20
#: Earlier generations that are kept with their request.
ANSWERED_KEPT = 20
#: Ids of still earlier ones.
PREVIOUS_KEPT = 20


class Unreadable(Enum):
    """A history that is there and cannot be understood, or could not be read."""

    UNREADABLE = "unreadable"


UNREADABLE: Final = Unreadable.UNREADABLE


@dataclass(frozen=True, slots=True)
class History:
    """What is known of a task instance's submissions."""

    #: What the task stands for; ``None`` before its first submission.
    current: Record | None = None
    #: Earlier submissions, oldest first: generations of other requests, and lost answers.
    earlier: tuple[Record, ...] = ()
    #: Ids of generations of which nothing else is kept, oldest first.
    previous: tuple[str, ...] = ()

    def newest_first(self) -> Iterator[Record]:
        """All records, the current one first."""
        if self.current is not None:
            yield self.current
        yield from reversed(self.earlier)

    def open(self) -> tuple[Record, ...]:
        """Submissions of which nobody knows whether they were accepted, newest first."""
        return tuple(record for record in self.newest_first() if record.is_open)

    def matching(self, request: str) -> Record | None:
        """The newest record of a request; where there is none, the current one, which is of another request.

        :param request: fingerprint of what is asked for now.
        """
        same = (record for record in self.newest_first() if record.fingerprint == request)
        return next(same, self.current)

    def with_current(self, record: Record) -> History:
        """The same, with a change to the current record.

        :param record: the current record of now.
        """
        return replace(self, current=record)

    def followed_by(self, record: Record) -> History:
        """The same, with one more submission, which is the current one from now on.

        :param record: the new one, or one out of :attr:`earlier` that counts again.
        """
        others = [other for other in (*self.earlier, self.current) if other is not None and other != record]
        lost = [other for other in others if other.is_open][-OPEN_KEPT:]
        answered = [other for other in others if not other.is_open]
        names = (*self.previous, *(other.runway_task_id for other in answered[:-ANSWERED_KEPT]))
        kept = [*lost, *answered[-ANSWERED_KEPT:]]
        return History(record, tuple(other for other in others if other in kept), names[-PREVIOUS_KEPT:])

    def with_outcome(self, runway_task_id: str, outcome: str) -> History:
        """The same, with the ending of an earlier generation.

        :param runway_task_id: which one.
        :param outcome: one word.
        """
        return replace(
            self,
            earlier=tuple(
                replace(record, phase=Phase.CLOSED, outcome=outcome)
                if record.runway_task_id == runway_task_id
                else record
                for record in self.earlier
            ),
        )

    def lost_from(self, earlier: History) -> tuple[str, ...]:
        """What an earlier history knew and this one does not, in words; the bounds of what is kept are wide.

        :param earlier: the history before.
        """
        known = list(self.newest_first())
        gone = [other for other in earlier.newest_first() if other.is_open and other not in known]
        unanswered = tuple(
            other.runway_task_id or f"the submission at {other.sent_at:.0f} (seconds since the epoch)"
            for other in gone
        )
        return unanswered + tuple(name for name in earlier.ids() if name not in self.ids())

    def ids(self) -> tuple[str, ...]:
        """Every id that is kept, oldest first."""
        records = (*self.earlier, *filter(None, (self.current,)))
        return (*self.previous, *(record.runway_task_id for record in records if record.runway_task_id))

    def is_doubtful(self, runway_task_id: str) -> bool:
        """Whether only an error has named an id.

        :param runway_task_id: the id.
        """
        return any(
            record.runway_task_id == runway_task_id and record.is_doubtful for record in self.newest_first()
        )

    def as_json(self) -> dict[str, Any]:
        """The history as plain JSON values."""
        return {
            "version": VERSION,
            "current": self.current and self.current.as_json(),
            "earlier": [record.as_json() for record in self.earlier],
            "previous": list(self.previous),
        }


def read_history(value: Any) -> History | Unreadable:
    """The history in a stored value.

    :param value: what the store gave; ``None`` if it holds nothing.
    """
    if value is None:
        return History()
    try:
        version = value.get("version", 1)
        if version == 1:
            return _of_0_1_0(value)
        if version != VERSION:
            return UNREADABLE
        return History(
            current=None if value["current"] is None else read_one(value["current"]),
            earlier=tuple(read_one(record) for record in value["earlier"]),
            previous=tuple(str(name) for name in value["previous"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return UNREADABLE


def _of_0_1_0(value: Any) -> History:
    return History(read_one_of_0_1_0(value), previous=tuple(str(old) for old in value.get("previous") or ()))
