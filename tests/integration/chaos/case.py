"""A fault, what it may cost, and what must come of it; and the words that several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from integration.chaos.stage import Stage

LOST = "never got to see the answer"
#: Seconds, generous to a triggerer that shares two cores and one SQLite with everybody; 2 to 4 are usual.
CANCELLED_WITHIN = 30
#: The account, read before and after, as evidence.
NOT_TAKEN, TAKEN = "probably not accepted", "most likely accepted"
SPARED = "runs on, nothing was cancelled", "Airflow says that it is running"
#: Charged at once, and answered some five seconds later.
SLOW_CREATE = {"on": "create", "kind": "slow", "bytes_per_second": 20}
AMBIGUOUS = "RunwayAmbiguousSubmissionError"


@dataclass(frozen=True)
class FaultCase:
    """A fault and its price."""

    run: Callable[[Stage], None]
    charges: int
    state: str
    clip: str
    #: Tries of the task; ``None`` where it does not matter.
    tries: int | None = None
    #: What the task log says, beside the clip's id.
    words: tuple[str, ...] = ()
    #: Whether the generation is cancelled.
    cancelled: bool = False
    #: The states of a batch's items at the end, by its manifest.
    lines: tuple[str, ...] = ()
    #: How often each prompt of a batch was sent, in the order in which they came first; empty = one POST per charge.
    sent: tuple[int, ...] = ()
