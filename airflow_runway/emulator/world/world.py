"""All tasks of one emulator: what they do over time, and what each of them cost.

Time comes in through a callable and may run faster than the wall clock. A task's state is never stored: it is
computed from its lifecycle and the time, so that no timer can be missed.
"""

from __future__ import annotations

import heapq
import math
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_runway.core.models import TaskStatus
from airflow_runway.emulator.world.clock import DAY
from airflow_runway.emulator.world.concurrency import ModelQueue
from airflow_runway.emulator.world.task import Snapshot, WorldTask

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from airflow_runway.emulator.world.job import Job
    from airflow_runway.emulator.world.lifecycle import Lifecycle


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
        self._queues: dict[tuple[str, str], ModelQueue] = {}
        self._charged = 0.0
        self._refunded = 0.0
        #: Tasks whose refund is not in there yet, by the world time at which it is known.
        self._unsettled: list[tuple[float, int, WorldTask]] = []
        self._noted = 0

    def now(self) -> float:
        """World seconds since the emulator started."""
        return (self.clock() - self._epoch) * self.speed

    def limit(self, max_concurrent: int | None) -> None:
        """Sets how many generations of one model run at once, from now on.

        :param max_concurrent: ``None`` = any number.
        """
        if max_concurrent != self._max_concurrent:
            for queue in self._queues.values():
                self._bring_up_to_date(queue)
                queue.since = self.now()
            self._max_concurrent = max_concurrent

    def accept(
        self,
        *,
        gateway: str,
        route: str,
        model: str,
        price: float,
        jobs: tuple[Job, ...],
        lifecycle: Lifecycle,
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
            lifecycle=lifecycle,
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

    def tasks(self) -> Collection[WorldTask]:
        """Every task ever accepted, oldest first."""
        return self._tasks.values()

    def remove(self, task: WorldTask) -> None:
        """Cancels an unfinished task, deletes a finished one (contracts §1.4: the same call does both).

        :param task: a task that was not removed before.
        """
        self._settle(task)
        task.removed = self.now()
        self._note_end(task)

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
        for queue in self._queues.values():
            self._bring_up_to_date(queue)
        now = self.now()
        while self._unsettled and self._unsettled[0][0] <= now:
            snapshot = self.observe(self._unsettled[0][2])
            if snapshot.cost is None:
                break  # by a rounding error: it is known the next time
            _, _, task = heapq.heappop(self._unsettled)
            if not task.is_settled:
                task.is_settled = True
                self._refunded += snapshot.refunded
        return start_balance - self._charged + self._refunded

    def can_pay(self, price: float, start_balance: float) -> bool:
        """Whether the balance covers a price.

        :param price: credits.
        :param start_balance: credits before any charge.
        """
        return price <= self.balance(start_balance)

    def clear(self) -> None:
        """Forgets all tasks and charges; time goes on."""
        self._tasks.clear()
        self._queues.clear()
        self._charged = self._refunded = 0.0
        self._unsettled.clear()

    def observe(self, task: WorldTask) -> Snapshot:
        """The state of a task now.

        :param task: one of this world's tasks.
        """
        self._settle(task)
        now = self.now()
        lifecycle = task.lifecycle
        # Times count from the admission; a task without one is throttled.
        begun = math.inf if task.admitted is None else task.admitted
        age = now - begun
        cancelled = task.removed is not None and task.removed - begun < lifecycle.ends
        if task.removed is not None and cancelled:
            age = task.removed - begun
        status = lifecycle.status_at(age)
        started = begun + lifecycle.starts if age >= lifecycle.starts else None
        finished = begun + lifecycle.ends if age >= lifecycle.ends else None
        return Snapshot(
            task=task,
            status=TaskStatus.CANCELLED if cancelled else status,
            progress=lifecycle.progress_at(age),
            cost=_cost(task, status, cancelled),
            started_at=self._real(task, started),
            finished_at=self._real(task, task.removed if cancelled else finished),
            removed=task.removed is not None,
            visible=now - task.created >= lifecycle.invisible,
        )

    def _real(self, task: WorldTask, moment: float | None) -> float:
        return 0.0 if moment is None else task.created_at + (moment - task.created) / self.speed

    def _admit(self, task: WorldTask) -> None:
        queue = self._queues.get((task.gateway, task.model))
        if queue is None and self._max_concurrent is None:
            task.admitted = task.created
            self._note_end(task)
            return
        if queue is None:
            # The first one under a limit: who is running already counts too.
            key = (task.gateway, task.model)
            others = [one for one in self._tasks.values() if (one.gateway, one.model) == key]
            queue = self._queues[key] = ModelQueue(others)
        queue.append(task)
        self._settle(task)

    def _settle(self, task: WorldTask) -> None:
        """Brings the queue of a task's model up to date."""
        queue = self._queues.get((task.gateway, task.model))
        if queue is not None:
            self._bring_up_to_date(queue)

    def _bring_up_to_date(self, queue: ModelQueue) -> None:
        for admitted in queue.settle(self._max_concurrent, self.now()):
            self._note_end(admitted)

    def _note_end(self, task: WorldTask) -> None:
        """Its end is known now, or another one than before."""
        self._noted += 1
        ends = self.now() if task.admitted is None else task.ends
        if ends < math.inf:
            heapq.heappush(self._unsettled, (ends, self._noted, task))


def _cost(task: WorldTask, status: TaskStatus, cancelled: bool) -> float | None:
    if cancelled:
        # What the server sees at that moment decides; RUNNING is not refunded (contracts §1.4).
        return task.credits if status is TaskStatus.RUNNING else 0
    if not status.is_final:
        return None
    return task.credits if status is TaskStatus.SUCCEEDED else task.lifecycle.cost
