"""The trigger of a batch: waits for many generations without a worker."""

from __future__ import annotations

import random
from math import inf
from typing import TYPE_CHECKING

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
from airflow_runway.core.polling.lingering import linger_of
from airflow_runway.triggers._cancel_on_kill import CancelsOnKill
from airflow_runway.triggers._events import error_event
from airflow_runway.triggers._fired import RunwayEvent
from airflow_runway.triggers._poll_hub import Clock, poll_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from airflow.triggers.base import TriggerEvent

    from airflow_runway.core.polling.decisions import Reading
    from airflow_runway.triggers._events import BatchEvent, ErrorEvent
    from airflow_runway.triggers._watch import Watch

#: Seconds between two lines about the progress.
_LINES_APART = 60.0
#: Seconds that the last look at all others may take, say while the gateway bears few reads.
LAST_ROUND = SHORTEST_INTERVAL


class RunwayBatchTrigger(CancelsOnKill):
    """Waits until a worker has something to do for a batch, then fires once.

    That is when all generations have ended; or ``enough`` of them have; or one has, and ``linger`` seconds have
    passed since; or it is ``resume_at``, and the gateway may take more. Then it looks once more at all the others,
    for a few seconds at most, so that the event names everything that has ended. In Airflow's database: connection
    id, task ids, times and numbers. Never a key, a prompt or a URL; the event carries none either.

    :param runway_task_ids: the generations.
    :param runway_conn_id: id of a connection of type ``runway``.
    :param deadline: wall clock, seconds since the epoch; survives restarts of the triggerer.
    :param poll_interval: seconds between looks at one generation, see :mod:`airflow_runway.core.polling.decisions`.
    :param resume_at: wall clock at which to fire in any case; ``None`` = never.
    :param enough: how many ends are worth a worker; 0 = all.
    :param linger: seconds after the first end, at most; 0 = any number.
    :param pauses: how often in a row the gateway has taken nothing; handed through.
    :param cancel_on_kill: whether generations are cancelled when somebody stops the deferred task.
    :param sent_at: wall clock of each submission, in the order of ``runway_task_ids``; 0, or none at all = unknown.
    :param linger_share: of the time that the first end took, if that is shorter than ``linger``; 0 = ``linger``.
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
        sent_at: Sequence[float] = (),
        linger_share: float = 0.0,
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
        self.sent_at = sent_at
        self.linger_share = linger_share
        self._clock = Clock()
        self._chance = random.Random()  # noqa: S311 - jitter, not cryptography
        self._waits: dict[str, Wait] = {}
        self._ended: dict[str, ErrorEvent | None] = {}
        #: When each was looked at last, by the clock that never goes back.
        self._looked_at: dict[str, float] = {}
        self._began_at = 0.0
        self._sent: dict[str, float] = {}

    def unfinished_ids(self) -> list[str]:
        """The generations that have not been seen to end."""
        return [one for one in self.runway_task_ids if one not in self._ended]

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire once."""
        event = await self._wait()
        # Nothing may follow the yield, no ``finally`` either: a run that is still alive when its row goes
        # is treated as killed.
        yield RunwayEvent(event)

    async def _wait(self) -> BatchEvent:
        from airflow_runway.hooks.runway import RunwayHook

        clock = self._clock
        not_before = clock.now() + SHORTEST_ABSENCE
        if self.runway_task_ids:
            async with (
                poll_hub(RunwayHook(self.runway_conn_id), clock) as hub,
                hub.watch(self.owner) as watch,
            ):
                await self._watch(watch, not_before)
        elif self.resume_at is not None:
            await clock.sleep(max(min(self.resume_at, self.deadline) - clock.wall(), 0.0))
        too_early = not_before - clock.now()
        if too_early > 0:
            await clock.sleep(too_early)
        return {"ended": self._ended, "pauses": self.pauses}

    async def _watch(self, watch: Watch, not_before: float) -> None:
        self._begin()
        for runway_task_id in self.runway_task_ids:
            wait = Wait(runway_task_id, self.deadline, self.poll_interval)
            running_for = self._began_at - self._sent_at(runway_task_id)
            # What was looked at just before an event may come, and then ends, would be left for another deferral.
            after = first_look(
                wait, chance=self._chance, running_for=running_for, not_before=SHORTEST_ABSENCE
            )
            self._ask(watch, wait, after)
        await self._until_worth_a_worker(watch)
        # A worker is going to start in any case: whatever else has ended by then goes with it.
        await self._look_until(not_before, watch)
        await self._look_at_the_others(watch)

    def _begin(self) -> None:
        self._began_at = self._clock.wall()
        # A trigger that an older version stored has none.
        self._sent = dict(zip(self.runway_task_ids, self.sent_at, strict=False))

    def _sent_at(self, runway_task_id: str) -> float:
        """Wall clock; where nobody knows, it has run since this trigger began at least."""
        return self._sent.get(runway_task_id) or self._began_at

    def _is_watching(self) -> bool:
        return len(self._ended) < len(self._waits)

    async def _until_worth_a_worker(self, watch: Watch) -> None:
        clock, fires_at = self._clock, self.resume_at
        lingers, told_at = False, clock.now()
        while self._is_watching():
            found = await watch.next_within(None if fires_at is None else fires_at - clock.wall(), clock)
            if found is None:
                return
            self._looked(watch, *found)
            if self._ended and self.linger and not lingers:
                lingers = True
                fires_at = min(fires_at or inf, clock.wall() + self._linger())
            if self.enough and len(self._ended) >= self.enough:
                return
            if clock.now() - told_at >= _LINES_APART:
                told_at = clock.now()
                self.log.info("%d of %d have ended.", len(self._ended), len(self.runway_task_ids))

    def _linger(self) -> float:
        took = max(self._clock.wall() - self._sent_at(first) for first in self._ended)
        return linger_of(took, longest=self.linger, share=self.linger_share)

    async def _look_until(self, when: float, watch: Watch) -> None:
        """Go on as before until a time of the clock."""
        while self._is_watching():
            found = await watch.next_within(when - self._clock.now(), self._clock)
            if found is None:
                return
            self._looked(watch, *found)

    async def _look_at_the_others(self, watch: Watch) -> None:
        """One reading of each that was not read a moment ago, as fast as the hub reads, and within a bound."""
        now = self._clock.now()
        others = {
            one for one in self.unfinished_ids() if now - self._looked_at.get(one, -inf) >= SHORTEST_INTERVAL
        }
        for runway_task_id in others:
            watch.ask_anew(runway_task_id)
        while others:
            found = await watch.next_within(now + LAST_ROUND - self._clock.now(), self._clock)
            if found is None:
                return
            self._looked(watch, *found)
            others.discard(found[0])

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
