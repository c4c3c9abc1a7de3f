"""What was charged and refunded, by day and model (contracts §1.6)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_runway.emulator.world.world import World

#: UTC day → model → credits.
UsedCredits = dict[date, dict[str, float]]


def used_credits(world: World, gateway: str) -> UsedCredits:
    """The credits used on each day; a day with more refunds than charges has a negative amount.

    :param world: where the tasks are.
    :param gateway: gateway name.
    """
    days: UsedCredits = {}
    for task in world.tasks():
        if task.gateway != gateway:
            continue
        snapshot = world.observe(task)
        _add(days, task.created_at, task.model, task.credits)
        if snapshot.refunded:
            _add(days, snapshot.finished_at, task.model, -snapshot.refunded)
    return days


def _add(days: UsedCredits, epoch: float, model: str, amount: float) -> None:
    day = days.setdefault(datetime.fromtimestamp(epoch, UTC).date(), {})
    day[model] = day.get(model, 0) + amount
