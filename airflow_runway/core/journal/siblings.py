"""Which generation of a sibling a mapped task may take up: where a run was cleared and its list has moved. Pure.

A generation has one *holder*: the map index that submitted it, and after that whoever took it last. To take it is to
create the next file of its chain, exclusively: of two that want it, one gets it. After a clear every index that goes
on with a generation of its own takes it so too, so that it is not taken from under it; and one whose request is
another one by now lets its own go first, so that of several that move at once none waits for all the others. A
generation of the very request is

=======  ======================================================================================================
free     nobody holds it; its holder stands for another generation by now; or has been cleared, and has not begun
pending  its holder has begun, and has not said since the clear what it stands for
kept     anything else
=======  ======================================================================================================

What is free is taken, what is pending waited for, for a while. In a run that was never cleared nothing is taken: two
equal requests in one list are two generations.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from airflow_runway.core.journal.record import Record

#: States of a task instance that is to run, and has not begun. (A retry may follow a try that still ends.)
_NOT_BEGUN: Final = frozenset({"none", "scheduled", "queued"})
#: States of one that has begun, and has not ended.
_BEGUN: Final = frozenset(
    {"running", "restarting", "deferred", "up_for_retry", "up_for_reschedule", "awaiting_input"}
)


class Standing(Enum):
    """Whether a generation may be taken: the table of this module."""

    FREE = "free"
    PENDING = "pending"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Hold:
    """A file of a generation's chain."""

    #: From 1; 0 = nobody has taken it since it was submitted.
    number: int
    #: ``None`` = nobody holds it: its holder has let it go.
    map_index: int | None
    #: Wall clock, seconds since the epoch.
    at: float = 0.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A generation of the very request that is asked for."""

    record: Record
    holder: Hold
    #: What the holder stands for now, by its id; empty if for nothing.
    stands_for: str
    #: One of those that have it on record.
    submitted_by: int


def standing_of(candidate: Candidate, state: str | None, round_began: float | None) -> Standing:
    """Whether a generation may be taken.

    :param candidate: the generation.
    :param state: of its holder, as Airflow says; ``None`` = it does not.
    :param round_began: wall clock at which the run began, or began again after a clear; ``None`` = not known.
    """
    if candidate.holder.map_index is None or candidate.stands_for != candidate.record.runway_task_id:
        return Standing.FREE
    if state in _NOT_BEGUN:
        return Standing.FREE
    has_said = round_began is None or candidate.holder.at >= round_began
    return Standing.PENDING if state in _BEGUN and not has_said else Standing.KEPT
