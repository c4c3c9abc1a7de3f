"""The operator that creates a generation on any route; the typed ones stand on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_runway.compat import TaskDeferralTimeout
from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.links.runway import RunwayTaskLink
from airflow_runway.polling import DEFAULT_INTERVAL, Wait, timed_out
from airflow_runway.waiting import WaitsForRunwayTask, seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

XCOM_RUNWAY_TASK_ID = "runway_task_id"


class RunwaySubmitOperator(WaitsForRunwayTask):
    """Creates one generation, on any route, and returns its task id. This spends money.

    The id is pushed to XCom twice: as ``return_value`` (without ``wait_for_completion``) and always as
    ``runway_task_id``.

    Errors tell what was charged. A refusal by the gateway (``RunwayRequestRefusedError``,
    ``RunwayAuthenticationError``, ``RunwayOutOfCreditsError``) costs nothing and is not retried. Limits and
    missing connections (``RunwayNotAcceptedError``) cost nothing, and Airflow's retries submit again. An
    answer that leaves it open (``RunwayAmbiguousSubmissionError``) may have been charged and is never retried.

    :param route: the official path after ``/v1/``, e.g. ``image_to_video``; templated.
    :param payload: the JSON body with the API's own field names; templated.
    :param runway_conn_id: id of a connection of type ``runway``; templated.
    :param wait_for_completion: also wait until the generation has ended, and return it as a dict like
        :class:`~airflow_runway.sensors.runway.RunwayTaskSensor`. A separate sensor is the better choice where
        retries are on: a retry of this task submits, and pays, again.
    :param deferrable: with ``wait_for_completion``: wait in the triggerer, holding no worker.
    :param poll_interval: with ``wait_for_completion``: seconds between looks, at least 5; varied by a fifth.
    :param timeout: with ``wait_for_completion``: seconds, or a ``timedelta``, after the submission.
    """

    template_fields: Sequence[str] = ("route", "payload", "runway_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"payload": "json"}
    operator_extra_links = (RunwayTaskLink(),)
    ui_color = "#c7d2fe"

    def __init__(
        self,
        *,
        route: str,
        payload: Mapping[str, Any],
        runway_conn_id: str = "runway_default",
        wait_for_completion: bool = False,
        deferrable: bool = True,
        poll_interval: timedelta | float = DEFAULT_INTERVAL,
        timeout: timedelta | float = timedelta(hours=2),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.route = route
        self.payload = payload
        self.runway_conn_id = runway_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = seconds("poll_interval", poll_interval)
        self.timeout = seconds("timeout", timeout)

    @property
    def waiting_interval(self) -> float:
        """Seconds between looks: ``poll_interval``."""
        return self.poll_interval

    def body(self) -> dict[str, Any]:
        """The JSON body, from the rendered arguments.

        :raises RunwayConfigurationError: if it cannot be sent; nothing has been.
        """
        if not isinstance(self.payload, Mapping):
            raise RunwayConfigurationError(
                f"payload is {type(self.payload).__name__}, not a JSON object. Nothing was sent."
            )
        return dict(self.payload)

    def execute(self, context: Context) -> Any:
        """Submit, record the id, then return or wait.

        :param context: Airflow's.
        """
        submission = self.hook.submit(self.route, self.body())
        runway_task_id = submission.runway_task_id
        deadline = time.time() + self.timeout
        estimate = submission.estimated_credits
        # The log first: it is the one record that needs nobody's answer.
        self.log.info(
            "Runway task %s accepted on %s%s.",
            runway_task_id,
            self.route,
            "" if estimate is None else f", at most {estimate:g} credits",
        )
        context["ti"].xcom_push(key=XCOM_RUNWAY_TASK_ID, value=runway_task_id)
        self.remember_link(runway_task_id)
        if not self.wait_for_completion:
            return runway_task_id
        wait = Wait(runway_task_id, deadline, self.waiting_interval)
        if self.deferrable:
            self.wait_deferred(wait)
        return self.wait_in_worker(wait)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Airflow's; an expired deferral becomes our own time-out, which names the generation.

        :param next_method: Airflow's.
        :param next_kwargs: Airflow's.
        :param context: Airflow's.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            ti = context["ti"]
            found = ti.xcom_pull(task_ids=ti.task_id, key=XCOM_RUNWAY_TASK_ID, map_indexes=ti.map_index)
            raise timed_out(Wait(str(found or "(id not found)"), time.time())) from None
