"""What a router's own list says of a create whose answer was lost, and what follows from it. Pure.

The list (contracts §1.7) names times and ids, and nothing of ours. So a generation is taken for this submission's
only where it can be nobody else's:

========  ======  ==============  =======  =================
time      list    generations     others   then
========  ======  ==============  =======  =================
any       any     known           any      adopt
open      any     any             any      wait
any       read    one             none     adopt
closed    any     any             any      wait
over      any     any             any      leave to a person
========  ======  ==============  =======  =================

The first row that fits counts. "Time" is *open* until the list is sure to hold the request: its POST may be under
way until :attr:`Record.taken_until`, clocks differ (:data:`CLOCKS_APART`), and a request may be listed late
(:data:`LISTED_LATE`). From then on it is *closed*; once ``evidence_timeout`` has passed since the POST too, *over*.

"Generations" are those in the window of the submission that nobody is known to hold: neither the record of another
submission through that router nor a claim (:mod:`airflow_runway.stores.routers`). One whose id is not told counts
too, and cannot be adopted. *Known* is one that this very submission had noted to be its own, before its worker died.

"Others" are submissions of this Airflow through that router in the same time whose answers were lost too, or are
still to come: which of them a generation belongs to, nobody can tell. Where that is not known (no journal folder, or
one that was set up after the POST), they count as *unknown*, and nothing is adopted.

Whoever asks the router from elsewhere is not seen by this, so a router that is searched is to be of one Airflow only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from airflow_runway.core.journal.record import Record
    from airflow_runway.core.protocol.routers import RoutedRequest

#: Seconds by which the clocks of workers and gateway may differ.
CLOCKS_APART: Final = 60.0
#: Seconds after which a request is taken to be listed. Nothing documents it.
LISTED_LATE: Final = 120.0
#: Seconds that may pass between the moment that an intent holds and its POST.
LONGEST_PREPARATION: Final = 60.0


class Others(Enum):
    """Whether another submission of this Airflow may be what a generation belongs to."""

    NONE = "none"
    OPEN = "open"
    #: Nothing was noted, of others or of this one.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Window:
    """When the gateway may have taken a request: wall clock, seconds since the epoch."""

    begins: float
    ends: float

    def holds(self, moment: float) -> bool:
        """Whether a moment is in it.

        :param moment: wall clock.
        """
        return self.begins <= moment <= self.ends

    def meets(self, other: Window) -> bool:
        """Whether two have a moment in common.

        :param other: the other one.
        """
        return self.begins <= other.ends and other.begins <= self.ends


@dataclass(frozen=True, slots=True)
class Found:
    """What was found out about a lost answer."""

    #: Generations in the window that nobody is known to hold; ``None`` = the list could not be read.
    generations: Sequence[RoutedRequest] | None
    others: Others = Others.UNKNOWN
    #: The one that this submission had noted to be its own.
    known: RoutedRequest | None = None
    #: Why something could not be read, in words.
    trouble: str = ""
    #: How many other submissions are open.
    others_open: int = 0
    #: Whether a journal folder was asked about others.
    has_journal: bool = False


@dataclass(frozen=True, slots=True)
class Adopt:
    """Take the generation up."""

    generation: RoutedRequest


@dataclass(frozen=True, slots=True)
class LookLater:
    """Look again; nothing is sent."""

    #: Seconds until that can tell more; ``None`` = any time.
    after: float | None = None


@dataclass(frozen=True, slots=True)
class LeaveToPerson:
    """Nothing will be found any more."""


def window_of(sent_at: float, taken_until: float) -> Window:
    """When the gateway may have taken a request, by its own clock.

    :param sent_at: wall clock of the intent, seconds since the epoch.
    :param taken_until: until when its POST may have been under way.
    """
    return Window(sent_at - CLOCKS_APART, taken_until + CLOCKS_APART)


def closes_at(record: Record) -> float:
    """From when on the list is sure to hold a request that was accepted: wall clock, seconds since the epoch.

    :param record: the open intent.
    """
    return record.taken_until + CLOCKS_APART + LISTED_LATE


def over_at(record: Record, evidence_timeout: float) -> float:
    """From when on a lost answer is left to a person: never before the list was sure.

    :param record: the open intent.
    :param evidence_timeout: seconds after the POST.
    """
    return max(record.sent_at + evidence_timeout, closes_at(record))


def unheld(
    listed: Iterable[RoutedRequest], window: Window, held: Collection[str]
) -> tuple[RoutedRequest, ...]:
    """The generations of a list that are in a window and that nobody is known to hold, each once.

    :param listed: what the list says.
    :param window: of the submission.
    :param held: ids that are another submission's.
    """
    found = {
        request.runway_task_id or f"not told {number}": request
        for number, request in enumerate(listed)
        if window.holds(request.created_at) and request.runway_task_id not in held
    }
    return tuple(found.values())


def judge(
    record: Record, found: Found, *, now: float, evidence_timeout: float
) -> Adopt | LookLater | LeaveToPerson:
    """The table of this module.

    :param record: the open intent.
    :param found: what was found out.
    :param now: wall clock, seconds since the epoch.
    :param evidence_timeout: seconds after the POST.
    """
    if found.known is not None:
        return Adopt(found.known)
    if now < closes_at(record):
        return LookLater(closes_at(record) - now)
    if found.generations is not None and found.others is Others.NONE:
        match found.generations:
            case [one] if one.runway_task_id:
                return Adopt(one)
    if now < over_at(record, evidence_timeout):
        return LookLater()
    return LeaveToPerson()
