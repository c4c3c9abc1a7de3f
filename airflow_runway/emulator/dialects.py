"""A task of the world as the JSON body that Runway itself shows (contracts 1): members as published.

The gateways' bodies are in :mod:`~airflow_runway.emulator.dialects_cometapi` and
:mod:`~airflow_runway.emulator.dialects_gptplus5`.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from airflow_runway.emulator.world import Snapshot, WorldTask


def created(task: WorldTask, *, costs: bool) -> dict[str, Any]:
    """The answer to a creation (contracts 1.1).

    :param task: the task that was just accepted.
    :param costs: with the estimate, as since mid-2026.
    """
    estimate = _credits(task.credits)
    if task.route.startswith("generate/"):
        return {"id": task.id, "routing": _routing(task, estimate)}
    # avatar_videos and workflows never had an estimate here (SDK).
    if not costs or task.is_invocation or task.route == "avatar_videos":
        return {"id": task.id}
    return {"id": task.id, "estimatedCost": estimate}


def official(shot: Snapshot, output: list[str], *, costs: bool) -> dict[str, Any]:
    """A read of a task (contracts 1.2: SPEC, CANCELLED from the SDK).

    :param shot: the task now.
    :param output: links to its results; shown only when it has succeeded.
    :param costs: with the money, as since mid-2026.
    """
    body = flat(shot, output, iso(shot.task.created_at))
    if costs and shot.cost is None:
        body["estimatedCost"] = _credits(shot.task.credits)
    elif costs and shot.cost is not None:
        body["cost"] = _credits(shot.cost)
    return body


def invocation(shot: Snapshot, output: dict[str, list[str]], *, costs: bool) -> dict[str, Any]:
    """A read of a run of a workflow (contracts 1.7: SPEC, ``nodeErrors`` and costs from the SDK).

    :param shot: the run now.
    :param output: links by node id, of the nodes that have finished.
    :param costs: with the money.
    """
    body = flat(shot, [], iso(shot.task.created_at))
    if shot.status in (TaskStatus.RUNNING, TaskStatus.SUCCEEDED):
        body["output"] = output
    if costs and shot.status in (TaskStatus.SUCCEEDED, TaskStatus.FAILED) and shot.cost is not None:
        body["cost"] = _credits(shot.cost)
    if shot.status is TaskStatus.SUCCEEDED and shot.task.plan.node_errors:
        error = {"nodeName": "Video", "message": "The node failed.", "failureCode": "INTERNAL"}
        body["nodeErrors"] = {node: dict(error) for node in node_ids(shot.task)[1:]}
    return body


def node_ids(task: WorldTask) -> list[str]:
    """The ids of the workflow's nodes that give an output, in the order of the task's jobs.

    :param task: a run of a workflow.
    """
    return [f"{index:08x}-{task.id[9:]}" for index in range(1, len(task.jobs) + 1)]


def flat(shot: Snapshot, output: list[str], created_at: str) -> dict[str, Any]:
    """Runway's members without the money, which all flat forms share.

    :param shot: the task now.
    :param output: links to its results.
    :param created_at: the moment as the service writes it.
    """
    body: dict[str, Any] = {"id": shot.task.id, "status": shot.status.value, "createdAt": created_at}
    if shot.status is TaskStatus.RUNNING:
        body["progress"] = shot.progress
    elif shot.status is TaskStatus.SUCCEEDED:
        body["output"] = output
    elif shot.status is TaskStatus.FAILED:
        body["failure"] = failure_of(shot)
        if shot.task.plan.failure_code is not None:
            body["failureCode"] = shot.task.plan.failure_code
    return body


def failure_of(shot: Snapshot) -> str:
    """Text for humans, of a task that has failed.

    :param shot: the task now.
    """
    return shot.task.plan.failure or "An unexpected error occurred."


def iso(epoch: float) -> str:
    """A moment as Runway writes it: UTC, milliseconds, ``Z``.

    :param epoch: epoch seconds.
    """
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _routing(task: WorldTask, estimate: dict[str, float]) -> dict[str, Any]:
    width, height = task.job.size
    return {
        "configId": task.config_id,
        "model": task.model,
        "provider": "runway",
        "estimatedCost": estimate,
        "resolvedInput": {"duration": task.job.seconds, "ratio": f"{width}:{height}"},
        "resolvedSettings": {"optimizeFor": "quality", "priceCeiling": None},
    }


def _credits(amount: float) -> dict[str, float]:
    return {"credits": int(amount) if amount == int(amount) else amount}
