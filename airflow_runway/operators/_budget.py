"""What a generation may cost at most: known only once it was accepted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.core.journal.bounds import as_credits
from airflow_runway.core.models import CancelOutcome
from airflow_runway.exceptions import RunwayBudgetError, RunwayError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_runway.core.journal.budgets import Bound
    from airflow_runway.core.journal.submission import Record
    from airflow_runway.core.models import RunwayTask
    from airflow_runway.hooks._ports import ReadsTasks
    from airflow_runway.telemetry import Log


def keep_to_budget(
    hook: ReadsTasks,
    record: Record,
    most: float | None,
    exceeded: Bound | None,
    cancel: Callable[[], CancelOutcome],
    log: Log,
) -> None:
    """Cancel a generation at once that may cost more than it may.

    :param hook: the connection.
    :param record: of the generation, accepted just now.
    :param most: credits of this one; ``None`` = no bound.
    :param exceeded: the bound over several that it exceeds; ``None`` = none.
    :param cancel: cancels it, and records that.
    :param log: the task's log.
    :raises RunwayBudgetError: telling what became of it, and what it cost.
    """
    estimate = record.estimated_credits
    if estimate is None:
        return
    if most is not None and estimate > most:
        name, than = "max_credits", f"more than max_credits={most:g}"
    elif exceeded is not None:
        name, than = exceeded.name, f"more than is left of {exceeded.name}={as_credits(exceeded.most)}"
    else:
        return
    outcome = cancel()
    if outcome is CancelOutcome.ALREADY_FINISHED:
        # Paid for, and there: an earlier try left it, or it was very quick.
        log.warning("Runway task %s was dearer than %s, and has ended.", record.runway_task_id, name)
        return
    task = _read(hook, record.runway_task_id)
    cost = task.cost_credits if task else None
    told = "is not told" if cost is None else f"was {cost:g} credits"
    raise RunwayBudgetError(
        f"Runway task {record.runway_task_id} may cost {estimate:g} credits, {than}; cancelling it at once: "
        f"{outcome}. Its cost {told}. Raise {name} or make the request smaller, then clear this task.",
        task=task,
        runway_task_id=record.runway_task_id,
        summary=f"Runway task {record.runway_task_id} is too dear ({estimate:g} credits)",
        next_step=f"Raise {name}, then clear this task",
    )


def _read(hook: ReadsTasks, runway_task_id: str) -> RunwayTask | None:
    try:
        return hook.get_task(runway_task_id)
    except RunwayError:
        return None
