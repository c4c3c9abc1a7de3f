"""Which budgets bound a task: its author's and those of Airflow's configuration. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from airflow_runway.core.journal.budgets import MILLION, Bound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PER_TASK: Final = "max_credits_per_task"
PER_RUN: Final = "max_credits_per_run"
PER_DAY: Final = "max_credits_per_day"


def millionths(credits_: float) -> int:
    """Credits as a whole number, so that sums are exact; never less than they are.

    :param credits_: credits.
    """
    return math.ceil(round(credits_ * MILLION, 3))


def as_credits(amount: int) -> str:
    """An amount, for messages.

    :param amount: millionths of a credit.
    """
    return f"{amount / MILLION:.10g}"


def bound_of(name: str, credits_: float, task: str = "") -> Bound:
    """A bound.

    :param name: as the author knows it.
    :param credits_: the most that may be spent.
    :param task: see :class:`~airflow_runway.core.journal.budgets.Bound`.
    """
    return Bound(name, math.floor(round(credits_ * MILLION, 3)), task)


def least(*bounds: float | None) -> float | None:
    """Of several bounds the one that counts.

    :param bounds: credits; ``None`` = no bound.
    """
    return min((bound for bound in bounds if bound is not None), default=None)


def read_credits(name: str, text: str) -> float | None:
    """A bound in Airflow's configuration.

    :param name: of the option.
    :param text: its value; empty = no bound.
    :raises ValueError: it is no number of credits; a sentence.
    """
    text = text.strip()
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"[runway] {name} is {text[:80]!r}, which is no number of credits")
    return value


def read_days(text: str) -> dict[str, float]:
    """``[runway] max_credits_per_day``: ``500``, or ``500, dag:campaign=2000, team:film=20000``.

    :param text: the option's value; empty = no bound.
    :returns: credits by ``dag:<id>``, ``team:<name>`` and, for every other Dag, ``""``.
    :raises ValueError: it is nothing of the kind; a sentence.
    """
    found: dict[str, float] = {}
    for part in filter(None, (one.strip() for one in text.split(","))):
        who, _, credits_ = part.rpartition("=")
        who = who.strip()
        kind, _, name = who.partition(":")
        amount = read_credits(PER_DAY, credits_)
        if amount is None or who in found or (who and (kind not in {"dag", "team"} or not name)):
            raise ValueError(
                f"[runway] {PER_DAY} holds {part[:80]!r}; it is e.g. 500 (for each Dag), or "
                "500, dag:campaign=2000, team:film=20000, each name once"
            )
        found[who] = amount
    return found


def of_a_day(days: Mapping[str, float], dag_id: str, team_name: str) -> Iterable[tuple[str, str, float]]:
    """The bounds of a day that concern a task.

    :param days: out of :func:`read_days`.
    :param dag_id: the task's Dag.
    :param team_name: its team; empty where Airflow has none.
    :returns: for each the Dag or else the team, the other empty, and the credits.
    """
    of_dag = days.get(f"dag:{dag_id}", days.get(""))
    if of_dag is not None:
        yield dag_id, "", of_dag
    of_team = days.get(f"team:{team_name}") if team_name else None
    if of_team is not None:
        yield "", team_name, of_team
