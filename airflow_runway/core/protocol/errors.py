"""Verdicts in words: what happened, to which id, what it cost, what to do."""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.protocol.verdicts import (
    Acceptance,
    Cause,
    Delivery,
    Retry,
    Verdict,
    judge_create,
    judge_read,
    judge_silence,
)
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from airflow_runway.core.protocol.gateways import Gateway
    from airflow_runway.core.protocol.responses import Complaint, Response

#: A refused submission: the kind of error, and what to do.
_REFUSALS: dict[Cause, tuple[ErrorKind, str]] = {
    Cause.REQUEST: (ErrorKind.REQUEST_REFUSED, "Correct the request, then clear this task."),
    Cause.KEY: (
        ErrorKind.AUTHENTICATION,
        "Put a valid API key for this gateway into the connection, then clear this task.",
    ),
    Cause.CREDITS: (ErrorKind.OUT_OF_CREDITS, "Buy credits, then clear this task."),
    Cause.ADDRESS: (
        ErrorKind.REQUEST_REFUSED,
        "Redirects are not followed: the connection's Base URL is most likely wrong.",
    ),
    Cause.LIMIT: (
        ErrorKind.NOT_ACCEPTED,
        "A limit is reached or no channel is free; a retry after some minutes sends it again.",
    ),
    Cause.CONNECTION: (
        ErrorKind.NOT_ACCEPTED,
        "Check the connection's Base URL and the network; a retry sends it again.",
    ),
}


def create_without_answer(gateway: Gateway, route: str, delivery: Delivery, reason: str) -> ErrorFacts:
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


def create_without_id(gateway: Gateway, route: str, response: Response, complaint: Complaint) -> ErrorFacts:
    """The error of a create that was answered, but not with an id.

    :param gateway: where it was sent.
    :param route: the route's name.
    :param response: the whole response.
    :param complaint: what the answer says is wrong; falsy if nothing.
    """
    verdict = _judged(response, complaint)
    said = f"({_said(response, complaint)})"
    if verdict.acceptance is Acceptance.NOT_ACCEPTED:
        happened = f"{gateway.title} refused the submission to {route} {said}."
        return _refusal(verdict, happened, status=response.status)
    what = (
        "without a task id"
        if 200 <= response.status < 300
        else "with an error that leaves open if it was taken"
    )
    return _ambiguous(gateway, f"{gateway.title} answered the submission to {route} {what} {said}.")


def create_with_doubtful_id(
    gateway: Gateway, route: str, response: Response, complaint: Complaint, runway_task_id: str
) -> ErrorFacts:
    """The error of a create whose answer is an error, and names an id all the same (contracts §9).

    :param gateway: where it was sent.
    :param route: the route's name.
    :param response: the whole response.
    :param complaint: what the answer says is wrong; falsy if nothing.
    :param runway_task_id: the id that stands in it.
    """
    refused = _judged(response, complaint).acceptance is Acceptance.NOT_ACCEPTED
    return ErrorFacts(
        ErrorKind.AMBIGUOUS_SUBMISSION,
        f"{gateway.title} answered the submission to {route} with an error ({_said(response, complaint)}) that "
        f"names Runway task {runway_task_id}: it may exist and may be charged. Note this id; a clear of this task "
        "reads it before anything else, and sends nothing if it is there.",
        status=response.status,
        runway_task_id=runway_task_id,
        refused=refused,
    )


def _judged(response: Response, complaint: Complaint) -> Verdict:
    # Some gateways put the refusal's 4xx into the body of a 200.
    inside = int(complaint.code) if complaint.code.isascii() and complaint.code.isdigit() else 0
    status = inside if 200 <= response.status < 300 and 400 <= inside < 500 else response.status
    return judge_create(status, complaint, after=retry_after(response))


def _refusal(verdict: Verdict, happened: str, *, status: int | None = None) -> ErrorFacts:
    kind, remedy = _REFUSALS[verdict.cause]
    return ErrorFacts(
        kind,
        f"{happened} Nothing was accepted and nothing was charged. {remedy}",
        status=status,
        retry_after=verdict.after,
    )


def _ambiguous(gateway: Gateway, happened: str) -> ErrorFacts:
    return ErrorFacts(
        ErrorKind.AMBIGUOUS_SUBMISSION,
        f"{happened} The generation may exist and may be charged. Look for it in the request history at "
        f"{gateway.portal}; sending it again could pay twice.",
    )


