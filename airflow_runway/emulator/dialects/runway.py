"""A task as the JSON body that Runway itself shows (contracts §1): members as published."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_runway.core.models import TaskStatus

if TYPE_CHECKING:
    from airflow_runway.emulator.world.routers import Router, Row
    from airflow_runway.emulator.world.task import Snapshot, WorldTask


def created(task: WorldTask, *, costs: bool) -> dict[str, object]:
    """The answer to a creation (contracts §1.1).

    :param task: the task that was just accepted.
    :param costs: with the estimate, as since mid-2026.
    """
    estimate = _credits(task.credits)
    if task.route.startswith("generate/"):
        return {"id": task.id, "routing": _routing(task, estimate)}
    # avatar_videos and workflows give no estimate (contracts §1.1, contracts §1.7).
    if not costs or task.is_invocation or task.route == "avatar_videos":
        return {"id": task.id}
    return {"id": task.id, "estimatedCost": estimate}


def read(snapshot: Snapshot, output: list[str], *, costs: bool) -> dict[str, object]:
    """A read of a task (contracts §1.2).

    :param snapshot: the task now.
    :param output: links to its results; shown only when it has succeeded.
    :param costs: with the money, as since mid-2026.
    """
    body = flat(snapshot, output, iso(snapshot.task.created_at))
    if costs and snapshot.cost is None:
        body["estimatedCost"] = _credits(snapshot.task.credits)
    elif costs and snapshot.cost is not None:
        body["cost"] = _credits(snapshot.cost)
    return body


def read_invocation(snapshot: Snapshot, output: dict[str, list[str]], *, costs: bool) -> dict[str, object]:
    """A read of a run of a workflow (contracts §1.7).

    :param snapshot: the run now.
    :param output: links by node id, of the nodes that have finished.
    :param costs: with the money.
    """
    body = flat(snapshot, [], iso(snapshot.task.created_at))
    if snapshot.status in (TaskStatus.RUNNING, TaskStatus.SUCCEEDED):
        body["output"] = output
    if costs and snapshot.status in (TaskStatus.SUCCEEDED, TaskStatus.FAILED) and snapshot.cost is not None:
        body["cost"] = _credits(snapshot.cost)
    if snapshot.status is TaskStatus.SUCCEEDED and snapshot.task.lifecycle.node_errors:
        error = {"nodeName": "Video", "message": "The node failed.", "failureCode": "INTERNAL"}
        body["nodeErrors"] = {node: dict(error) for node in node_ids(snapshot.task)[1:]}
    return body


def router(shown: Router) -> dict[str, object]:
    """A router (contracts §1.7).

    :param shown: the router.
    """
    return {
        "id": shown.id,
        "slug": shown.slug,
        "name": shown.slug,
        "description": None,
        "createdAt": iso(shown.created_at),
        "updatedAt": iso(shown.created_at),
        "version": 1,
        "settings": {"schemaVersion": 1},
    }


def routed(row: Row) -> dict[str, object]:
    """A row of a router's requests (contracts §1.7).

    :param row: the request.
    """
    return {
        "id": row.id,
        "requestId": row.request_id,
        "createdAt": iso(row.created_at),
        "status": "routed",
        "taskId": row.runway_task_id,
        "model": row.model,
        "provider": "runway",
        "estimatedCredits": row.credits,
        "reason": None,
        "reasonCode": "only_eligible_model",
        "emptiedBy": [],
        "pipeline": [{"type": "rank", "outcome": "single_candidate"}],
    }


def node_ids(task: WorldTask) -> list[str]:
    """The ids of the workflow's nodes that give an output, in the order of the task's jobs.

    :param task: a run of a workflow.
    """
    return [f"{index:08x}-{task.id[9:]}" for index in range(1, len(task.jobs) + 1)]


def flat(snapshot: Snapshot, output: list[str], created_at: str) -> dict[str, object]:
    """Runway's members without the money, which all flat forms share.

    :param snapshot: the task now.
    :param output: links to its results.
    :param created_at: the moment as the service writes it.
    """
    body: dict[str, object] = {
        "id": snapshot.task.id,
        "status": snapshot.status.value,
        "createdAt": created_at,
    }
    if snapshot.status is TaskStatus.RUNNING:
        body["progress"] = snapshot.progress
    elif snapshot.status is TaskStatus.SUCCEEDED:
        body["output"] = output
    elif snapshot.status is TaskStatus.FAILED:
        body["failure"] = failure_of(snapshot)
        if snapshot.task.lifecycle.failure_code is not None:
            body["failureCode"] = snapshot.task.lifecycle.failure_code
    return body


def failure_of(snapshot: Snapshot) -> str:
    """Text for humans, of a task that has failed.

    :param snapshot: the task now.
    """
    return snapshot.task.lifecycle.failure or "An unexpected error occurred."


def iso(epoch: float) -> str:
    """A moment as Runway writes it: UTC, milliseconds, ``Z``.

    :param epoch: epoch seconds.
    """
    return datetime.fromtimestamp(epoch, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _routing(task: WorldTask, estimate: dict[str, float]) -> dict[str, object]:
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
