"""One accepted creation, and how it looks at one moment."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_runway.core.models import TaskStatus

if TYPE_CHECKING:
    from airflow_runway.emulator.world.job import Job
    from airflow_runway.emulator.world.lifecycle import Lifecycle


@dataclass(slots=True)
class WorldTask:
    """One accepted creation. Stays in the world for the ledger even after it was cancelled or deleted."""

    id: str
    gateway: str
    route: str
    model: str
    #: What was charged when it was accepted.
    credits: float
    #: What it makes, one job per output; never empty.
    jobs: tuple[Job, ...]
    lifecycle: Lifecycle
    #: World time of the creation, and the same moment as real epoch seconds.
    created: float
    created_at: float
    #: The router that was asked, of a ``generate/*`` creation.
    config_id: str = ""
    #: How many reads asked for it.
    reads: int = 0
    #: World time at which one of its model's places became its own; ``None`` = it waits for one.
    admitted: float | None = None
    #: World time of its cancellation or deletion.
    removed: float | None = None
    #: Whether its refund, if any, is part of the balance.
    is_settled: bool = False

    @property
    def job(self) -> Job:
        """What its first output is."""
        return self.jobs[0]

    @property
    def is_invocation(self) -> bool:
        """Whether it is a run of a workflow, which has another address than a task (contracts §1.7)."""
        return self.route.startswith("workflows/")

    @property
    def ends(self) -> float:
        """World time at which it gives its place back; infinite if nobody knows."""
        planned = math.inf if self.admitted is None else self.admitted + self.lifecycle.ends
        return planned if self.removed is None else min(planned, self.removed)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A task at one moment. ``started_at`` and ``finished_at`` are real epoch seconds, 0 = not yet."""

    task: WorldTask
    status: TaskStatus
    progress: float
    #: Credits charged for good, once final.
    cost: float | None
    started_at: float
    finished_at: float
    #: Cancelled, or deleted after it had finished.
    removed: bool
    #: Whether a gateway that stores tasks late shows it already.
    visible: bool

    @property
    def refunded(self) -> float:
        """Credits given back."""
        return 0.0 if self.cost is None else self.task.credits - self.cost

    @property
    def word(self) -> str:
        """The status, or ``DELETED`` of a task that was deleted after it had finished."""
        deleted = self.removed and self.status is not TaskStatus.CANCELLED
        return "DELETED" if deleted else self.status.value

    @property
    def outputs_ready(self) -> int:
        """How many of the task's outputs can be had."""
        count = len(self.task.jobs)
        if self.removed:
            return 0
        if self.status is TaskStatus.SUCCEEDED:
            return 1 if self.task.lifecycle.node_errors else count
        # The nodes of a workflow finish one after the other (contracts §1.7).
        running = self.status is TaskStatus.RUNNING and self.task.is_invocation
        return int(self.progress * count) if running else 0
