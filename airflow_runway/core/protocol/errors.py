"""Verdicts in words: what happened, to which id, what it cost, what to do.

What a status means decides the words (:mod:`airflow_runway.core.protocol.statuses`), but for the key and for credits.
"""

from __future__ import annotations

import math
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.protocol.statuses import FIREWALL, words_of
from airflow_runway.core.protocol.verdicts import (
    Acceptance,
    Cause,
    Delivery,
    Verdict,
    judge_create,
    judge_silence,
)
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from airflow_runway.core.protocol.gateways import Gateway
    from airflow_runway.core.protocol.responses import Complaint, Response
    from airflow_runway.core.protocol.statuses import StatusWords

#: A refused submission: the kind of error, and what to do.
_REFUSALS: dict[Cause, tuple[ErrorKind, str]] = {
    Cause.REQUEST: (ErrorKind.REQUEST_REFUSED, "Correct the request, then clear this task."),
    Cause.KEY: (
        ErrorKind.AUTHENTICATION,
        "Put a valid API key for this gateway into the connection, then clear this task.",
    ),
    Cause.CREDITS: (ErrorKind.OUT_OF_CREDITS, "Buy credits, then clear this task."),
    Cause.ADDRESS: (ErrorKind.REQUEST_REFUSED, "Correct the connection, then clear this task."),
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
        return _refusal(
            verdict,
            f"{gateway.title} could not be reached for {route}: {reason}.",
            summary=f"{gateway.title} could not be reached",
            next_step="Check network and Base URL; a retry sends it",
        )
    return _ambiguous(
        gateway,
        f"{gateway.title} gave no answer to the submission to {route}: {reason}.",
        summary=f"{gateway.title} gave no answer to a submission",
    )


def create_without_id(gateway: Gateway, route: str, response: Response, complaint: Complaint) -> ErrorFacts:
    """The error of a create that was answered, but not with an id.

    :param gateway: where it was sent.
    :param route: the route's name.
    :param response: the whole response.
    :param complaint: what the answer says is wrong; falsy if nothing.
    """
    verdict = _judged(response, complaint)
    status = _status(response, complaint)
    words = words_of(status, is_web_page=response.is_html)
    answer = f"({said(response, complaint)})"
    if verdict.acceptance is Acceptance.NOT_ACCEPTED:
        happened = f"{gateway.title} refused the submission to {route} {answer}."
        # Whose refusal it is, a web page leaves open; else the key and the balance need no other words.
        by_status = words is FIREWALL or verdict.cause in {Cause.REQUEST, Cause.ADDRESS}
        return _refusal(
            verdict,
            f"{happened} {words.hint}".rstrip() if by_status else happened,
            status=response.status,
            summary=_in_short(gateway, verdict.cause, status, complaint, words),
            next_step=words.next_step if by_status else "",
        )
    what = (
        "without a task id"
        if 200 <= response.status < 300
        else "with an error that leaves open if it was taken"
    )
    return _ambiguous(
        gateway,
        f"{gateway.title} answered the submission to {route} {what} {answer}. {words.hint}".rstrip(),
        summary=f"Lost answer (HTTP {status}): {words.happened}",
    )


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
        f"{gateway.title} answered the submission to {route} with an error ({said(response, complaint)}) that "
        f"names Runway task {runway_task_id}: it may exist and may be charged. Note this id; a clear of this task "
        "reads it before anything else, and sends nothing if it is there.",
        status=response.status,
        runway_task_id=runway_task_id,
        refused=refused,
        summary=f"{gateway.title} answered with an error and an id",
        next_step="Note the id, then clear this task",
    )


def _status(response: Response, complaint: Complaint) -> int:
    """The status that counts: some gateways put a refusal's 4xx into the body of a 200."""
    inside = int(complaint.code) if complaint.code.isascii() and complaint.code.isdigit() else 0
    return inside if 200 <= response.status < 300 and 400 <= inside < 500 else response.status


def _judged(response: Response, complaint: Complaint) -> Verdict:
    return judge_create(_status(response, complaint), complaint, after=retry_after(response))


def _in_short(gateway: Gateway, cause: Cause, status: int, complaint: Complaint, words: StatusWords) -> str:
    if cause is Cause.CREDITS:
        return f"{gateway.title}: the account lacks credits (HTTP {status})"
    if cause is Cause.LIMIT and status != 429:
        return f"{gateway.title}: no channel is free (HTTP {status})"
    # Of a request that is wrong in itself the gateway's own words say most.
    if cause is Cause.REQUEST and complaint and status in {400, 404, 422, 500}:
        return f"{gateway.title}: {complaint}"
    return f"{gateway.title}: {words.happened} (HTTP {status})"


def _refusal(
    verdict: Verdict, happened: str, *, summary: str, next_step: str, status: int | None = None
) -> ErrorFacts:
    kind, remedy = _REFUSALS[verdict.cause]
    return ErrorFacts(
        kind,
        f"{happened} Nothing was accepted and nothing was charged. {remedy}",
        status=status,
        retry_after=verdict.after,
        summary=summary,
        next_step=next_step,
    )


def _ambiguous(gateway: Gateway, happened: str, *, summary: str) -> ErrorFacts:
    return ErrorFacts(
        ErrorKind.AMBIGUOUS_SUBMISSION,
        f"{happened} The generation may exist and may be charged. Look for it in the request history at "
        f"{gateway.portal}; sending it again could pay twice.",
        summary=summary,
    )


def said(response: Response, complaint: Complaint) -> str:
    """What an answer says, in brackets of a sentence: status, complaint, or what stands in their place.

    :param response: the whole response.
    :param complaint: what it says is wrong; falsy if nothing.
    """
    if complaint:
        return f"HTTP {response.status}: {complaint}"
    if response.is_html:
        from_whom = (
            "is the Base URL right?"
            if words_of(response.status).may_be_the_address
            else "a proxy or a firewall in between may have sent it"
        )
        return f"HTTP {response.status}, a web page instead of JSON; {from_whom}"
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
