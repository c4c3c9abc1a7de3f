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

from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_runway.emulator.jobs import Job

#: The part of a generation that it spends waiting for its turn.
PENDING_SHARE = 0.13


@dataclass(frozen=True, slots=True)
class Plan:
    """How a task's life will go, fixed at its creation. Times are world seconds since then.

    :param pending: length of the PENDING phase.
    :param running: length of the RUNNING phase; infinite for a task that never ends.
    :param throttled: length of a THROTTLED phase before both.
    :param invisible: how long a gateway does not show the task.
    :param ending: SUCCEEDED, FAILED or CANCELLED.
    :param failure: text for humans, of a task that fails.
    :param failure_code: Runway's code for it; ``None`` = absent from the answer.
    :param cost: credits really charged if the ending is not SUCCEEDED; the rest is refunded.
    """

    pending: float
    running: float
    throttled: float = 0.0
    invisible: float = 0.0
    ending: TaskStatus = TaskStatus.SUCCEEDED
    failure: str | None = None
    failure_code: str | None = None
    cost: float = 0.0

    @property
    def starts(self) -> float:
        """When RUNNING begins."""
        return self.throttled + self.pending

    @property
    def ends(self) -> float:
        """When the final state begins."""
        return self.starts + self.running


def ordinary_plan(seconds: float) -> Plan:
    """The life of a generation that nothing disturbs.

    :param seconds: its length in world seconds.
    """
    return Plan(pending=seconds * PENDING_SHARE, running=seconds * (1 - PENDING_SHARE))


@dataclass(slots=True)
class WorldTask:
    """One accepted creation. Stays in the world for the ledger even after it was cancelled or deleted."""

    id: str
    gateway: str
    route: str
    model: str
    #: What was charged when it was accepted.
    credits: float
    job: Job
    plan: Plan
    #: World time of the creation, and the same moment as real epoch seconds.
    created: float
    created_at: float
    #: How many reads asked for it.
    reads: int = 0
    #: World time of its cancellation or deletion.
    removed: float | None = None


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
        self._epoch = clock()
        self._tasks: dict[str, WorldTask] = {}
        self._charged = 0.0

    def now(self) -> float:
        """World seconds since the emulator started."""
        return (self.clock() - self._epoch) * self.speed

    def accept(
        self,
        *,
        gateway: str,
        route: str,
        model: str,
        price: float,
        job: Job,
        plan: Plan,
    ) -> WorldTask:
        """Stores a creation and charges it.

        :param price: credits to charge; see :meth:`can_pay`.
        """
        task = WorldTask(
            id=str(uuid4()),
            gateway=gateway,
            route=route,
            model=model,
            credits=price,
            job=job,
            plan=plan,
            created=self.now(),
            created_at=self.clock(),
        )
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
        task.removed = self.now()

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
        self._charged = 0.0

    def observe(self, task: WorldTask) -> Snapshot:
        """The state of a task now.

        :param task: one of this world's tasks.
        """
        age = self.now() - task.created
        removed_age = None if task.removed is None else task.removed - task.created
        cancelled = removed_age is not None and removed_age < task.plan.ends
        lived = removed_age if cancelled and removed_age is not None else age
        status = _status(task.plan, lived)
        cost = _cost(task, status, cancelled)
        started = task.plan.starts if lived >= task.plan.starts else None
        finished = lived if cancelled else task.plan.ends if lived >= task.plan.ends else None
        return Snapshot(
            task=task,
            status=TaskStatus.CANCELLED if cancelled else status,
            progress=_progress(task.plan, lived),
            cost=cost,
            started_at=self._real(task, started),
            finished_at=self._real(task, finished),
            removed=task.removed is not None,
            visible=age >= task.plan.invisible,
        )

    def _real(self, task: WorldTask, age: float | None) -> float:
        return 0.0 if age is None else task.created_at + age / self.speed


def _status(plan: Plan, age: float) -> TaskStatus:
    if age < plan.throttled:
        return TaskStatus.THROTTLED
    if age < plan.starts:
        return TaskStatus.PENDING
    return TaskStatus.RUNNING if age < plan.ends else plan.ending


def _cost(task: WorldTask, status: TaskStatus, cancelled: bool) -> float | None:
    if cancelled:
        # contracts 1.4 (SDK): what the server sees at that moment decides; RUNNING is not refunded.
        return task.credits if status is TaskStatus.RUNNING else 0
    if not status.is_final:
        return None
    return task.credits if status is TaskStatus.SUCCEEDED else task.plan.cost


def _progress(plan: Plan, age: float) -> float:
    if age < plan.starts:
        return 0.0
    if age >= plan.ends:
        return 1.0
    # A task that never ends has to stand somewhere.
    return 0.5 if math.isinf(plan.running) else min(0.99, round((age - plan.starts) / plan.running, 2))


def steady_clock() -> Callable[[], float]:
    """A clock that shows epoch seconds and is not moved when the machine's clock is set."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()
