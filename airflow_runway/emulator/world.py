"""The emulated world: tasks, their lives over time, and what each of them cost. Pure state, no I/O.

Time comes in through a callable and may run faster than the wall clock. A task's state is never stored: it is
computed from its plan and the time, so that no timer can be missed.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_runway.emulator.slots import Slots
from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_runway.emulator.jobs import Job
    from airflow_runway.emulator.plans import Plan

#: Runway counts the generations of a model over a rolling day (RD/usage/tiers).
DAY = 24 * 3600.0


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
    plan: Plan
    #: World time of the creation, and the same moment as real epoch seconds.
    created: float
    created_at: float
    #: The router that was asked, of a ``generate/*`` creation.
    config_id: str = ""
    #: How many reads asked for it.
    reads: int = 0
    #: World time at which it got one of its model's slots; ``None`` = it waits for one.
    admitted: float | None = None
    #: World time of its cancellation or deletion.
    removed: float | None = None

    @property
    def job(self) -> Job:
        """What its first output is."""
        return self.jobs[0]

    @property
    def is_invocation(self) -> bool:
        """Whether it is a run of a workflow, which has another address than a task (contracts 1.7)."""
        return self.route.startswith("workflows/")

    @property
    def ends(self) -> float:
        """World time at which it gives its slot back; infinite if nobody knows."""
        planned = math.inf if self.admitted is None else self.admitted + self.plan.ends
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


class World:
    """All tasks of one emulator.

    :param clock: epoch seconds, never running backwards.
    :param speed: world seconds per real second.
    """

    def __init__(self, clock: Callable[[], float], speed: float = 1.0) -> None:
        self.clock = clock
        self.speed = speed
        self._max_concurrent: int | None = None
        self._epoch = clock()
        self._tasks: dict[str, WorldTask] = {}
        self._slots: dict[tuple[str, str], Slots] = {}
        self._charged = 0.0

    def now(self) -> float:
        """World seconds since the emulator started."""
        return (self.clock() - self._epoch) * self.speed

    def limit(self, max_concurrent: int | None) -> None:
        """Sets how many generations of one model run at once, from now on.

        :param max_concurrent: ``None`` = any number.
        """
        if max_concurrent != self._max_concurrent:
            for slots in self._slots.values():
                slots.settle(self._max_concurrent, self.now())
                slots.since = self.now()
            self._max_concurrent = max_concurrent

    def accept(
        self,
        *,
        gateway: str,
        route: str,
        model: str,
        price: float,
        jobs: tuple[Job, ...],
        plan: Plan,
        config_id: str = "",
    ) -> WorldTask:
        """Stores a creation and charges it.

        :param price: credits to charge; see :meth:`can_pay`.
        :param jobs: what it makes, one per output.
        :param config_id: the router that was asked, of a ``generate/*`` creation.
        """
        task = WorldTask(
            id=str(uuid4()),
            gateway=gateway,
            route=route,
            model=model,
            credits=price,
            jobs=jobs,
            plan=plan,
            created=self.now(),
            created_at=self.clock(),
            config_id=config_id,
        )
        self._admit(task)
        self._tasks[task.id] = task
        self._charged += price
        return task

    def get(self, runway_task_id: str) -> WorldTask | None:
        """The task of an id, removed or not.

        :param runway_task_id: the id given at its creation.
        """
        return self._tasks.get(runway_task_id)

    def tasks(self) -> Iterable[WorldTask]:
        """Every task ever accepted, oldest first."""
        return self._tasks.values()

    def remove(self, task: WorldTask) -> None:
        """Cancels an unfinished task, deletes a finished one (contracts 1.4: the same call does both).

        :param task: a task that was not removed before.
        """
        self._settle(task)
        task.removed = self.now()

    def used_today(self, gateway: str) -> dict[str, int]:
        """How many generations of each model were accepted within the last 24 hours of world time.

        :param gateway: gateway name.
        """
        used: dict[str, int] = {}
        since = self.now() - DAY
        for task in self._tasks.values():
            if task.gateway == gateway and task.created > since:
                used[task.model] = used.get(task.model, 0) + 1
        return used

    def balance(self, start_balance: float) -> float:
        """Credits left: the start balance minus all charges plus all refunds.

        :param start_balance: credits before any charge.
        """
        return start_balance - sum(task.credits - self.observe(task).refunded for task in self.tasks())

    def can_pay(self, price: float, start_balance: float) -> bool:
        """Whether the balance covers a price.

        :param price: credits.
        :param start_balance: credits before any charge.
        """
        # Adding up refunds visits every task; with money enough for all of them nobody needs to know.
        return price <= start_balance - self._charged or price <= self.balance(start_balance)

    def clear(self) -> None:
        """Forgets all tasks and charges; time goes on."""
        self._tasks.clear()
        self._slots.clear()
        self._charged = 0.0

    def observe(self, task: WorldTask) -> Snapshot:
        """The state of a task now.

        :param task: one of this world's tasks.
        """
        self._settle(task)
        now = self.now()
        # Times count from the moment at which it got its slot; before that it is throttled.
        begun = task.admitted if task.admitted is not None else math.inf
        removed_age = None if task.removed is None else task.removed - begun
        cancelled = removed_age is not None and removed_age < task.plan.ends
        lived = removed_age if cancelled and removed_age is not None else now - begun
        status = task.plan.status_at(lived)
        cost = _cost(task, status, cancelled)
        started = begun + task.plan.starts if lived >= task.plan.starts else None
        finished = task.removed if cancelled else begun + task.plan.ends if lived >= task.plan.ends else None
        return Snapshot(
            task=task,
            status=TaskStatus.CANCELLED if cancelled else status,
            progress=task.plan.progress_at(lived),
            cost=cost,
            started_at=self._real(task, started),
            finished_at=self._real(task, finished),
            removed=task.removed is not None,
            visible=now - task.created >= task.plan.invisible,
        )

    def _real(self, task: WorldTask, moment: float | None) -> float:
        return 0.0 if moment is None else task.created_at + (moment - task.created) / self.speed

    def _admit(self, task: WorldTask) -> None:
        slots = self._slots.get((task.gateway, task.model))
        if slots is None and self._max_concurrent is None:
            task.admitted = task.created
            return
        if slots is None:
            # The first one under a limit: who is running already counts too.
            key = (task.gateway, task.model)
            others = [one for one in self._tasks.values() if (one.gateway, one.model) == key]
            slots = self._slots[key] = Slots(others)
        slots.queue(task)
        self._settle(task)

    def _settle(self, task: WorldTask) -> None:
        """Brings the queue of a task's model up to date."""
        slots = self._slots.get((task.gateway, task.model))
        if slots is not None:
            slots.settle(self._max_concurrent, self.now())


def _cost(task: WorldTask, status: TaskStatus, cancelled: bool) -> float | None:
    if cancelled:
        # contracts 1.4 (SDK): what the server sees at that moment decides; RUNNING is not refunded.
        return task.credits if status is TaskStatus.RUNNING else 0
    if not status.is_final:
        return None
    return task.credits if status is TaskStatus.SUCCEEDED else task.plan.cost


def steady_clock() -> Callable[[], float]:
    """A clock that shows epoch seconds and is not moved when the machine's clock is set."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()
