"""An operator that submits within what it may spend, alone and together with others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_runway.core.owner import Owner
from airflow_runway.exceptions import RunwayBudgetError
from airflow_runway.operators._budget import keep_to_budget
from airflow_runway.operators._reservations import submitted
from airflow_runway.operators._stoppable import StoppableSubmission

if TYPE_CHECKING:
    from airflow_runway.core.journal.submission import Record
    from airflow_runway.core.models import CancelOutcome
    from airflow_runway.operators._budgets import Budget
    from airflow_runway.stores.submission import SubmissionStore


class BudgetedSubmission(StoppableSubmission):
    """Reserves before it submits, cancels what turns out too dear, and notes what was charged."""

    max_credits: float | None
    max_credits_per_task: float | None
    max_credits_per_run: float | None

    def budget(self, store: SubmissionStore, *, is_dry_run: bool = False) -> Budget:
        """What bounds this task together with others.

        :param store: the task's journal.
        :param is_dry_run: whether nothing is written.
        """
        from airflow_runway.operators._budgets import Budget

        return Budget(
            store.owner or Owner("", "", ""),
            self.hook.settings.gateway.name,
            per_task=self.max_credits_per_task,
            per_run=self.max_credits_per_run,
            per_generation=self.max_credits,
            pause=self.pause_before_sending,
            is_dry_run=is_dry_run,
            log=self.log,
        )

    def keep_within(self, budget: Budget, store: SubmissionStore, record: Record, *, is_new: bool) -> None:
        """Note what a generation may cost, and cancel at once what was accepted just now and is too dear.

        :param budget: what bounds it together with others.
        :param store: the task's journal.
        :param record: of the generation.
        :param is_new: whether this very try has submitted it.
        :raises RunwayBudgetError: it was cancelled; telling what it cost.
        """
        exceeded = budget.accepted(submitted(record))
        if not is_new:
            return
        try:
            keep_to_budget(
                self.hook, record, self.max_credits, exceeded, lambda: self.cancel_recorded(store), self.log
            )
        except RunwayBudgetError as error:
            self.note_charge(budget, store, error.task.cost_credits if error.task else None)
            raise

    def cancel_recorded(self, store: SubmissionStore) -> CancelOutcome:
        """Cancel the generation, and record that.

        :param store: the task's journal.
        """
        outcome = self.hook.cancel_task(self._runway_task_id)
        store.close(f"stopped: {outcome}")
        return outcome

    @staticmethod
    def note_charge(budget: Budget, store: SubmissionStore, charged: float | None) -> None:
        """Note in the budgets what a generation was charged.

        :param budget: what bounds it together with others.
        :param store: the task's journal.
        :param charged: credits; ``None`` = not told, so that the estimate still counts.
        """
        if charged is not None and store.record is not None and not store.record.is_open:
            budget.settled(submitted(store.record), charged)


def most_credits(name: str, value: float | None) -> float | None:
    """An argument that is the most that may be spent; checked when the Dag is parsed.

    :param name: the argument's name.
    :param value: credits; ``None`` = no bound.
    :raises ValueError: it is no number of credits.
    """
    if value is not None and (
        isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf
    ):
        raise ValueError(f"{name} must be a number of credits or None, not {value!r}")
    return value
