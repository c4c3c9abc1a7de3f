"""What sensors and waiting operators share: look, defer, come back with the finished task."""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, NoReturn

from airflow_runway import telemetry
from airflow_runway._base_operator import RunwayOperatorBase
from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.limits import DEFER_TIMEOUT_MARGIN, RESULT_ATTEMPTS, SHORTEST_ABSENCE
from airflow_runway.core.models import CancelOutcome
from airflow_runway.core.polling.decisions import (
    Finished,
    GaveUp,
    LookAgain,
    PollDecision,
    Wait,
    after_look,
    first_look,
    timed_out,
)
from airflow_runway.core.protocol.endings import Cancelled, Failed, ending_of
from airflow_runway.core.stopping import left_running
from airflow_runway.exceptions import RunwayReadError, error_of
from airflow_runway.operators._stopping import StopSignal
from airflow_runway.triggers._events import error_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_runway.core.models import RunwayTask, TaskResult
    from airflow_runway.core.polling.decisions import Reading
    from airflow_runway.triggers._events import TaskEvent

_chance = random.Random()  # noqa: S311 - jitter, not cryptography


class WaitsForRunwayTask(RunwayOperatorBase):
    """An operator that can wait for a generation; subclasses say which one and since when."""

    #: Whether what is unfinished at the deadline is cancelled.
    cancel_on_timeout: bool
    #: Whether a retry of this task makes another generation, so that a failure which may pass is worth one.
    retries_make_another_generation: bool = False
    #: Where a person can look at the generation; kept for the link in Airflow's UI.
    runway_task_url: str = ""
    _wait_log: telemetry.WaitLog | None = None
    #: There while one of Airflow's methods runs; not longer, because operators are copied and it cannot be.
    _stop_signal: StopSignal | None = None
    _was_told_to_stop = False

    @property
    def waiting_interval(self) -> float:
        """Seconds between looks."""
        raise NotImplementedError

    def on_kill(self) -> None:
        """Airflow tells the task to stop: only noted here, in a signal handler; :meth:`stopped` does the rest."""
        self._was_told_to_stop = True
        if self._stop_signal is not None:
            self._stop_signal.give()

    @contextmanager
    def stoppable(self) -> Iterator[StopSignal]:
        """Notice :meth:`on_kill` in this block."""
        self._stop_signal = signal = StopSignal()
        if self._was_told_to_stop:
            signal.give()
        try:
            yield signal
        finally:
            self._stop_signal = None

    def pause(self, seconds: float, wait: Wait) -> None:
        """Wait between two looks, unless the task is told to stop.

        :param seconds: for so long.
        :param wait: what for.
        """
        if self._stop_signal is None:
            time.sleep(seconds)
        elif self._stop_signal.wait(seconds):
            self.stopped(wait.runway_task_id)

    def stopped(self, runway_task_id: str) -> NoReturn:
        """The end of a task that was told to stop. Here nothing is ever cancelled: others may watch the same.

        :param runway_task_id: the generation, which runs on.
        :raises RunwayStoppedError: which a retry mends.
        """
        raise error_of(left_running(f"Runway task {runway_task_id}", None))

    def remember_link(self, runway_task_id: str) -> None:
        """Note the generation's address for :class:`~airflow_runway.links.runway.RunwayTaskLink`.

        :param runway_task_id: the generation.
        """
        self.runway_task_url = self.hook.task_url(runway_task_id)

    def look(self, wait: Wait, *, attempts: int = 1) -> PollDecision:
        """Read the task once and decide.

        :param wait: the wait so far.
        :param attempts: tries, where the read fails in passing.
        """
        found: Reading
        try:
            found = self.hook.get_task(wait.runway_task_id, attempts=attempts)
        except RunwayReadError as trouble:
            found = trouble.facts
        result = self._wait_log_of(wait.runway_task_id).looked(found)
        telemetry.count(telemetry.IN_WORKER, "runway.polls", result=result)
        return after_look(wait, found, now=time.time(), chance=_chance)

    def _wait_log_of(self, runway_task_id: str) -> telemetry.WaitLog:
        if self._wait_log is None or self._wait_log.runway_task_id != runway_task_id:
            self._wait_log = telemetry.WaitLog(self.log, runway_task_id)
        return self._wait_log

    def result(self, task: RunwayTask) -> TaskResult:
        """The finished task as a dict.

        :param task: a final reading.
        :raises RunwayTaskFailedError: it failed.
        :raises RunwayTransientFailureError: it failed, and a retry would make another generation, which may do
            better.
        :raises RunwayTaskCancelledError: it was cancelled.
        """
        ending = ending_of(task)
        if isinstance(ending, Failed):
            raise error_of(self._as_retryable(ending))
        if isinstance(ending, Cancelled):
            raise error_of(ending.error)
        cost = "unknown" if task.cost_credits is None else f"{task.cost_credits:g} credits"
        self.log.info(
            "Runway task %s succeeded with %d output(s); cost: %s.", task.id, len(task.output), cost
        )
        if task.failure:
            self.log.warning("Runway task %s succeeded only in part: %s", task.id, task.failure)
        return task.as_result()

    def _as_retryable(self, ending: Failed) -> ErrorFacts:
        """Where another try may do better, Airflow's retries stay in charge."""
        if ending.retryable and self.retries_make_another_generation:
            return ending.error.of_kind(ErrorKind.TRANSIENT_FAILURE)
        return ending.error

    def wait_in_worker(self, wait: Wait) -> TaskResult:
        """Wait here, holding the worker.

        :param wait: what for.
        """
        decision: PollDecision = LookAgain(first_look(wait, chance=_chance), wait)
        while isinstance(decision, LookAgain):
            self.pause(decision.after, decision.wait)
            wait = decision.wait
            decision = self.look(wait)
        return self._conclude(decision, wait)

    def wait_deferred(self, wait: Wait, *, cancel_on_kill: bool = False) -> NoReturn:
        """Give the worker back and let the trigger wait.

        :param wait: what for.
        :param cancel_on_kill: whether the trigger cancels the generation when somebody stops the task.
        """
        from airflow_runway.triggers.runway import RunwayTaskTrigger

        if self._stop_signal is not None and self._stop_signal.is_given:
            self.stopped(wait.runway_task_id)
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
            timeout=timedelta(seconds=left + DEFER_TIMEOUT_MARGIN),
        )

    def own_event(
        self, event: TaskEvent, runway_task_id: str, *, deadline: float, cancel_on_kill: bool = False
    ) -> TaskEvent:
        """The event, if it is this task's; else one that says nothing, so that its own generation is read.

        SQLite uses the id of a deleted trigger again, and so an event can reach another task (airflow-facts §3).

        :param event: what came.
        :param runway_task_id: what this task waits for; empty = not known.
        :param deadline: wall clock, seconds since the epoch.
        :param cancel_on_kill: see :meth:`wait_deferred`.
        """
        told = event.get("runway_task_id")
        if told == runway_task_id or (told and not runway_task_id):
            return event
        self.log.warning(
            "An event of another task came (Runway task %s); this one waits for %s.", told, runway_task_id
        )
        return {
            "runway_task_id": runway_task_id,
            "deadline": deadline,
            "cancel_on_kill": cancel_on_kill,
            "error": None,
        }

    def execute_complete(self, context: Context, event: TaskEvent) -> TaskResult:
        """Continue after the trigger fired: read the task for fresh links, whatever the event says.

        :param event: what the trigger tells, see ``airflow_runway.triggers._events``.
        """
        runway_task_id = event["runway_task_id"]
        self.remember_link(runway_task_id)
        wait = Wait(runway_task_id, event["deadline"], self.waiting_interval, refusals=1)
        decision = self.look(wait, attempts=RESULT_ATTEMPTS)
        error = error_in(event["error"])
        if not isinstance(decision, Finished) and error is not None:
            decision = GaveUp(error)
        if isinstance(decision, LookAgain):
            self.log.warning("Runway task %s has not ended after all; waiting on.", runway_task_id)
            self.wait_deferred(decision.wait, cancel_on_kill=event.get("cancel_on_kill", False))
        return self._conclude(decision, wait)

    def _conclude(self, decision: Finished | GaveUp, wait: Wait) -> TaskResult:
        self._wait_log_of(wait.runway_task_id).ended(decision)
        telemetry.count_ending(decision)
        if isinstance(decision, Finished):
            return self.result(decision.task)
        if decision.error.kind is ErrorKind.TASK_TIMEOUT and self.cancel_on_timeout:
            return self.cancel_at_deadline(wait, decision.error.task)
        raise error_of(decision.error)

    def cancel_at_deadline(self, wait: Wait, task: RunwayTask | None = None) -> TaskResult:
        """Cancel what is unfinished; what finished in the last moment is the result after all.

        :param wait: the wait whose deadline has passed.
        :param task: the last reading, if any.
        :raises RunwayTaskTimeoutError: telling what became of it.
        """
        outcome = self.hook.cancel_task(wait.runway_task_id)
        if outcome is CancelOutcome.ALREADY_FINISHED:
            decision = self.look(wait, attempts=RESULT_ATTEMPTS)
            if isinstance(decision, Finished):
                return self.result(decision.task)
        raise error_of(timed_out(wait, task=task, cancelled=outcome))
