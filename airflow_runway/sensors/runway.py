"""The sensor: waits until a generation has ended."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
)
from airflow.sdk import BaseSensorOperator, PokeReturnValue

from airflow_runway._base_operator import reported, seconds
from airflow_runway.core.limits import DEFAULT_INTERVAL, NOT_VISIBLE_GRACE, SHORTEST_ABSENCE
from airflow_runway.core.polling.decisions import (
    LookAgain,
    Wait,
    timed_out,
)
from airflow_runway.core.protocol.gateways import checked_task_id
from airflow_runway.core.saving.lineage import Lineage, facts_of, generations
from airflow_runway.exceptions import RunwayError, error_of, runway_errors
from airflow_runway.links.runway import RunwayTaskLink
from airflow_runway.operators._waiting import WaitsForRunwayTask

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import timedelta

    from airflow.sdk import Context

    from airflow_runway.core.models import TaskResult
    from airflow_runway.triggers._events import TaskEvent


class RunwayTaskSensor(BaseSensorOperator, WaitsForRunwayTask):
    """Waits for a generation and returns it, finished, as a dict.

    Deferrable by default: no worker is held. With ``deferrable=False`` the modes ``poke`` and ``reschedule``
    work as Airflow documents them. All three decide alike:

    - FAILED raises ``RunwayTaskFailedError``, CANCELLED ``RunwayTaskCancelledError``, an expired ``timeout``
      ``RunwayTaskTimeoutError``, an id unknown to the server ``RunwayTaskLostError``;
    - trouble while reading (network, 5xx, 429) never ends the wait before ``timeout``;
    - none of these is retried, since another look would find the same; with ``soft_fail`` they skip the task;
    - a sensor that is told to stop while it pokes, say because its pod is evicted, ends in ``RunwayStoppedError``: a
      retry waits on. It cancels nothing, whoever stops it.

    Waiting and reading are free.

    :param runway_task_id: the id to wait for, e.g. ``submit.output``; templated.
    :param runway_conn_id: id of a connection of type ``runway``.
    :param deferrable: wait in the triggerer.
    :param poke_interval: seconds between looks, typically, at least 5, in mode ``reschedule`` 10; where the
        server reports progress, a half to three times of it. See ``airflow_runway.core.polling.decisions``.
    :param timeout: seconds (or ``timedelta``) after the sensor's first look; Airflow's default is 7 days.
    :param cancel_on_timeout: cancel what is unfinished at the ``timeout``. Off, since a sensor may be one of
        several that watch the same generation.
    :returns: ``{"id", "status", "output", "cost_credits", "created_at", "failure", "failure_code"}``; the
        URLs in ``output`` are signed and short-lived.
    """

    template_fields: Sequence[str] = ("runway_task_id", "runway_conn_id")
    operator_extra_links = (RunwayTaskLink(),)

    def __init__(
        self,
        *,
        runway_task_id: str,
        runway_conn_id: str = "runway_default",
        deferrable: bool = True,
        poke_interval: timedelta | float = DEFAULT_INTERVAL,
        cancel_on_timeout: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=seconds("poke_interval", poke_interval), **kwargs)
        self.runway_task_id = runway_task_id
        self.runway_conn_id = runway_conn_id
        self.deferrable = deferrable
        self.cancel_on_timeout = cancel_on_timeout
        self._wait: Wait | None = None
        self._pause = self.poke_interval

    @property
    def waiting_interval(self) -> float:
        """Seconds between looks: Airflow's ``poke_interval``."""
        return float(self.poke_interval)

    @reported
    def execute(self, context: Context) -> Any:
        """Look once; finish, or go on in the mode that was asked for."""
        self._wait = self._begin(context)
        with self._ending_as_documented(), self.stoppable():
            if not self.deferrable:
                try:
                    return super().execute(context)
                except AirflowSensorTimeout:
                    return self._expired(self._wait)
            self.remember_link(self._wait.runway_task_id)
            decision = self.look(self._wait)
            if isinstance(decision, LookAgain):
                self.wait_deferred(decision.wait)
            return self._conclude(decision, self._wait)

    def poke(self, context: Context) -> bool | PokeReturnValue:
        """Look once."""
        wait = self._wait or self._begin(context)
        self.remember_link(wait.runway_task_id)
        while True:
            decision = self.look(wait)
            if not isinstance(decision, LookAgain):
                return PokeReturnValue(is_done=True, xcom_value=self._conclude(decision, wait))
            self._wait = wait = decision.wait
            self._pause = max(decision.after, SHORTEST_ABSENCE) if self.reschedule else decision.after
            # A rescheduled sensor remembers nothing: looks at a task that vanished are counted here.
            if not (self.reschedule and wait.seen and wait.unseen_looks):
                return False
            self.pause(decision.after, wait)

    def execute_complete(self, context: Context, event: TaskEvent) -> TaskResult:
        """Continue after the trigger fired.

        :param event: what the trigger tells, see ``airflow_runway.triggers._events``.
        """
        with runway_errors():
            runway_task_id = checked_task_id(self.runway_task_id)
        event = self.own_event(event, runway_task_id, deadline=time.time() + self.timeout)
        return super().execute_complete(context, event)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Airflow's way back into a deferred task.

        :param next_method: the method that was deferred to.
        :param next_kwargs: its arguments, the trigger's event among them.
        """
        with self._ending_as_documented():
            return super().resume_execution(next_method, next_kwargs, context)

    def lineage(self) -> Lineage:
        """The generation that it has waited for."""
        ids = [checked_task_id(self.runway_task_id)]
        return Lineage(generations(ids), (), facts_of(ids, gateway=self.gateway_name))

    def deferral_expired(self, context: Context) -> TaskResult:
        """Our own time-out, which names the generation.

        :raises RunwayTaskTimeoutError: telling what became of it.
        """
        return self._expired(Wait(self.runway_task_id, time.time()))

    def _expired(self, wait: Wait) -> TaskResult:
        if self.cancel_on_timeout:
            return self.cancel_at_deadline(wait)
        raise error_of(timed_out(wait))

    @contextmanager
    def _ending_as_documented(self) -> Iterator[None]:
        """One meaning of ``soft_fail`` and ``never_fail`` for all modes, and the reason in the log."""
        try:
            yield
        except AirflowSkipException as skipped:
            # Airflow's own words for it leave out why.
            if isinstance(skipped.__cause__, RunwayError):
                raise self._skip(skipped.__cause__) from skipped.__cause__
            raise
        except AirflowFailException as error:
            # The look before deferring is in neither of the places where Airflow itself asks for this.
            if self.soft_fail or self.never_fail:
                raise self._skip(error) from error
            raise

    def _skip(self, reason: Exception) -> AirflowSkipException:
        # The one report; Airflow logs the exception's text as well.
        self.log.warning("%s\nThis task is skipped instead of failed.", reason)
        return AirflowSkipException(reason.headline if isinstance(reason, RunwayError) else str(reason))

    def _begin(self, context: Context) -> Wait:
        now = started_at = time.time()
        if self.reschedule and not self.deferrable:
            first = context["ti"].get_first_reschedule_date(context)
            started_at = first.timestamp() if first else now
        with runway_errors():
            runway_task_id = checked_task_id(self.runway_task_id)
        return Wait(
            runway_task_id,
            deadline=started_at + self.timeout,
            interval=self.waiting_interval,
            # After the grace it must have been seen, or an earlier poke would have gone on not seeing it.
            seen=now - started_at > NOT_VISIBLE_GRACE,
            # The connection has just been read: a key that is refused now will be refused again.
            refusals=1,
        )

    def _get_next_poke_interval(self, *args: Any, **kwargs: Any) -> float:
        seconds = self._pause
        if self.exponential_backoff:
            seconds = max(float(super()._get_next_poke_interval(*args, **kwargs)), seconds)
        if self._stop_signal is None or self._wait is None or self.reschedule:
            return seconds
        # Airflow sleeps for what this returns, and would not notice that the task is told to stop.
        self.pause(seconds, self._wait)
        return 0.0
