"""A task of the world as the JSON body that each gateway shows: members present and absent as published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from airflow_runway.emulator.world import Snapshot, WorldTask

#: The wrapper's inner times carry this zone (contracts 2.4, CB).
_CHINA = timezone(timedelta(hours=8))

#: Outer words of the new-api wrapper (contracts 2.4, GW).
_WRAPPER_WORDS = {
    TaskStatus.THROTTLED: "QUEUED",
    TaskStatus.PENDING: "QUEUED",
    TaskStatus.RUNNING: "IN_PROGRESS",
    TaskStatus.SUCCEEDED: "SUCCESS",
}


def created(task: WorldTask) -> dict[str, Any]:
    """The answer to a creation (contracts 1.1, 2.1).

    :param task: the task that was just accepted.
    """
    if task.gateway != "runway" or task.route == "avatar_videos":
        return {"id": task.id}
    estimate = _credits(task.credits)
    if not task.route.startswith("generate/"):
        return {"id": task.id, "estimatedCost": estimate}
    width, height = task.job.size
    routing = {
        "configId": "emulator",
        "model": task.model,
        "provider": "runway",
        "estimatedCost": estimate,
        "resolvedInput": {"duration": task.job.seconds, "ratio": f"{width}:{height}"},
        "resolvedSettings": {"optimizeFor": "quality", "priceCeiling": None},
    }
    return {"id": task.id, "routing": routing}


def official(shot: Snapshot, output: list[str]) -> dict[str, Any]:
    """A read on Runway itself (contracts 1.2: SPEC, CANCELLED from the SDK).

    :param shot: the task now.
    :param output: links to its results; shown only when it has succeeded.
    """
    body = _flat(shot, output, iso(shot.task.created_at))
    if shot.cost is None:
        body["estimatedCost"] = _credits(shot.task.credits)
    else:
        body["cost"] = _credits(shot.cost)
    return body


def cometapi_flat(shot: Snapshot, output: list[str]) -> dict[str, Any]:
    """A read on CometAPI, newer form: Runway's members without the money (contracts 2.4, CC).

    :param shot: the task now.
    :param output: links to its results.
    """
    return _flat(shot, output, iso(shot.task.created_at))


def cometapi_wrapper(shot: Snapshot, output: list[str]) -> dict[str, Any]:
    """A read on CometAPI inside the gateway's own record (contracts 2.4, CB and GW).

    :param shot: the task now.
    :param output: links to its results.
    """
    task = shot.task
    zoned = datetime.fromtimestamp(int(task.created_at), _CHINA).isoformat()
    inner = _flat(shot, output, zoned)
    record = {
        "task_id": task.id,
        "action": task.route.upper(),
        "status": _WRAPPER_WORDS.get(shot.status, "FAILURE"),
        "fail_reason": inner.get("failure", ""),
        "submit_time": int(task.created_at),
        "start_time": int(shot.started_at),
        "finish_time": int(shot.finished_at),
        "progress": f"{round(shot.progress * 100)}%",
        "data": inner,
    }
    return {"code": "success", "message": "", "data": record}


def _flat(shot: Snapshot, output: list[str], created_at: str) -> dict[str, Any]:
    body: dict[str, Any] = {"id": shot.task.id, "status": shot.status.value, "createdAt": created_at}
    if shot.status is TaskStatus.RUNNING:
        body["progress"] = shot.progress
    elif shot.status is TaskStatus.SUCCEEDED:
        body["output"] = output
    elif shot.status is TaskStatus.FAILED:
        body["failure"] = shot.task.plan.failure or "An unexpected error occurred."
        if shot.task.plan.failure_code is not None:
            body["failureCode"] = shot.task.plan.failure_code
    return body


def _credits(amount: float) -> dict[str, float]:
    return {"credits": int(amount) if amount == int(amount) else amount}


def iso(epoch: float) -> str:
    """A moment as Runway writes it: UTC, milliseconds, ``Z``.

    :param epoch: epoch seconds.
    """
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
