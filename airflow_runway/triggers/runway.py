"""The trigger: waits for one generation without a worker."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from airflow_runway.core.limits import DEFAULT_INTERVAL, LAST_LOOK_PATIENCE, SHORTEST_ABSENCE
from airflow_runway.core.polling.decisions import (
    LookAgain,
    PollDecision,
    Wait,
    after_look,
    first_look,
)
from airflow_runway.telemetry import WaitLog
from airflow_runway.triggers._cancel_on_kill import CancelsOnKill
from airflow_runway.triggers._events import error_event
from airflow_runway.triggers._fired import RunwayEvent
from airflow_runway.triggers._poll_hub import Clock, poll_hub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from airflow.triggers.base import TriggerEvent

    from airflow_runway.triggers._events import TaskEvent


class RunwayTaskTrigger(CancelsOnKill):
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

    # Only assignments here: whatever is raised in a trigger's constructor stops the whole triggerer
    # (airflow-facts §5).
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

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, then fire once."""
        event = await self._wait()
        # Nothing may follow the yield, no ``finally`` either: a run that is still alive when its row goes
        # is treated as killed.
        yield RunwayEvent(event)

    def unfinished_ids(self) -> list[str]:
        """The one generation that is waited for."""
        return [self.runway_task_id]

    async def _wait(self) -> TaskEvent:
        from airflow_runway.hooks.runway import RunwayHook

        clock, began = self._clock, self._clock.now()
        wait_log = WaitLog(self.log, self.runway_task_id)
        wait = Wait(self.runway_task_id, self.deadline, self.poll_interval, seen=self.seen)
        decision: PollDecision = LookAgain(first_look(wait, chance=self._chance), wait)
        async with poll_hub(RunwayHook(self.runway_conn_id), clock) as hub:
            while isinstance(decision, LookAgain):
                wait, after = decision.wait, decision.after
                patience = max(self.deadline - clock.wall(), after) + LAST_LOOK_PATIENCE
                found = await hub.look(self.runway_task_id, after=after, patience=patience, owner=self.owner)
                wait_log.looked(found)
                decision = after_look(wait, found, now=clock.wall(), chance=self._chance)
        wait_log.ended(decision)
        too_early = began + SHORTEST_ABSENCE - clock.now()
        if too_early > 0:
            await clock.sleep(too_early)
        return {
            "runway_task_id": self.runway_task_id,
            "deadline": self.deadline,
            "cancel_on_kill": self.cancel_on_kill,
            "error": error_event(decision),
        }
