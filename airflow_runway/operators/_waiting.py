"""What sensors and waiting operators share: look, defer, come back with the finished task."""

from __future__ import annotations

import random
import time
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.sdk import BaseOperator

from airflow_runway import exceptions, telemetry
from airflow_runway.core.models import CancelOutcome
from airflow_runway.core.polling.decisions import (
    SHORTEST_ABSENCE,
    SHORTEST_INTERVAL,
    Decision,
    Finished,
    GaveUp,
    LookAgain,
    Wait,
    after_look,
    first_look,
    timed_out,
)
from airflow_runway.core.protocol.errors import unhappy_ending
from airflow_runway.exceptions import RunwayError, RunwayReadError, RunwayTaskTimeoutError

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_runway.core.models import RunwayTask
    from airflow_runway.hooks.runway import RunwayHook

#: Airflow's own time-out of a deferral is a net below the trigger's deadline, this many seconds later.
NET_BELOW_DEADLINE = 120.0
#: Tries for the one reading that fetches the result, in the worker.
ATTEMPTS_FOR_RESULT = 5

_chance = random.Random()  # noqa: S311 - jitter, not cryptography


class WaitsForRunwayTask(BaseOperator):
    """An operator that can wait for a generation; subclasses say which one and since when."""

    runway_conn_id: str
    #: Whether what is unfinished at the deadline is cancelled.
    cancel_on_timeout: bool
    #: Where a person can look at the generation; kept for the link in Airflow's UI.
    runway_task_url: str = ""
    _story: telemetry.Story | None = None

    @cached_property
    def hook(self) -> RunwayHook:
        """The hook of this task's connection."""
        # Imported when work starts: Dag files are parsed all the time, and HTTP libraries are heavy.
        from airflow_runway.hooks.runway import RunwayHook

        return RunwayHook(self.runway_conn_id)

    def remember_link(self, runway_task_id: str) -> None:
        """Note the generation's address for :class:`~airflow_runway.links.runway.RunwayTaskLink`.

        :param runway_task_id: the generation.
        """
        self.runway_task_url = self.hook.task_url(runway_task_id)

    def look(self, wait: Wait, *, attempts: int = 1) -> Decision:
        """Read the task once and decide.

        :param wait: the wait so far.
        :param attempts: tries, where the read fails in passing.
        """
        found: RunwayTask | RunwayError
        try:
            found = self.hook.get_task(wait.runway_task_id, attempts=attempts)
        except RunwayReadError as trouble:
            found = trouble
        result = self._story_of(wait.runway_task_id).heard(found)
        telemetry.count(telemetry.IN_WORKER, "runway.polls", result=result)
        return after_look(wait, found, now=time.time(), chance=_chance)

    def _story_of(self, runway_task_id: str) -> telemetry.Story:
        if self._story is None or self._story.runway_task_id != runway_task_id:
            self._story = telemetry.Story(self.log, runway_task_id)
        return self._story

    def result(self, task: RunwayTask) -> dict[str, Any]:
        """The finished task as a dict.

        :param task: a final reading.
        :raises RunwayTaskFailedError: it failed.
        :raises RunwayTaskCancelledError: it was cancelled.
        """
        if (error := unhappy_ending(task)) is not None:
            raise error
        cost = "unknown" if task.cost_credits is None else f"{task.cost_credits:g} credits"
        self.log.info(
            "Runway task %s succeeded with %d output(s); cost: %s.", task.id, len(task.output), cost
        )
        if task.failure:
            self.log.warning("Runway task %s succeeded only in part: %s", task.id, task.failure)
        return task.as_result()

    def wait_in_worker(self, wait: Wait) -> dict[str, Any]:
        """Wait here, holding the worker.

        :param wait: what for.
        """
        decision: Decision = LookAgain(first_look(wait, chance=_chance), wait)
        while isinstance(decision, LookAgain):
            time.sleep(decision.after)
            wait = decision.wait
            decision = self.look(wait)
        return self._conclude(decision, wait)

    def wait_deferred(self, wait: Wait, *, cancel_on_kill: bool = False) -> NoReturn:
        """Give the worker back and let the trigger wait.

        :param wait: what for.
        :param cancel_on_kill: whether the trigger cancels the generation when somebody stops the task.
        """
        from airflow_runway.triggers.runway import RunwayTaskTrigger

        left = max(wait.deadline - time.time(), SHORTEST_ABSENCE)
        self.defer(
            trigger=RunwayTaskTrigger(
                runway_task_id=wait.runway_task_id,
                runway_conn_id=self.runway_conn_id,
                deadline=wait.deadline,
                poll_interval=wait.interval,
                seen=wait.seen,
                cancel_on_kill=cancel_on_kill,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=left + NET_BELOW_DEADLINE),
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Continue after the trigger fired: read the task for fresh links, whatever the event says.

        :param context: Airflow's.
        :param event: the trigger's.
        """
        runway_task_id = event["runway_task_id"]
        self.remember_link(runway_task_id)
        wait = Wait(runway_task_id, event["deadline"], self.waiting_interval, refusals=1)
        decision = self.look(wait, attempts=ATTEMPTS_FOR_RESULT)
        if not isinstance(decision, Finished) and event["error"]:
            decision = GaveUp(_error_of(event["error"]))
        if isinstance(decision, LookAgain):
            self.log.warning("Runway task %s has not ended after all; waiting on.", runway_task_id)
            self.wait_deferred(decision.wait, cancel_on_kill=event.get("cancel_on_kill", False))
        return self._conclude(decision, wait)

    @property
    def waiting_interval(self) -> float:
        """Seconds between looks."""
        raise NotImplementedError

    def _conclude(self, decision: Finished | GaveUp, wait: Wait) -> dict[str, Any]:
        self._story_of(wait.runway_task_id).ended(decision)
        telemetry.finished(decision)
        if isinstance(decision, Finished):
            return self.result(decision.task)
        if isinstance(decision.error, RunwayTaskTimeoutError) and self.cancel_on_timeout:
            return self.cancel_at_deadline(wait, decision.error.task)
        raise decision.error

    def cancel_at_deadline(self, wait: Wait, task: RunwayTask | None = None) -> dict[str, Any]:
        """Cancel what is unfinished; what finished in the last moment is the result after all.

        :param wait: the wait whose deadline has passed.
        :param task: the last reading, if any.
        :raises RunwayTaskTimeoutError: telling what became of it.
        """
        outcome = self.hook.cancel_task(wait.runway_task_id)
        if outcome is CancelOutcome.ALREADY_FINISHED:
            decision = self.look(wait, attempts=ATTEMPTS_FOR_RESULT)
            if isinstance(decision, Finished):
                return self.result(decision.task)
        raise timed_out(wait, task=task, cancelled=outcome)


def _error_of(described: dict[str, str]) -> RunwayError:
    kind = described["type"]
    error = getattr(exceptions, kind) if kind in exceptions.__all__ else RunwayReadError
    built: RunwayError = error(described["message"])
    return built


def seconds(name: str, value: object, *, least: float = SHORTEST_INTERVAL) -> float:
    """An argument that is a time, in seconds; checked when the Dag is parsed.

    :param name: the argument's name.
    :param value: a number of seconds, or a ``timedelta``.
    :param least: the smallest that makes sense, in seconds.
    :raises ValueError: if it is no such time.
    """
    number = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or not number >= least:
        raise ValueError(
            f"{name} must be at least {least:g} seconds (a number or a timedelta), not {value!r}"
        )
    return float(number)


def one_of(name: str, value: str, *words: str) -> str:
    """An argument that must be one of a few words; checked when the Dag is parsed.

    :param name: the argument's name.
    :param value: what was given.
    :param words: what it may be.
    :raises ValueError: if it is none of them.
    """
    if value not in words:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, words))}, not {value!r}")
    return value
