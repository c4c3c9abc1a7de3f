"""An end to each read of an event loop, whatever the other side does, for the price of a look per second at all.

A timer for each of them would take a fifth of the processor time that a read takes.
"""

from __future__ import annotations

import asyncio
import contextvars
import weakref
from typing import Final

#: Seconds between two looks: a read ends so much later at most.
_LOOKS_APART: Final = 1.0


class ReadUnderWay:
    """One read, and when it is to end.

    :param task: that reads.
    :param due: by the event loop's clock.
    """

    __slots__ = ("cancelling", "due", "is_late", "task")

    def __init__(self, task: asyncio.Task[object], due: float) -> None:
        self.task = task
        self.due = due
        self.cancelling = task.cancelling()
        self.is_late = False

    def was_ended(self) -> bool:
        """Whether the cancellation that has just arrived is this deadline's, and nobody else's."""
        return self.is_late and self.task.uncancel() <= self.cancelling


class LoopDeadlines:
    """All reads that are under way in one event loop."""

    def __init__(self) -> None:
        self._reads: set[ReadUnderWay] = set()
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, seconds: float) -> ReadUnderWay:
        """A read begins, in the task that calls.

        :param seconds: after which it is cancelled, to within a second.
        """
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker; a coroutine runs in one
        read = ReadUnderWay(task, loop.time() + seconds)
        self._reads.add(read)
        if self._timer is None:
            wait = min(seconds, _LOOKS_APART)
            self._timer = loop.call_later(wait, self._look, context=contextvars.Context())
        return read

    def end(self, read: ReadUnderWay) -> None:
        """It is over.

        :param read: of :meth:`begin`.
        """
        self._reads.discard(read)

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        now, self._timer = loop.time(), None
        for read in self._reads:
            if read.due <= now and not read.is_late:
                read.is_late = True
                read.task.cancel()
        if self._reads:
            next_due = min(read.due for read in self._reads)
            wait = min(max(next_due - now, 0.01), _LOOKS_APART)
            self._timer = loop.call_later(wait, self._look, context=contextvars.Context())


_of_loops: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, LoopDeadlines] = weakref.WeakKeyDictionary()


def loop_deadlines() -> LoopDeadlines:
    """Those of the running event loop."""
    loop = asyncio.get_running_loop()
    found = _of_loops.get(loop)
    if found is None:
        found = _of_loops[loop] = LoopDeadlines()
    return found
