"""The trigger of a batch: waits for many generations without a worker."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_runway.core.limits import (
    DEFAULT_INTERVAL,
    LAST_LOOK_PATIENCE,
    SHORTEST_ABSENCE,
    SHORTEST_INTERVAL,
)
from airflow_runway.core.polling.decisions import (
    LookAgain,
    Wait,
    after_look,
    first_look,
)
from airflow_runway.triggers._cancel_on_kill import CancelsOnKill
from airflow_runway.triggers._events import error_event
from airflow_runway.triggers._poll_hub import Clock, poll_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow_runway.core.polling.decisions import Reading
    from airflow_runway.triggers._events import BatchEvent, ErrorEvent
    from airflow_runway.triggers._watch import Watch

#: Seconds between two lines about the progress.
_LINES_APART = 60.0
#: Seconds that the last looks may take together, should the gateway be slow.
_LAST_LOOKS = 5.0


class RunwayBatchTrigger(CancelsOnKill):
    """Waits until a worker has something to do for a batch, then fires once.

    That is when all generations have ended; or ``enough`` of them have; or one has, and ``linger`` seconds have
    passed since; or it is ``resume_at``, and the gateway may take more. Before it fires it looks at all the others at
    once, so that a worker settles whatever has ended by then. In Airflow's database: connection id, task
    ids, times and numbers. Never a key, a prompt or a URL; the event carries none either.

    :param runway_task_ids: the generations.
    :param runway_conn_id: id of a connection of type ``runway``.
    :param deadline: wall clock, seconds since the epoch; survives restarts of the triggerer.
    :param poll_interval: seconds between looks at one generation, see :mod:`airflow_runway.core.polling.decisions`.
    :param resume_at: wall clock at which to fire in any case; ``None`` = never.
    :param enough: how many ends are worth a worker; 0 = all.
    :param linger: seconds after the first end; 0 = any number.
    :param pauses: how often in a row the gateway has taken nothing; handed through.
    :param cancel_on_kill: whether generations are cancelled when somebody stops the deferred task.
    """

    # Only assignments here: whatever is raised in a trigger's constructor stops the whole triggerer
    # (airflow-facts §5).
    def __init__(
        self,
        runway_task_ids: Sequence[str] = (),
        runway_conn_id: str = "runway_default",
        deadline: float = 0.0,
        poll_interval: float = DEFAULT_INTERVAL,
        resume_at: float | None = None,
        enough: int = 0,
        linger: float = 0.0,
        pauses: int = 0,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__()
        self.runway_task_ids = runway_task_ids
        self.runway_conn_id = runway_conn_id
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.resume_at = resume_at
        self.enough = enough
        self.linger = linger
        self.pauses = pauses
        self.cancel_on_kill = cancel_on_kill
        self._clock = Clock()
        self._chance = random.Random()  # noqa: S311 - jitter, not cryptography
        self._waits: dict[str, Wait] = {}
        self._ended: dict[str, ErrorEvent | None] = {}
        #: Seconds of the clock at the last reading of each.
        self._looked_at: dict[str, float] = {}
        self._reading: asyncio.Future[tuple[str, Reading]] | None = None

    def unfinished_ids(self) -> list[str]:
        """The generations that have not been seen to end."""
        return [one for one in self.runway_task_ids if one not in self._ended]

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire once."""
        event = await self._wait()
        # Nothing may follow the yield, no ``finally`` either: a run that is still alive when its row goes
        # is treated as killed.
        yield TriggerEvent(event)

    async def _wait(self) -> BatchEvent:
        from airflow_runway.hooks.runway import RunwayHook

        clock, began = self._clock, self._clock.now()
        if self.runway_task_ids:
            async with (
                poll_hub(RunwayHook(self.runway_conn_id), clock) as hub,
                hub.watch(self.owner) as watch,
            ):
                await self._watch(watch, began + SHORTEST_ABSENCE)
        elif self.resume_at is not None:
            await clock.sleep(max(min(self.resume_at, self.deadline) - clock.wall(), 0.0))
        too_early = began + SHORTEST_ABSENCE - clock.now()
        if too_early > 0:
            await clock.sleep(too_early)
        return {"ended": self._ended, "pauses": self.pauses}

    async def _watch(self, watch: Watch, earliest: float) -> None:
        """Wait until there is something to do.

        :param watch: asks for readings.
        :param earliest: seconds of the clock before which Airflow bears no event.
        """
        clock = self._clock
        for runway_task_id in self.runway_task_ids:
            wait = Wait(runway_task_id, self.deadline, self.poll_interval)
            # What ended while a worker was busy is not waited for again.
            self._ask(watch, wait, first_look(wait, chance=self._chance, least=0.0))
        alarm_at, lingers, told_at = self.resume_at, False, clock.now()
        try:
            while len(self._ended) < len(self.runway_task_ids):
                came = await self._next(watch, alarm_at)
                if came is None:
                    await self._look_at_the_others(watch)
                    return
                self._looked(watch, *came)
                if self._ended and self.linger and not lingers:
                    lingers = True
                    alarm_at = min(alarm_at or float("inf"), clock.wall() + self.linger)
                if self.enough and len(self._ended) >= self.enough:
                    alarm_at = min(alarm_at or float("inf"), clock.wall() + max(earliest - clock.now(), 0.0))
                if clock.now() - told_at >= _LINES_APART:
                    told_at = clock.now()
                    self.log.info("%d of %d have ended.", len(self._ended), len(self.runway_task_ids))
        finally:
            if self._reading is not None:
                self._reading.cancel()

    async def _next(self, watch: Watch, alarm_at: float | None) -> tuple[str, Reading] | None:
        """The next reading; ``None`` if the alarm comes before it."""
        self._reading = self._reading or asyncio.ensure_future(anext(watch))
        if not await self._before(alarm_at, self._reading):
            return None
        reading, self._reading = self._reading, None
        return reading.result()

    async def _look_at_the_others(self, watch: Watch) -> None:
        """One more look at whatever was not looked at just now, all at once, for a few seconds at most."""
        clock = self._clock
        until, now = clock.wall() + _LAST_LOOKS, clock.now()
        others = {
            one
            for one in self.unfinished_ids()
            if now - self._looked_at.get(one, float("-inf")) >= SHORTEST_INTERVAL
        }
        for runway_task_id in others:
            watch.hurry(runway_task_id, patience=_LAST_LOOKS)
        while others and (came := await self._next(watch, until)) is not None:
            others.discard(came[0])
            self._looked(watch, *came)

    async def _before(self, alarm_at: float | None, reading: asyncio.Future[tuple[str, Reading]]) -> bool:
        """Whether a reading comes before the alarm."""
        if alarm_at is None:
            await asyncio.wait({reading})
            return True
        alarm = asyncio.ensure_future(self._clock.sleep(max(alarm_at - self._clock.wall(), 0.0)))
        either: set[asyncio.Future[Any]] = {reading, alarm}
        try:
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        finally:
            alarm.cancel()
        return reading.done()

    def _ask(self, watch: Watch, wait: Wait, after: float) -> None:
        self._waits[wait.runway_task_id] = wait
        patience = max(self.deadline - self._clock.wall(), after) + LAST_LOOK_PATIENCE
        watch.ask(wait.runway_task_id, after=after, patience=patience)

    def _looked(self, watch: Watch, runway_task_id: str, found: Reading) -> None:
        self._looked_at[runway_task_id] = self._clock.now()
        decision = after_look(self._waits[runway_task_id], found, now=self._clock.wall(), chance=self._chance)
        if isinstance(decision, LookAgain):
            self._ask(watch, decision.wait, decision.after)
            return
        self._ended[runway_task_id] = error_event(decision)
