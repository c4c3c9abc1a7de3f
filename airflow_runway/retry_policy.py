"""When Airflow should try a Runway task again (Airflow 3.3 and later).

Without it Airflow's own ``retries`` and ``retry_delay`` apply; errors that a retry cannot mend stop the retries
in any case, on every version.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk import RetryDecision, RetryPolicy
from airflow.sdk.exceptions import AirflowFailException

from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.protocol.verdicts import Retry, judge_failure
from airflow_runway.exceptions import RunwayError

if TYPE_CHECKING:
    from airflow.sdk import Context


class RunwayRetryPolicy(RetryPolicy):
    """Delays by what happened; use it as ``retry_policy=RunwayRetryPolicy()`` beside ``retries``.

    - a limit, or a 429: as long as the server asked, else ``later``; costs nothing;
    - no connection, a read or a download that failed, a task that was told to stop: ``soon``; costs nothing;
    - a generation that failed for an internal reason: ``soon``, where the provider behind Runway is down
      ``later``; each such retry makes, and pays for, another generation;
    - a lost answer that the gateway's own list may name: when that list is certain, then ``soon``; costs nothing;
    - moderation, invalid input, a key, credits, any other lost answer: no retry;
    - anything that is not ours: Airflow's own rules.

    It cannot go beyond the task's ``retries``.

    :param soon: pause before a retry that may help at once; default a minute.
    :param later: pause where one has to wait for somebody else; default ten minutes.
    """

    def __init__(
        self, soon: timedelta = timedelta(minutes=1), later: timedelta = timedelta(minutes=10)
    ) -> None:
        self.soon = soon
        self.later = later

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Airflow's question, asked in the worker after a failure.

        :param exception: what the task raised.
        :param try_number: of the try that failed, from 1.
        :param max_tries: how many retries the task has.
        :param context: of the task.
        """
        if not isinstance(exception, RunwayError):
            return RetryDecision.default()
        if isinstance(exception, AirflowFailException):
            return RetryDecision.fail(exception.headline)
        return RetryDecision.retry(
            self._delay(exception), f"{type(exception).__name__}: {exception.headline}"
        )

    def _delay(self, error: RunwayError) -> timedelta:
        facts = error.facts
        if facts.retry_after is not None:
            return timedelta(seconds=facts.retry_after)
        if facts.kind is ErrorKind.NOT_ACCEPTED:
            return self.soon if facts.status is None else self.later
        if facts.kind is ErrorKind.TRANSIENT_FAILURE and facts.task is not None:
            verdict = judge_failure(facts.task.failure_code)
            return self.later if verdict.retry is Retry.LATER else self.soon
        return self.soon
