"""The trigger: waits for one generation without a worker."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import TriggerEvent

from airflow_runway.core.polling.decisions import (
    DEFAULT_INTERVAL,
    SHORTEST_ABSENCE,
    Decision,
    Finished,
    GaveUp,
    LookAgain,
    Wait,
    after_look,
    first_look,
)
from airflow_runway.telemetry import Story
from airflow_runway.triggers._cancel_on_kill import CancelsWhenStopped
from airflow_runway.triggers._poll_hub import Clock, poll_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

#: Seconds after the deadline for which a last look may be late, because the gateway bears no more reads; then
#: the event says "not finished", and the worker looks once more.
PATIENCE_AT_DEADLINE = 30.0


class RunwayTaskTrigger(CancelsWhenStopped):
    """Waits for one generation in the poll hub of its connection, then fires once: ended, or past its deadline.

    What is stored in Airflow's database: connection id, task id, deadline, settings. Never a key, a prompt or
    a URL; the event carries none either, the worker reads the task anew.

    :param runway_task_id: the id that the submitting task returned.
    :param runway_conn_id: id of a connection of type ``runway``.
    :param deadline: wall clock, seconds since the epoch; survives restarts of the triggerer.
    :param poll_interval: seconds between looks, typically, at least 5; a half to three times of it where the
        server reports progress, see :mod:`airflow_runway.core.polling.decisions`.
    :param seen: whether the server has shown the task before.
    :param cancel_on_kill: whether the generation is cancelled when somebody stops the deferred task.
    """

    # Only assignments here: whatever is raised in a trigger's constructor stops the whole triggerer.
    def __init__(
        self,
        runway_task_id: str,
        runway_conn_id: str = "runway_default",
        deadline: float = 0.0,
        poll_interval: float = DEFAULT_INTERVAL,
        seen: bool = False,
        cancel_on_kill: bool = False,
    ) -> None:
        super().__init__()
        self.runway_task_id = runway_task_id
        self.runway_conn_id = runway_conn_id
        self.deadline = deadline
        self.poll_interval = poll_interval
        self.seen = seen
        self.cancel_on_kill = cancel_on_kill
        self._clock = Clock()
        self._chance = random.Random()  # noqa: S311 - jitter, not cryptography

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and plain JSON arguments."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "runway_task_id": self.runway_task_id,
                "runway_conn_id": self.runway_conn_id,
                "deadline": self.deadline,
                "poll_interval": self.poll_interval,
                "seen": self.seen,
                "cancel_on_kill": self.cancel_on_kill,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire once."""
        event = await self._wait()
        # Nothing may follow the yield, no ``finally`` either: a run that is still alive when its row goes
        # is treated as killed.
        yield TriggerEvent(event)

    def generations(self) -> list[str]:
        """The one generation that is waited for."""
        return [self.runway_task_id]

    async def _wait(self) -> dict[str, Any]:
        from airflow_runway.hooks.runway import RunwayHook

        clock, began = self._clock, self._clock.now()
        story = Story(self.log, self.runway_task_id)
        wait = Wait(self.runway_task_id, self.deadline, self.poll_interval, seen=self.seen)
        decision: Decision = LookAgain(first_look(wait, chance=self._chance), wait)
        async with poll_hub(RunwayHook(self.runway_conn_id), clock) as hub:
            while isinstance(decision, LookAgain):
                wait, after = decision.wait, decision.after
                patience = max(self.deadline - clock.wall(), after) + PATIENCE_AT_DEADLINE
                found = await hub.look(self.runway_task_id, after=after, patience=patience)
                story.heard(found)
                decision = after_look(wait, found, now=clock.wall(), chance=self._chance)
        story.ended(decision)
        too_early = began + SHORTEST_ABSENCE - clock.now()
        if too_early > 0:
            await clock.sleep(too_early)
        return self._event(decision)

    def _event(self, decision: Finished | GaveUp) -> dict[str, Any]:
        error = decision.error if isinstance(decision, GaveUp) else None
        return {
            "runway_task_id": self.runway_task_id,
            "deadline": self.deadline,
            "cancel_on_kill": self.cancel_on_kill,
            "error": error and {"type": type(error).__name__, "message": str(error)},
        }
