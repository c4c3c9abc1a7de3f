"""What generations cost, counted once each, however many records and manifests tell of them. Pure.

A generation is known by its gateway account and its Runway task id. Several sources may tell of one: records of
several task instances (it was picked up again, or an error named it to another task), the manifest of its files, the
line of a batch. Two sources with one id mean one generation, unless they name different gateways or origins. (A
record's digest of the key has a salt of its own, so that no two can be compared; a new key is no new account anyway.)

Of each generation the charge counts where anybody was told it, else the estimate, and apart from that; where neither
is known it is counted as one of unknown price, and adds to no sum. A lost answer is no generation: it may have been
charged, and nobody knows.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from math import fsum
from typing import TYPE_CHECKING

from airflow_runway.core.journal.costs import Cost

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class By(StrEnum):
    """What costs are told apart by."""

    DAG = "dag"
    TEAM = "team"
    MODEL = "model"
    ROUTE = "route"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class Sum:
    """Credits of several generations. ``generations`` is the sum of the other counts but :attr:`lost`."""

    generations: int = 0
    charged: float = 0.0
    #: Generations whose charge is known.
    charged_of: int = 0
    #: Of those whose charge nobody was told: the most that they may cost.
    estimated: float = 0.0
    estimated_of: int = 0
    #: Generations of which neither is known; they are in no sum of credits.
    unknown: int = 0
    #: Lost answers, each of which may have been charged; they are in no sum of credits.
    lost: int = 0


def counted_once(costs: Iterable[Cost]) -> list[Cost]:
    """Each generation, and each lost answer, once.

    :param costs: what all sources say, in any order.
    """
    by_id: dict[str, list[Cost]] = {}
    lost: dict[tuple[str, ...], Cost] = {}
    together: list[Cost] = []
    for cost in sorted(costs, key=_order):
        if len(cost.ids) > 1:
            together.append(cost)
        elif cost.ids:
            _merge_into(by_id.setdefault(cost.ids[0], []), cost)
        else:
            lost.setdefault(cost.lost, cost)
    single = [cost for group in by_id.values() for cost in group]
    return [*single, *_what_is_left(together, single), *lost.values()]


def _order(cost: Cost) -> tuple[object, ...]:
    """Those that say most of whose it is come first, the task that spent before others, the earliest before later."""
    return (
        not cost.gateway, not cost.origin, not cost.is_spender, cost.at is None, cost.at or 0.0, cost.ids, cost.lost,
        cost.dag_id, cost.run_id, cost.team_name, cost.route, cost.model, cost.gateway, cost.origin,
        -(cost.estimated or 0.0), -(cost.charged or 0.0),
    )  # fmt: skip


def _merge_into(group: list[Cost], cost: Cost) -> None:
    for place, other in enumerate(group):
        if all(one == two or not one or not two for one, two in _whereabouts(other, cost)):
            group[place] = _merged(other, cost)
            return
    group.append(cost)


def _whereabouts(one: Cost, two: Cost) -> tuple[tuple[str, str], ...]:
    return (one.gateway, two.gateway), (one.origin, two.origin)


def _merged(one: Cost, two: Cost) -> Cost:
    first, second = (two, one) if two.is_spender and not one.is_spender else (one, two)
    owner = first if first.dag_id else second
    return Cost(
        ids=one.ids,
        # Somebody knows of it.
        is_open=one.is_open and two.is_open,
        charged=_most(one.charged, two.charged),
        estimated=_most(one.estimated, two.estimated),
        gateway=one.gateway or two.gateway,
        origin=one.origin or two.origin,
        dag_id=owner.dag_id,
        run_id=owner.run_id,
        team_name=first.team_name or second.team_name,
        route=first.route or second.route,
        model=first.model or second.model,
        # It is saved after it was sent.
        at=min((at for at in (one.at, two.at) if at is not None), default=None),
        is_spender=first.is_spender,
    )


def _most(one: float | None, two: float | None) -> float | None:
    return max((value for value in (one, two) if value is not None), default=None)


def _what_is_left(together: list[Cost], single: list[Cost]) -> list[Cost]:
    """Generations known only together, without those that are known one by one.

    What an item of a batch has spent only grows: of two sums with an id in common the larger holds the other.
    """
    prices = {cost.ids[0]: _price(cost) or 0.0 for cost in single}
    left, seen = [], set[str]()
    for cost in sorted(together, key=lambda one: (-(one.estimated or 0.0), -len(one.ids))):
        if seen.intersection(cost.ids):
            continue
        seen.update(cost.ids)
        ids = tuple(one for one in cost.ids if one not in prices)
        rest = (cost.estimated or 0.0) - fsum(prices.get(one, 0.0) for one in cost.ids)
        if ids:
            left.append(replace(cost, ids=ids, estimated=rest if rest > 0 else None))
    return left


def _price(cost: Cost) -> float | None:
    return cost.estimated if cost.charged is None else cost.charged


def sum_of(costs: Iterable[Cost]) -> Sum:
    """The sum of some costs.

    :param costs: out of :func:`counted_once`.
    """
    accepted: list[Cost] = []
    lost = 0
    for cost in costs:
        if cost.is_open:
            lost += 1
        else:
            accepted.append(cost)
    charged = [cost for cost in accepted if cost.charged is not None]
    estimated = [cost for cost in accepted if cost.charged is None and cost.estimated is not None]
    generations = sum(len(cost.ids) for cost in accepted)
    charged_of, estimated_of = (sum(len(cost.ids) for cost in some) for some in (charged, estimated))
    return Sum(
        generations,
        fsum(cost.charged or 0.0 for cost in charged),
        charged_of,
        fsum(cost.estimated or 0.0 for cost in estimated),
        estimated_of,
        generations - charged_of - estimated_of,
        lost,
    )


def selected(
    costs: Iterable[Cost], *, dag_id: str | None = None, run_id: str | None = None, since: float | None = None
) -> list[Cost]:
    """Some of the costs. What has no known time is kept: leaving it out would say that it was before.

    :param costs: out of :func:`counted_once`.
    :param dag_id: of that Dag only.
    :param run_id: of that run only.
    :param since: sent at that moment or later, seconds since the epoch.
    """
    return [
        cost
        for cost in costs
        if dag_id in {None, cost.dag_id}
        and run_id in {None, cost.run_id}
        and (since is None or cost.at is None or cost.at >= since)
    ]


def day_of(at: float | None) -> str:
    """The day of a moment, in UTC; empty where it is not known.

    :param at: seconds since the epoch.
    """
    try:
        return "" if at is None else datetime.fromtimestamp(at, UTC).date().isoformat()
    except (OverflowError, OSError, ValueError):
        return ""


_KEYS: dict[By, Callable[[Cost], str]] = {
    By.DAG: lambda cost: cost.dag_id,
    By.TEAM: lambda cost: cost.team_name,
    By.MODEL: lambda cost: cost.model,
    By.ROUTE: lambda cost: cost.route,
    By.DAY: lambda cost: day_of(cost.at),
}


def sums_by(costs: Iterable[Cost], by: By) -> dict[str, Sum]:
    """Costs told apart; what cannot be told stands under an empty name, at the end.

    :param costs: out of :func:`counted_once`.
    :param by: by what.
    """
    parts: dict[str, list[Cost]] = {}
    for cost in costs:
        parts.setdefault(_KEYS[by](cost), []).append(cost)
    return {name: sum_of(parts[name]) for name in sorted(parts, key=lambda name: (not name, name))}
