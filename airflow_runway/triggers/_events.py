"""What a trigger tells the worker: plain JSON values, without a key or a URL.

A reading travels without the server's free text. An error's message may quote what a server said, redacted as every
message is: where a gateway repeats a prompt in it, the event holds that too.

A worker reads the generation anew, whatever the event says. An error travels as its facts, and becomes an exception
only there. Airflow keeps events in its database, so a worker may meet one of an earlier version of this provider:
whatever is missing has a default, and errors of 0.1.0, which named a class, are read as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_runway.core.facts import ErrorFacts, ErrorKind, kind_named
from airflow_runway.core.models import RunwayTask, TaskStatus
from airflow_runway.core.polling.decisions import Finished

if TYPE_CHECKING:
    from airflow_runway.core.polling.decisions import GaveUp


class ReadingEvent(TypedDict):
    """The last reading, without its links and without the server's free text, which may quote a prompt."""

    id: str
    status: str
    progress: float | None
    created_at: str | None
    estimated_credits: float | None
    cost_credits: float | None


class ErrorEvent(TypedDict):
    """The facts of an error."""

    kind: str
    message: str
    task: ReadingEvent | None
    retry_after: float | None
    key_refused: bool
    #: Of a submission: the id in an answer that is no acceptance; of a wait or a read: whose.
    runway_task_id: str
    #: What happened and what to do, in short. Events of earlier versions have neither.
    summary: str
    next_step: str


class TaskEvent(TypedDict):
    """The event of a wait for one generation."""

    runway_task_id: str
    #: Wall clock, seconds since the epoch.
    deadline: float
    cancel_on_kill: bool
    #: ``None`` where the server has said its last word.
    error: ErrorEvent | None


class BatchEvent(TypedDict):
    """The event of a wait for many generations."""

    #: Runway task id → why the wait for it was given up; ``None`` where the server has said its last word.
    ended: dict[str, ErrorEvent | None]
    #: How often in a row the gateway has taken nothing.
    pauses: int


def error_event(decision: Finished | GaveUp) -> ErrorEvent | None:
    """What the event says of an ended wait.

    :param decision: how it ended.
    """
    if isinstance(decision, Finished):
        return None
    error = decision.error
    return {
        "kind": error.kind.value,
        "message": error.message,
        "task": _reading_event(error.task),
        "retry_after": error.retry_after,
        "key_refused": error.key_refused,
        "runway_task_id": error.runway_task_id,
        "summary": error.summary,
        "next_step": error.next_step,
    }


def _reading_event(task: RunwayTask | None) -> ReadingEvent | None:
    if task is None:
        return None
    return {
        "id": task.id,
        "status": task.status.value,
        "progress": task.progress,
        "created_at": task.created_at,
        "estimated_credits": task.estimated_credits,
        "cost_credits": task.cost_credits,
    }


#: Classes that 0.1.0 named in its events.
_OF_0_1_0 = {
    "RunwayTaskTimeoutError": ErrorKind.TASK_TIMEOUT,
    "RunwayTaskLostError": ErrorKind.TASK_LOST,
    "RunwayOutputMissingError": ErrorKind.OUTPUT_MISSING,
    "RunwayReadRefusedError": ErrorKind.READ_REFUSED,
    "RunwayConfigurationError": ErrorKind.CONFIGURATION,
}


def error_in(event: Mapping[str, Any] | None) -> ErrorFacts | None:
    """The facts in an event's error.

    :param event: what the event holds for it, maybe of another version.
    """
    if not isinstance(event, Mapping):
        return None
    old = _OF_0_1_0.get(str(event.get("type")), ErrorKind.READ)
    kind = kind_named(event["kind"]) if "kind" in event else old
    return ErrorFacts(
        kind,
        str(event.get("message") or ""),
        task=_reading_in(event.get("task")),
        retry_after=event.get("retry_after"),
        key_refused=bool(event.get("key_refused")),
        runway_task_id=str(event.get("runway_task_id") or ""),
        summary=str(event.get("summary") or ""),
        next_step=str(event.get("next_step") or ""),
    )


def _reading_in(event: Any) -> RunwayTask | None:
    try:
        return RunwayTask(
            id=str(event["id"]),
            status=TaskStatus(event["status"]),
            progress=event["progress"],
            created_at=event["created_at"],
            estimated_credits=event["estimated_credits"],
            cost_credits=event["cost_credits"],
        )
    except (KeyError, TypeError, ValueError):
        return None  # none, or that of a version which knew another form
