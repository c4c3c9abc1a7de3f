"""Routers of ``generate/*``, and the list of what each has been asked (contracts §1.7).

A router is there once a creation names it: nobody has to make one first. Routers and rows are of the one account.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

if TYPE_CHECKING:
    from airflow_runway.emulator.world.task import WorldTask
    from airflow_runway.emulator.world.world import World


@dataclass(frozen=True, slots=True)
class Row:
    """A request that a router has passed on to a model."""

    runway_task_id: str
    model: str
    credits: float
    #: Real epoch seconds.
    created_at: float
    #: World time from which on it is shown.
    shown: float
    id: str = field(default_factory=lambda: str(uuid4()))
    request_id: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True, slots=True)
class Router:
    """One router, and its rows in the order of their creation."""

    slug: str
    #: Real epoch seconds.
    created_at: float
    id: str = field(default_factory=lambda: str(uuid4()))
    rows: list[Row] = field(default_factory=list)


class RouterBook:
    """All routers.

    :param world: whose time counts.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._routers: dict[str, Router] = {}

    def note(self, task: WorldTask, *, late: float = 0.0) -> None:
        """Adds the row of a creation, and its router if it is new.

        :param task: of ``generate/*``.
        :param late: world seconds until the row is shown.
        """
        self._add(task, task.id, task.created_at, late)

    def note_foreign(self, task: WorldTask, *, after: float) -> None:
        """Adds a row by somebody else, of a generation that is none of this emulator's and charges nothing here.

        :param task: the creation beside which it stands.
        :param after: real seconds from its time to that of the row.
        """
        self._add(task, str(uuid4()), task.created_at + after, 0.0)

    def _add(self, task: WorldTask, runway_task_id: str, created_at: float, late: float) -> None:
        router = self._routers.setdefault(task.config_id, Router(task.config_id, task.created_at))
        router.rows.append(Row(runway_task_id, task.model, task.credits, created_at, task.created + late))

    def all(self) -> list[Router]:
        """Every router, oldest first."""
        return list(self._routers.values())

    def get(self, router_id: str) -> Router | None:
        """The router of an id; not of a slug.

        :param router_id: as :meth:`all` shows it.
        """
        return next((router for router in self._routers.values() if router.id == router_id), None)

    def shown(self, router: Router) -> list[Row]:
        """The rows that can be seen by now, newest first.

        :param router: whose.
        """
        now = self._world.now()
        rows = [row for row in router.rows if row.shown <= now]
        return sorted(rows, key=lambda row: row.created_at, reverse=True)

    def clear(self) -> None:
        """Forgets all."""
        self._routers.clear()
