"""The concurrency limit of one model: how many of its generations run at once, and which one starts next.

What is over the account's concurrency is stored as THROTTLED and starts roughly in the order of submission
(contracts §1.2, contracts §14). Nothing runs here: the queue is brought up to date whenever somebody looks, as if
each place had been given away at the moment at which it became free.
"""

from __future__ import annotations

import math
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_runway.emulator.world.task import WorldTask


class ModelQueue:
    """The running and the waiting generations of one model.

    :param running: those that run already.
    """

    def __init__(self, running: Iterable[WorldTask] = ()) -> None:
        self._running = list(running)
        self._waiting: deque[WorldTask] = deque()
        #: World time before which nobody is admitted any more: the last change of the limit, the last start.
        self.since = -math.inf

    def append(self, task: WorldTask) -> None:
        """Puts a task at the end of the queue.

        :param task: one that was just accepted.
        """
        self._waiting.append(task)

    def settle(self, limit: int | None, now: float) -> list[WorldTask]:
        """Admits a waiting task for every place that has become free so far.

        :param limit: how many may run at once; ``None`` = any number.
        :param now: world time.
        :returns: those that were admitted.
        """
        admitted = []
        while self._waiting:
            head = self._waiting[0]
            if head.removed is None:
                free = self._free_from(limit)
                if free > now:
                    break
                head.admitted = self.since = max(head.created, free, self.since)
                self._running = [task for task in self._running if task.ends > head.admitted]
                self._running.append(head)
                admitted.append(head)
            self._waiting.popleft()
        return admitted

    def _free_from(self, limit: int | None) -> float:
        """The moment from which on fewer generations than the limit run."""
        over = -1 if limit is None else len(self._running) - limit
        return -math.inf if over < 0 else sorted(task.ends for task in self._running)[over]
