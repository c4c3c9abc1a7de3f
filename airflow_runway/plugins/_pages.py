"""The pages as HTML."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache, cached_property, partial
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from airflow_runway.core.gallery.batches import batch_of
from airflow_runway.core.gallery.generations import Generation, Shown
from airflow_runway.plugins._address import prefix, root

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_runway.core.gallery.batches import BatchRecord
    from airflow_runway.core.gallery.records import TaskRecord
    from airflow_runway.plugins._tiles import Tiles

#: Generations on one page.
PAGE: Final = 250


@dataclass(frozen=True)
class Page:
    """What a page shows."""

    dag_id: str
    run_id: str
    every: Sequence[Generation]
    records: Sequence[TaskRecord]
    #: Only those, where it is a word of :class:`~airflow_runway.core.gallery.generations.Shown`.
    state: str
    #: From 1.
    number: int
    #: Task id and map index, on a page of one task instance.
    task: tuple[str, int] | None = None

    @cached_property
    def counts(self) -> list[tuple[Shown, int]]:
        """How many are in each state that there is."""
        counts = Counter(one.shown for one in self.every)
        return [(shown, counts[shown]) for shown in Shown if counts[shown]]

    @cached_property
    def filtered(self) -> Sequence[Generation]:
        """Those that were asked for."""
        if self.state not in set(Shown):
            return self.every
        return [one for one in self.every if one.shown == self.state]

    @property
    def here(self) -> Sequence[Generation]:
        """Those on this page."""
        return self.filtered[(self.number - 1) * PAGE : self.number * PAGE]

    @property
    def last(self) -> int:
        """The number of the last page."""
        return max(1, -(-len(self.filtered) // PAGE))

    @property
    def batches(self) -> list[tuple[TaskRecord, BatchRecord]]:
        """The batches of the run, as far as they are written down."""
        found = [(record, batch_of(record.notes)) for record in self.records]
        return [(record, batch) for record, batch in found if batch is not None]

    @property
    def is_under_way(self) -> bool:
        """Whether a look in some seconds may show something else."""
        return any(one.shown in {Shown.RUNNING, Shown.WAITING} for one in self.every) or any(
            one.state in {"running", "deferred"} for one in self.records
        )

    def url(self, *, state: str | None = None, page: int = 1) -> str:
        """The address of the same page, filtered, or of another part of it.

        :param state: only that one; ``""`` = all; ``None`` = as now.
        :param page: from 1.
        """
        query: dict[str, object] = {"run_id": self.run_id}
        if self.task is not None:
            query |= {"task_id": self.task[0], "map_index": self.task[1]}
        wanted = self.state if state is None else state
        if wanted:
            query["state"] = wanted
        if page > 1:
            query["page"] = page
        name = "gallery" if self.task is None else "clips"
        return f"{prefix()}/{name}/{quote(self.dag_id, safe='')}?{urlencode(query)}"


def task_url(base: str, record: TaskRecord) -> str:
    """A task instance in Airflow's UI.

    :param base: the path below which that is.
    :param record: of the task instance.
    """
    parts = [quote(one, safe="") for one in (record.dag_id, record.run_id, record.task_id)]
    index = f"/mapped/{record.map_index}" if record.map_index >= 0 else ""
    return f"{base}/dags/{parts[0]}/runs/{parts[1]}/tasks/{parts[2]}{index}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("airflow_runway.plugins"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.globals.update(Shown=Shown)
    return environment


def rendered(page: Page, tiles: Tiles) -> str:
    """A page as HTML.

    :param page: what it shows.
    :param tiles: makes the tiles.
    """
    template = _environment().get_template("gallery.html")
    return template.render(
        page=page,
        tiles=tiles.of(page.here),
        static=f"{prefix()}/static",
        task_url=partial(task_url, root()),
    )
