"""Readings of many tasks for one coroutine, as they come in."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Protocol, Self

if TYPE_CHECKING:
    from types import TracebackType

    from airflow_runway.core.polling.decisions import Reading

#: Of whoever waits: pairs of a name and a value.
Tags = tuple[tuple[str, str], ...]


class GivesReadings(Protocol):
    """Whoever can be asked for a reading."""

    def ask(
        self, runway_task_id: str, *, after: float = 0.0, patience: float = float("inf"), owner: Tags = ()
    ) -> asyncio.Future[Reading]:
        """The next reading of a task, as a future; cancel it to withdraw."""


class Sleeps(Protocol):
    """Whoever can wait."""

    async def sleep(self, seconds: float) -> None:
        """Wait for so many seconds."""


class Watch:
    """Asks the hub for readings of many tasks; a context manager that withdraws what is left.

    :param hub: who reads.
    :param owner: tags of the task that waits, for statistics.
    """

    def __init__(self, hub: GivesReadings, owner: Tags = ()) -> None:
        self._hub, self._owner = hub, owner
        self._asked: dict[str, asyncio.Future[Reading]] = {}
        self._arrived: asyncio.Queue[tuple[str, Reading]] = asyncio.Queue()

    def ask(self, runway_task_id: str, *, after: float = 0.0, patience: float = float("inf")) -> None:
        """Ask for one more reading, as ``PollHub.look`` does. One question per task at a time.

        :param runway_task_id: see there.
        :param after: see there.
        :param patience: see there.
        """
        if runway_task_id in self._asked:
            return
        future = self._hub.ask(runway_task_id, after=after, patience=patience, owner=self._owner)
        self._asked[runway_task_id] = future

        def arrived(future: asyncio.Future[Reading]) -> None:
            if self._asked.get(runway_task_id) is future:
                del self._asked[runway_task_id]
                if not future.cancelled():
                    self._arrived.put_nowait((runway_task_id, future.result()))

        future.add_done_callback(arrived)

    def ask_anew(self, runway_task_id: str) -> None:
        """Have a task read now, or as soon as the hub may, whatever was asked for it before.

        :param runway_task_id: the task.
        """
        before = self._asked.get(runway_task_id)
        if before is not None and before.done():
            return  # read this very moment
        self._asked.pop(runway_task_id, None)
        # First the new question: a read that is under way answers it too.
        self.ask(runway_task_id)
        if before is not None:
            before.cancel()

    async def next_within(self, seconds: float | None, clock: Sleeps) -> tuple[str, Reading] | None:
        """The next reading; ``None`` if none comes in time. Whatever comes later is kept for the next call.

        :param seconds: for so long; 0 or less = what is there already; ``None`` = for ever.
        :param clock: whose seconds.
        """
        reading = asyncio.ensure_future(anext(self))
        either: set[asyncio.Future[Any]] = {reading}
        if seconds is not None:
            either.add(asyncio.ensure_future(clock.sleep(max(seconds, 0.0))))
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            return reading.result() if reading.done() else None
        finally:
            for one in either:
                one.cancel()  # asyncio's queue keeps what nobody took

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> tuple[str, Reading]:
        if not self._asked and self._arrived.empty():
            raise StopAsyncIteration
        return await self._arrived.get()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asked, self._asked = self._asked, {}
        for future in asked.values():
            future.cancel()