def read_without_answer(gateway: Gateway, runway_task_id: str | None, reason: str) -> ErrorFacts:
    """The error of a read that got no answer.

    :param gateway: where it was sent.
    :param runway_task_id: the task that was asked for; ``None`` for the account.
    :param reason: the library's words, redacted.
    """
    return ErrorFacts(
        ErrorKind.READ,
        f"{gateway.title} could not be asked about {_subject(runway_task_id)}: {reason}. "
        f"{_unharmed(runway_task_id)}Another look costs nothing.",
    )


def read_without_state(
    gateway: Gateway, runway_task_id: str | None, response: Response, complaint: Complaint
) -> ErrorFacts:
    """The error of a read whose answer does not tell what was asked.

    :param gateway: where it was sent.
    :param runway_task_id: the task that was asked for; ``None`` for the account.
    :param response: the whole response.
    :param complaint: what the answer says is wrong; falsy if nothing.
    """
    verdict = judge_read(response.status, complaint, gateway, after=retry_after(response))
    happened = (
        f"{gateway.title} did not tell about {_subject(runway_task_id)} ({_said(response, complaint)}). "
    )
    happened += _unharmed(runway_task_id)
    if verdict.retry is not Retry.NEVER:
        return ErrorFacts(ErrorKind.READ, happened + "Another look costs nothing.", retry_after=verdict.after)
    key = verdict.cause is Cause.KEY
    remedy = "Put a valid API key for this gateway into" if key else "Check gateway and Base URL of"
    return ErrorFacts(
        ErrorKind.READ_REFUSED,
        f"{happened}{remedy} the connection; a task that waits resumes when it is cleared.",
        key_refused=key,
    )


def upload_without_answer(gateway: Gateway, filename: str, reason: str) -> ErrorFacts:
    """The error of an upload that got no answer.

    :param gateway: where it was sent.
    :param filename: the file.
    :param reason: the library's words, redacted.
    """
    return ErrorFacts(
        ErrorKind.MEDIA,
        f"{gateway.title} could not be reached to upload {filename}: {reason}. {_UPLOAD_IS_FREE}",
    )


def upload_refused(gateway: Gateway, filename: str, response: Response, complaint: Complaint) -> ErrorFacts:
    """The error of an upload that was answered with anything but a place for the file.

    :param gateway: where it was sent.
    :param filename: the file.
    :param response: the whole response.
    :param complaint: what the answer says is wrong; falsy if nothing.
    """
    verdict = judge_read(response.status, complaint, gateway, after=retry_after(response))
    happened = f"{gateway.title} did not take the upload of {filename} ({_said(response, complaint)}). "
    happened += _UPLOAD_IS_FREE
    if verdict.retry is Retry.NEVER:
        return ErrorFacts(ErrorKind.MEDIA_REFUSED, happened)
    return ErrorFacts(ErrorKind.MEDIA, happened, retry_after=verdict.after)


_UPLOAD_IS_FREE = "No generation was asked for and nothing was charged."


def _subject(runway_task_id: str | None) -> str:
    return "the account" if runway_task_id is None else f"task {runway_task_id}"


def _unharmed(runway_task_id: str | None) -> str:
    return "" if runway_task_id is None else "The generation itself is untouched and its id stays valid. "


def _said(response: Response, complaint: Complaint) -> str:
    if complaint:
        return f"HTTP {response.status}: {complaint}"
    if response.is_html:
        return f"HTTP {response.status}, a web page instead of JSON; is the Base URL right?"
    if not response.body.strip():
        return f"HTTP {response.status}, empty"
    if response.truncated:
        # The beginning may hold part of the id: a trace for whoever looks the task up.
        begin = redact(response.body.decode("utf-8", "replace"), limit=120)
        return f"HTTP {response.status}, cut short after {begin}"
    return f"HTTP {response.status}"


def retry_after(response: Response, *, most: float = 86_400.0) -> float | None:
    """Seconds that the server asks to wait (``Retry-After`` in seconds or as a date), if it does.

    :param response: the whole response.
    :param most: upper bound, in seconds.
    """
    value = response.header("retry-after").strip()
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            # Against the server's own clock: ours may be off.
            now = parsedate_to_datetime(response.header("date"))
            seconds = (parsedate_to_datetime(value) - now).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(max(seconds, 0.0), most) if math.isfinite(seconds) else None
