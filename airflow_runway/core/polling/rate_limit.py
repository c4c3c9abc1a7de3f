"""Who is read when: one queue for all waits on a connection, and the rate of reads that its gateway bears. Pure.

Neither has a clock: the time comes in, as seconds on any clock that never goes back.

- :class:`DueQueue` keeps what is due in the order in which it fell due, so that nobody starves, and never gives
  out one task twice within :data:`~airflow_runway.core.limits.SHORTEST_INTERVAL`.
- :class:`RateLimit` is a rate for all reads together. A gateway that says 429 or 5xx halves it and stops it for a
  moment, or for as long as ``Retry-After`` says; good answers raise it again, by a constant per second.
"""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

from airflow_runway.core.limits import SHORTEST_INTERVAL

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Reads per second that one connection makes at most: 5,000 clips are looked at within ten seconds.
FASTEST = 500.0
SLOWEST = 1.0
#: Seconds that a slowed pace takes from nothing to :data:`FASTEST`.
RECOVERY = 60.0
#: Seconds of silence after a complaint that does not say how long.
SHORT_SILENCE = 1.0
#: However long a gateway asks for: after these seconds it is asked again, by a single read. What one task was
#: told, that task obeys in full.
LONGEST_SILENCE = 60.0
#: Complaints within these seconds are about one and the same excess.
ONE_COMPLAINT = 1.0
#: Seconds of unused rate that may be made up for, so that not each read needs a timer of its own.
LEEWAY = 0.02


class RateLimit:
    """How fast all reads of a connection may follow each other."""

    def __init__(self) -> None:
        #: Reads per second.
        self.rate = FASTEST
        self._free_at = float("-inf")
        self._complained_at = float("-inf")
        self._recovered_at = 0.0
        # What was really read per second lately: half of a limit that nobody reached would slow nobody down.
        self._second_began = float("-inf")
        self._in_this_second = 0
        self._in_last_second = 0.0

    def free_at(self, now: float) -> float:
        """When the next read may start; ``now`` if it may at once.

        :param now: seconds.
        """
        return max(self._free_at, now)

    def started(self, now: float) -> None:
        """A read starts.

        :param now: seconds.
        """
        self._free_at = max(self._free_at, now - LEEWAY) + 1.0 / self.rate
        if now - self._second_began >= 1.0:
            self._in_last_second = self._in_this_second if now - self._second_began < 2.0 else 0
            self._second_began, self._in_this_second = now, 0
        self._in_this_second += 1

    def answered(self, now: float) -> None:
        """A read was answered without complaint.

        :param now: seconds.
        """
        if self.rate < FASTEST:
            passed = min(max(now - self._recovered_at, 0.0), 1.0)
            self.rate = min(self.rate + passed * FASTEST / RECOVERY, FASTEST)
            self._recovered_at = now

    def slowed_down(self, now: float, retry_after: float | None = None) -> None:
        """A read was answered with 429 or 5xx, or not at all.

        :param now: seconds.
        :param retry_after: seconds that the gateway asked for, if it did.
        """
        if now - self._complained_at >= ONE_COMPLAINT:
            really = max(self._in_last_second, self._in_this_second)
            self.rate = max(min(self.rate, really) / 2, SLOWEST)
            self._complained_at = self._recovered_at = now
        silence = SHORT_SILENCE if retry_after is None else min(retry_after, LONGEST_SILENCE)
        self._free_at = max(self._free_at, now + silence)


class DueQueue:
    """Which task is to be read when: one heap for all."""

    def __init__(self) -> None:
        # An entry counts only while ``_due`` says the same; what was moved leaves its old place behind.
        self._heap: list[tuple[float, int, str]] = []
        self._places = itertools.count()
        self._due: dict[str, float] = {}
        self._read_at: dict[str, float] = {}
        self._most_remembered = 100

    def __len__(self) -> int:
        return len(self._due)

    def __iter__(self) -> Iterator[str]:
        return iter(self._due)

    def put(self, runway_task_id: str, due: float) -> None:
        """Have a task read; if it is in the queue already, at the earlier of both times.

        :param runway_task_id: the task.
        :param due: seconds; later, if the task was read just before.
        """
        due = max(due, self._read_at.get(runway_task_id, float("-inf")) + SHORTEST_INTERVAL)
        known = self._due.get(runway_task_id)
        if known is None or due < known:
            self._due[runway_task_id] = due
            heapq.heappush(self._heap, (due, next(self._places), runway_task_id))

    def drop(self, runway_task_id: str) -> None:
        """Take a task off; harmless if it is not in the queue.

        :param runway_task_id: the task.
        """
        self._due.pop(runway_task_id, None)

    def next_due(self) -> float | None:
        """When the next task falls due, in seconds; ``None`` if there is none."""
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take(self, now: float) -> str | None:
        """Take off the task that has been due for longest, to read it now.

        :param now: seconds.
        :returns: its id; ``None`` if nothing is due.
        """
        due = self.next_due()
        if due is None or due > now:
            return None
        runway_task_id = heapq.heappop(self._heap)[2]
        del self._due[runway_task_id]
        self._read_at[runway_task_id] = now
        if len(self._read_at) > self._most_remembered:
            # What was read so long ago that it may be read again need not be remembered.
            recent = {task: at for task, at in self._read_at.items() if now - at < SHORTEST_INTERVAL}
            self._read_at, self._most_remembered = recent, 2 * len(recent) + 100
        return runway_task_id
