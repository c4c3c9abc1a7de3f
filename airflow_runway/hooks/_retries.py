"""What a hook does a second time by itself, as settings for tenacity: little, and nothing that could pay twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tenacity

from airflow_runway.core.reports import summary
from airflow_runway.exceptions import (
    RunwayError,
    RunwayMediaError,
    RunwayMediaRefusedError,
    RunwayNotAcceptedError,
    RunwayReadError,
    RunwayReadRefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_runway.hooks._ports import PausesBetweenTries

#: A submission that was provably not taken is sent again at most this often, in all.
SUBMIT_ATTEMPTS = 3
#: An upload is tried this often, each time with a slot of its own.
UPLOAD_ATTEMPTS = 3
#: A longer Retry-After, in seconds, is left to Airflow's retries: no worker is held for it.
LONGEST_PAUSE_IN_WORKER = 30.0


def resend(hook: PausesBetweenTries) -> dict[str, Any]:
    """Send a create again where the gateway provably did not take it, and not for long.

    :param hook: whose pauses and log.
    """
    return _settings(hook, SUBMIT_ATTEMPTS, _may_be_sent_again)


def reread(hook: PausesBetweenTries, attempts: int) -> dict[str, Any]:
    """Read again after trouble that may pass.

    :param hook: whose pauses and log.
    :param attempts: tries in all.
    """
    return _settings(hook, attempts, _may_be_read_again)


def reupload(hook: PausesBetweenTries) -> dict[str, Any]:
    """Upload again after trouble that may pass: it is free.

    :param hook: whose pauses and log.
    """
    return _settings(hook, UPLOAD_ATTEMPTS, _may_be_uploaded_again)


def _settings(
    hook: PausesBetweenTries, attempts: int, retried: Callable[[BaseException], bool]
) -> dict[str, Any]:
    def pause(state: tenacity.RetryCallState) -> float:
        error = _error(state)
        asked = (error.retry_after if isinstance(error, RunwayError) else None) or 0.0
        return max(hook.pause_between_tries(state), min(asked, LONGEST_PAUSE_IN_WORKER))

    def say(state: tenacity.RetryCallState) -> None:
        # In short: if no try helps, the last one's error is the report.
        error = _error(state)
        told = summary(error.facts) if isinstance(error, RunwayError) else type(error).__name__
        hook.log.warning("%s. Trying again in %.1f s.", told, state.upcoming_sleep)

    return {
        "stop": tenacity.stop_after_attempt(attempts),
        "retry": tenacity.retry_if_exception(retried),
        "wait": pause,
        "before_sleep": say,
        "reraise": True,
    }


def _error(state: tenacity.RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _may_be_read_again(error: BaseException) -> bool:
    return isinstance(error, RunwayReadError) and not isinstance(error, RunwayReadRefusedError)


def _may_be_uploaded_again(error: BaseException) -> bool:
    return isinstance(error, RunwayMediaError) and not isinstance(error, RunwayMediaRefusedError)


def _may_be_sent_again(error: BaseException) -> bool:
    if not isinstance(error, RunwayNotAcceptedError):
        return False
    never_connected = error.status is None
    soon = error.retry_after is not None and error.retry_after <= LONGEST_PAUSE_IN_WORKER
    return never_connected or soon
