"""What a reading means to whoever waits for a generation, saves it, chains another one to it or settles a batch.

One definition for all of them: :func:`ending_of`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.models import TaskStatus
from airflow_runway.core.protocol.verdicts import Cause, Retry, judge_failure

if TYPE_CHECKING:
    from airflow_runway.core.models import RunwayTask


@dataclass(frozen=True, slots=True)
class Succeeded:
    """It ended with at least one output."""

    task: RunwayTask


@dataclass(frozen=True, slots=True)
class Failed:
    """It ended without a result: FAILED."""

    task: RunwayTask
    error: ErrorFacts
    #: Whether another generation from the same input may do better; it is paid for again.
    retryable: bool
    #: Whether the input or the output was moderated: the same input is refused again, and that is counted.
    moderated: bool


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Somebody ended it: CANCELLED."""

    task: RunwayTask
    error: ErrorFacts


@dataclass(frozen=True, slots=True)
class NotFound:
    """The server does not know it (yet, or any more)."""

    task: RunwayTask


@dataclass(frozen=True, slots=True)
class NotEnded:
    """The server has not said its last word."""

    task: RunwayTask


Ending = Succeeded | Failed | Cancelled | NotFound | NotEnded

#: The same in a few words; what is not named gets what the kind of the error says.
_IN_SHORT: dict[Cause, tuple[str, str]] = {
    Cause.MODERATION: ("moderated", "Change the input, clear the submitting task"),
    Cause.REQUEST: ("bad input", "Correct the input, clear the submitting task"),
}

#: A failed generation: what to do.
_REMEDIES: dict[Cause, str] = {
    Cause.MODERATION: "Change the input: the same one is refused again, and repeated hits can suspend the account.",
    Cause.REQUEST: "Correct the media or the fields, then clear the submitting task to pay for another generation.",
    Cause.GENERATION: "Clear the submitting task to pay for another generation.",
}


def ending_of(task: RunwayTask) -> Ending:
    """What a reading means.

    :param task: the reading.
    """
    if task.status is TaskStatus.SUCCEEDED:
        return Succeeded(task)
    if task.status is TaskStatus.FAILED:
        verdict = judge_failure(task.failure_code)
        return Failed(
            task,
            _failure(task, verdict.cause),
            retryable=verdict.retry is not Retry.NEVER,
            moderated=verdict.cause is Cause.MODERATION,
        )
    if task.status is TaskStatus.CANCELLED:
        return Cancelled(task, _cancellation(task))
    return NotEnded(task) if task.status.is_sighting else NotFound(task)


def _failure(task: RunwayTask, cause: Cause) -> ErrorFacts:
    code = f" ({task.failure_code})" if task.failure_code else ""
    reason = (task.failure or "no reason given").rstrip(".")
    why, step = _IN_SHORT.get(cause, (task.failure_code or reason, ""))
    return ErrorFacts(
        ErrorKind.TASK_FAILED,
        f"Runway task {task.id} failed{code}: {reason}. {_charged(task)} {_REMEDIES[cause]}",
        task=task,
        summary=f"Runway task {task.id} failed: {why}",
        next_step=step,
    )


def _cancellation(task: RunwayTask) -> ErrorFacts:
    return ErrorFacts(
        ErrorKind.TASK_CANCELLED,
        f"Runway task {task.id} was cancelled. {_charged(task)} {_REMEDIES[Cause.GENERATION]}",
        task=task,
    )


def _charged(task: RunwayTask) -> str:
    cost = f"{task.cost_credits:g} credits" if task.cost_credits is not None else "an amount it did not tell"
    return f"The gateway charged {cost}."
