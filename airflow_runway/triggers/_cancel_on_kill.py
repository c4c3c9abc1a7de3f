"""What a trigger does when somebody kills the task that is deferred on it, and how it is stored."""

from __future__ import annotations

import asyncio
from inspect import signature
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger

from airflow_runway.core.owner import owner_of
from airflow_runway.core.redaction import redact
from airflow_runway.core.stopping import Fate, fate_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_runway.hooks.runway import RunwayHook
    from airflow_runway.triggers._watch import Tags

#: Cancellations under way at the same time.
_AT_ONCE = 8


class CancelsOnKill(BaseTrigger):
    """A trigger that cancels unfinished generations when Airflow itself says that its task is over."""

    runway_conn_id: str
    cancel_on_kill: bool

    def unfinished_ids(self) -> Sequence[str]:
        """Ids of the generations that are waited for, as far as they are not known to have ended."""
        raise NotImplementedError

    @property
    def owner(self) -> Tags:
        """Tags of the task that is deferred, for statistics; none where Airflow has not told which it is."""
        owner = owner_of(self.task_instance)
        return tuple(owner.tags.items()) if owner else ()

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Class path and plain JSON arguments: those of the constructor, each kept under its own name."""
        names = [name for name in signature(type(self).__init__).parameters if name != "self"]
        arguments = {name: getattr(self, name) for name in names}
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {name: list(value) if isinstance(value, tuple) else value for name, value in arguments.items()},
        )

    async def on_kill(self) -> None:
        """Cancel the generations, if the task is over.

        Airflow 3.3 calls this also when a trigger merely moved to another triggerer, and interrupts it after
        about a second (airflow-facts §4); so the work is a task of its own, and asks first.
        """
        if self.cancel_on_kill and self.unfinished_ids():
            self._cancelling = asyncio.create_task(self._cancel_if_over())
            await asyncio.shield(self._cancelling)

    async def _cancel_if_over(self) -> None:
        from airflow_runway.hooks.runway import RunwayHook
        from airflow_runway.triggers._task_instance import state_of

        ids = list(self.unfinished_ids())
        try:
            state = await state_of(self.task_instance)
            if fate_of(state, cancel_on_kill=self.cancel_on_kill) is Fate.RUN_ON:
                self.log.info("%s goes on: the Airflow task is %s, not ended.", _named(ids), state)
                return
            hook = RunwayHook(self.runway_conn_id)
            turns = asyncio.Semaphore(_AT_ONCE)
            async with hook.kept_open():
                await asyncio.gather(*(self._cancel(hook, one, str(state), turns) for one in ids))
        except Exception as error:
            self.log.warning(
                "%s goes on: Airflow or the gateway could not be asked (%s).", _named(ids), redact(error)
            )

    async def _cancel(
        self, hook: RunwayHook, runway_task_id: str, state: str, turns: asyncio.Semaphore
    ) -> None:
        async with turns:
            try:
                outcome = await hook.acancel_task(runway_task_id)
                self.log.info(
                    "Runway task %s: the Airflow task is %s; cancelling: %s.", runway_task_id, state, outcome
                )
            except Exception as error:
                self.log.warning("Runway task %s goes on (%s).", runway_task_id, redact(error))


def _named(ids: Sequence[str]) -> str:
    return f"Runway task {ids[0]}" if len(ids) == 1 else f"A batch of {len(ids)} Runway tasks"
