"""All tasks and all charges, as the control surface shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from airflow_runway.emulator.dialects.runway import iso

if TYPE_CHECKING:
    from airflow_runway.emulator.world.task import Snapshot
    from airflow_runway.emulator.world.world import World


class Charge(TypedDict):
    """One charge. ``status`` is the task's, or ``DELETED``."""

    runway_task_id: str
    gateway: str
    route: str
    model: str
    credits: float
    refunded_credits: float
    status: str
    created_at: str


class Ledger(TypedDict):
    """All charges, and their total after refunds."""

    charges: list[Charge]
    total_credits: float


class TaskOverview(TypedDict):
    """One task, and how often it was read. ``status`` as in :class:`Charge`."""

    id: str
    gateway: str
    route: str
    status: str
    progress: float
    reads: int


def ledger(world: World) -> Ledger:
    """Every charge, oldest first.

    :param world: where the tasks are.
    """
    charges = [_charge(world.observe(task)) for task in world.tasks()]
    total = sum(charge["credits"] - charge["refunded_credits"] for charge in charges)
    return {"charges": charges, "total_credits": total}


def task_list(world: World) -> list[TaskOverview]:
    """Every task, oldest first.

    :param world: where they are.
    """
    return [_overview(world.observe(task)) for task in world.tasks()]


def _charge(snapshot: Snapshot) -> Charge:
    task = snapshot.task
    return {
        "runway_task_id": task.id,
        "gateway": task.gateway,
        "route": task.route,
        "model": task.model,
        "credits": task.credits,
        "refunded_credits": snapshot.refunded,
        "status": snapshot.word,
        "created_at": iso(task.created_at),
    }


def _overview(snapshot: Snapshot) -> TaskOverview:
    task = snapshot.task
    return {
        "id": task.id,
        "gateway": task.gateway,
        "route": task.route,
        "status": snapshot.word,
        "progress": snapshot.progress,
        "reads": task.reads,
    }
