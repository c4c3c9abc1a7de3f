"""Verdicts in words: the errors of our tree, each saying what happened, to which id, what it cost, what to do."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from airflow_runway.core.models import TaskStatus
from airflow_runway.core.protocol.verdicts import (
    Acceptance,
    Cause,
    Delivery,
    Retry,
    Verdict,
    judge_create,
    judge_failure,
    judge_read,
    judge_silence,
)
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayAuthenticationError,
    RunwayError,
    RunwayMediaError,
    RunwayMediaRefusedError,
    RunwayNotAcceptedError,
    RunwayOutOfCreditsError,
    RunwayReadError,
    RunwayReadRefusedError,
    RunwayRequestRefusedError,
    RunwaySubmissionError,
    RunwayTaskCancelledError,
    RunwayTaskFailedError,
)

if TYPE_CHECKING:
    from airflow_runway.core.models import RunwayTask
    from airflow_runway.core.protocol.gateways import Gateway
    from airflow_runway.core.protocol.responses import Answer, Complaint

#: A refused submission: the class, and what to do.
_REFUSALS: dict[Cause, tuple[type[RunwaySubmissionError], str]] = {
    Cause.REQUEST: (RunwayRequestRefusedError, "Correct the request, then clear this task."),
    Cause.KEY: (
        RunwayAuthenticationError,
        "Put a valid API key for this gateway into the connection, then clear this task.",
    ),
    Cause.CREDITS: (RunwayOutOfCreditsError, "Buy credits, then clear this task."),
    Cause.ADDRESS: (
        RunwayRequestRefusedError,
        "Redirects are not followed: the connection's Base URL is most likely wrong.",
    ),
    Cause.LIMIT: (
        RunwayNotAcceptedError,
        "A limit is reached or no channel is free; a retry after some minutes sends it again.",
    ),
    Cause.CONNECTION: (
        RunwayNotAcceptedError,
        "Check the connection's Base URL and the network; a retry sends it again.",
    ),
}

#: A failed generation: what to do.
_AFTER_FAILURE: dict[Cause, str] = {
    Cause.MODERATION: "Change the input: the same one is refused again, and repeated hits can suspend the account.",
    Cause.REQUEST: "Correct the media or the fields, then clear the submitting task to pay for another generation.",
    Cause.GENERATION: "Clear the submitting task to pay for another generation.",
}


def create_without_answer(gateway: Gateway, route: str, delivery: Delivery, reason: str) -> RunwayError:
    """The error of a create that got no answer.

    :param gateway: where it was sent.
    :param route: the route's name.
    :param delivery: how far it got.
    :param reason: the library's words, redacted.
    """
    verdict = judge_silence(delivery)
    if verdict.acceptance is Acceptance.NOT_ACCEPTED:
        return _refusal(verdict, f"{gateway.title} could not be reached for {route}: {reason}.")
    return _ambiguous(gateway, f"{gateway.title} gave no answer to the submission to {route}: {reason}.")


def create_without_id(gateway: Gateway, route: str, answer: Answer, complaint: Complaint) -> RunwayError:
    """The error of a create that was answered, but not with an id.

    :param gateway: where it was sent.
    :param route: the route's name.
    :param answer: the whole answer.
    :param complaint: what the answer says is wrong; falsy if nothing.
    """
    # Some gateways put the refusal's 4xx into the body of a 200.
    inside = int(complaint.code) if complaint.code.isascii() and complaint.code.isdigit() else 0
    status = inside if 200 <= answer.status < 300 and 400 <= inside < 500 else answer.status
    verdict = judge_create(status, complaint, after=retry_after(answer))
    said = f"({_said(answer, complaint)})"
    if verdict.acceptance is Acceptance.NOT_ACCEPTED:
        happened = f"{gateway.title} refused the submission to {route} {said}."
        return _refusal(verdict, happened, status=answer.status)
    what = (
        "without a task id"
        if 200 <= answer.status < 300
        else "with an error that leaves open if it was taken"
    )
    return _ambiguous(gateway, f"{gateway.title} answered the submission to {route} {what} {said}.")


def _refusal(verdict: Verdict, happened: str, *, status: int | None = None) -> RunwaySubmissionError:
    error, remedy = _REFUSALS[verdict.cause]
    return error(
        f"{happened} Nothing was accepted and nothing was charged. {remedy}",
        status=status,
        retry_after=verdict.after,
    )


def _ambiguous(gateway: Gateway, happened: str) -> RunwayAmbiguousSubmissionError:
    return RunwayAmbiguousSubmissionError(
        f"{happened} The generation may exist and may be charged. Look for it in the request history at "
        f"{gateway.portal}; sending it again could pay twice."
    )


def read_without_answer(gateway: Gateway, runway_task_id: str | None, reason: str) -> RunwayReadError:
    """The error of a read that got no answer.

    :param gateway: where it was sent.
    :param runway_task_id: the task that was asked for; ``None`` for the account.
    :param reason: the library's words, redacted.
    """
    return RunwayReadError(
        f"{gateway.title} could not be asked about {_subject(runway_task_id)}: {reason}. "
        f"{_unharmed(runway_task_id)}Another look costs nothing."
    )


def read_without_state(
    gateway: Gateway, runway_task_id: str | None, answer: Answer, complaint: Complaint
) -> RunwayReadError:
    """The error of a read whose answer does not tell what was asked.

    :param gateway: where it was sent.
    :param runway_task_id: the task that was asked for; ``None`` for the account.
    :param answer: the whole answer.
    :param complaint: what the answer says is wrong; falsy if nothing.
    """
    verdict = judge_read(answer.status, complaint, gateway, after=retry_after(answer))
    happened = f"{gateway.title} did not tell about {_subject(runway_task_id)} ({_said(answer, complaint)}). "
    happened += _unharmed(runway_task_id)
    if verdict.retry is not Retry.NEVER:
        return RunwayReadError(happened + "Another look costs nothing.", retry_after=verdict.after)
    key = verdict.cause is Cause.KEY
    remedy = "Put a valid API key for this gateway into" if key else "Check gateway and Base URL of"
    return RunwayReadRefusedError(
        f"{happened}{remedy} the connection; a task that waits resumes when it is cleared.",
        key_refused=key,
    )


def upload_without_answer(gateway: Gateway, filename: str, reason: str) -> RunwayMediaError:
    """The error of an upload that got no answer.

    :param gateway: where it was sent.
    :param filename: the file.
    :param reason: the library's words, redacted.
    """
    return RunwayMediaError(
        f"{gateway.title} could not be reached to upload {filename}: {reason}. {_UPLOAD_IS_FREE}"
    )


def upload_refused(gateway: Gateway, filename: str, answer: Answer, complaint: Complaint) -> RunwayMediaError:
    """The error of an upload that was answered with anything but a place for the file.

    :param gateway: where it was sent.
    :param filename: the file.
    :param answer: the whole answer.
    :param complaint: what the answer says is wrong; falsy if nothing.
    """
    verdict = judge_read(answer.status, complaint, gateway, after=retry_after(answer))
    happened = f"{gateway.title} did not take the upload of {filename} ({_said(answer, complaint)}). "
    happened += _UPLOAD_IS_FREE
    if verdict.retry is Retry.NEVER:
        return RunwayMediaRefusedError(happened)
    return RunwayMediaError(happened, retry_after=verdict.after)


_UPLOAD_IS_FREE = "No generation was asked for and nothing was charged."


def _subject(runway_task_id: str | None) -> str:
    return "the account" if runway_task_id is None else f"task {runway_task_id}"


def _unharmed(runway_task_id: str | None) -> str:
    return "" if runway_task_id is None else "The generation itself is untouched and its id stays valid. "


def _said(answer: Answer, complaint: Complaint) -> str:
    if complaint:
        return f"HTTP {answer.status}: {complaint}"
    if answer.is_html:
        return f"HTTP {answer.status}, a web page instead of JSON; is the Base URL right?"
    if not answer.body.strip():
        return f"HTTP {answer.status}, empty"
    if answer.truncated:
        # The beginning may hold part of the id: a trace for whoever looks the task up.
        begin = redact(answer.body.decode("utf-8", "replace"), limit=120)
        return f"HTTP {answer.status}, cut short after {begin}"
    return f"HTTP {answer.status}"


def unhappy_ending(task: RunwayTask) -> RunwayTaskFailedError | RunwayTaskCancelledError | None:
    """The error of a final task that has no result; ``None`` for a success.

    :param task: a final reading.
    """
    cost = f"{task.cost_credits:g} credits" if task.cost_credits is not None else "an amount it did not tell"
    charged = f"The gateway charged {cost}."
    if task.status is TaskStatus.FAILED:
        code = f" ({task.failure_code})" if task.failure_code else ""
        reason = (task.failure or "no reason given").rstrip(".")
        remedy = _AFTER_FAILURE[judge_failure(task.failure_code).cause]
        return RunwayTaskFailedError(
            f"Runway task {task.id} failed{code}: {reason}. {charged} {remedy}", task=task
        )
    if task.status is TaskStatus.CANCELLED:
        remedy = _AFTER_FAILURE[Cause.GENERATION]
        return RunwayTaskCancelledError(f"Runway task {task.id} was cancelled. {charged} {remedy}", task=task)
    return None


def retry_after(answer: Answer, *, most: float = 86_400.0) -> float | None:
    """Seconds that the server asks to wait (``Retry-After`` in seconds or as a date), if it does.

    :param answer: the whole answer.
    :param most: upper bound, in seconds.
    """
    value = answer.header("retry-after").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            # Against the server's own clock: ours may be off.
            now = parsedate_to_datetime(answer.header("date"))
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), most) if math.isfinite(seconds) else None
