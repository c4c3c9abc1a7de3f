"""What became of a generation that missed its deadline, and what to do now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from airflow_runway.core.models import CancelOutcome


@dataclass(frozen=True, slots=True)
class DeadlineFate:
    """One row of :data:`FATES`."""

    #: In sentences.
    told: str
    #: In a few words, for the beginning of a report.
    next_step: str


_WAIT_ON = "Wait on with a longer timeout, for free"
_LOOK = "Check the gateway's request history"

#: By what came of cancelling it; ``None`` if that was not tried.
FATES: Final[dict[CancelOutcome | None, DeadlineFate]] = {
    None: DeadlineFate(
        "It goes on and is charged if it finishes: a RunwayTaskSensor with this id and a longer timeout picks it up "
        "at no cost.",
        _WAIT_ON,
    ),
    CancelOutcome.CANCELLED: DeadlineFate(
        "It was cancelled; a refund is not promised. Raise the timeout, then clear the submitting task to pay for "
        "another generation.",
        "Raise the timeout; a clear pays again",
    ),
    CancelOutcome.ALREADY_FINISHED: DeadlineFate(
        "It has ended since: clear this task, and the result is there at no cost.",
        "Clear this task: the result is there",
    ),
    CancelOutcome.NOT_FOUND: DeadlineFate(
        "The server does not know it any more: the gateway's request history tells what it cost.", _LOOK
    ),
    CancelOutcome.NOT_SUPPORTED: DeadlineFate(
        "This gateway has no way to cancel: it goes on and is charged if it finishes. A RunwayTaskSensor with this "
        "id and a longer timeout picks it up at no cost.",
        _WAIT_ON,
    ),
    CancelOutcome.UNKNOWN: DeadlineFate(
        "Whether it could be cancelled is not known: it may go on and be charged. Look into the gateway's request "
        "history before you pay for another one.",
        _LOOK,
    ),
}
