"""What one generation may cost at most: known only once it was accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.core.models import CancelOutcome
from airflow_runway.exceptions import RunwayBudgetError, RunwayError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_runway.core.journal.submission import Record
    from airflow_runway.hooks._ports import ReadsTasks
    from airflow_runway.telemetry import Log


def keep_to_budget(
    hook: ReadsTasks, record: Record, most: float | None, cancel: Callable[[], CancelOutcome], log: Log
) -> None:
    """Cancel a generation at once that may cost more than it may.

    :param hook: the connection.
    :param record: of the generation, accepted just now.
    :param most: credits; ``None`` = no bound.
    :param cancel: cancels it, and records that.
    :param log: the task's log.
    :raises RunwayBudgetError: telling what became of it, and what it cost.
    """
    estimate = record.estimated_credits
    if most is None or estimate is None or estimate <= most:
        return
    outcome = cancel()
    if outcome is CancelOutcome.ALREADY_FINISHED:
        # Paid for, and there: an earlier try left it, or it was very quick.
        log.warning("Runway task %s was dearer than max_credits, and has ended.", record.runway_task_id)
        return
    cost = _cost_of(hook, record.runway_task_id)
    raise RunwayBudgetError(
        f"Runway task {record.runway_task_id} may cost {estimate:g} credits, more than max_credits={most:g}; "
        f"cancelling it at once: {outcome}. Its cost {'is not told' if cost is None else f'was {cost:g} credits'}. "
        "Raise max_credits or make the request smaller, then clear this task."
    )


def _cost_of(hook: ReadsTasks, runway_task_id: str) -> float | None:
    try:
        return hook.get_task(runway_task_id).cost_credits
    except RunwayError:
        return None
