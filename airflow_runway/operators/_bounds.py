"""Which budgets bound a task: its author's, and those of Airflow's configuration; and where they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_runway.core.journal.bounds import (
    PER_DAY,
    PER_RUN,
    PER_TASK,
    bound_of,
    least,
    of_a_day,
    read_credits,
    read_days,
)
from airflow_runway.core.journal.budgets import task_mark
from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.stores.budgets import Ledgers, of_day, of_run
from airflow_runway.stores.folder import configured_journal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.core.journal.budgets import Bound
    from airflow_runway.core.journal.entries import TaskKey


@dataclass(frozen=True, slots=True)
class Bounds:
    """What bounds the submissions of one task instance."""

    task: TaskKey
    #: Empty where Airflow has no teams.
    team_name: str
    #: Credits over all its tries; ``None`` = no bound.
    per_task: float | None
    #: Credits of its run.
    per_run: float | None
    #: See :func:`airflow_runway.core.journal.bounds.read_days`.
    days: Mapping[str, float]

    @property
    def names(self) -> list[str]:
        """The bounds that there are, as authors know them."""
        given = ((PER_TASK, self.per_task), (PER_RUN, self.per_run))
        is_bounded_by_day = any(of_a_day(self.days, self.task.dag_id, self.team_name))
        return [name for name, bound in given if bound is not None] + [PER_DAY] * is_bounded_by_day

    def by_ledger(self, at: float) -> dict[str, list[Bound]]:
        """The bounds that concern a submission, by the ledger that they are kept in.

        :param at: when it is sent, seconds since the epoch.
        """
        found: dict[str, list[Bound]] = {}
        of_the_run = []
        if self.per_task is not None:
            of_the_run.append(bound_of(PER_TASK, self.per_task, task_mark(self.task)))
        if self.per_run is not None:
            of_the_run.append(bound_of(PER_RUN, self.per_run))
        if of_the_run:
            found[of_run(self.task)] = of_the_run
        for dag_id, team, most in of_a_day(self.days, self.task.dag_id, self.team_name):
            found[of_day(at, dag_id=dag_id, team_name=team)] = [bound_of(PER_DAY, most)]
        return found


def bounds_of(task: TaskKey, team_name: str, *, per_task: float | None, per_run: float | None) -> Bounds:
    """The bounds of a task instance: of two for the run, the lower one.

    :param task: the task instance.
    :param team_name: its team; empty where Airflow has none.
    :param per_task: as its author says.
    :param per_run: as its author says.
    :raises RunwayConfigurationError: Airflow's configuration is wrong; nothing was sent.
    """
    from airflow.configuration import conf

    try:
        run = read_credits(PER_RUN, str(conf.get("runway", "max_credits_per_run", fallback="") or ""))
        days = read_days(str(conf.get("runway", "max_credits_per_day", fallback="") or ""))
    except ValueError as error:
        raise RunwayConfigurationError(f"{error}. Nothing was sent.") from None
    return Bounds(task, team_name, per_task, least(per_run, run), days)


def ledgers_for(bounds: Bounds, *, is_dry_run: bool = False) -> Ledgers | None:
    """Where bounds are kept; ``None`` where there are none.

    :param bounds: of a task instance.
    :param is_dry_run: whether nothing is written.
    :raises RunwayConfigurationError: there is no journal folder, or no usable one; nothing was sent.
    """
    if not bounds.names:
        return None
    journal = configured_journal()
    if journal is None:
        raise RunwayConfigurationError(
            f"{' and '.join(bounds.names)} cannot be kept: [runway] journal is not configured, where tasks see what "
            "others have reserved. Nothing was sent. Configure a journal folder, or take the bound away."
        )
    return Ledgers(journal.files, is_dry_run)
