"""What a bad answer, or none, means for money and for retries: pure tables (contracts.md, sections 11, 12).

For a *create* the question is whether the gateway took the generation: "refused" (no task, no charge, sending
again is safe once the cause is gone) or "ambiguous" (never sent again by itself). For a *read* it is whether
another look can help.
"""

from __future__ import annotations

import math
import re
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING

from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayAuthenticationError,
    RunwayError,
    RunwayNotAcceptedError,
    RunwayOutOfCreditsError,
    RunwayReadError,
    RunwayReadRefusedError,
    RunwayRequestRefusedError,
)
from airflow_runway.redaction import redact

if TYPE_CHECKING:
    from airflow_runway.envelopes import Answer, Complaint
    from airflow_runway.gateways import Gateway

_CREDITS = re.compile(r"(?i)(not|n't) (have )?enough credits|insufficient[\w ]*(credit|quota|balance|fund)")
_NO_TASK = "Nothing was accepted and nothing was charged."
_MAY_EXIST = (
    "The generation may exist and may be charged. Look for it in the request history at {portal} before you "
    "clear this task: a new try submits, and pays, once more."
)


class Delivery(Enum):
    """How far a request got that has no answer."""

    #: Nothing of it reached the gateway: the connection never stood.
    NOT_SENT = "not sent"
    #: It may have been read and acted upon.
    UNKNOWN = "unknown"


def create_without_answer(gateway: Gateway, route: str, delivery: Delivery, reason: str) -> RunwayError:
    """The error of a create that got no answer.

    :param gateway: where it was sent.
    :param route: the route's name.
    :param delivery: how far it got.
    :param reason: the library's words, redacted.
    """
    if delivery is Delivery.NOT_SENT:
        return RunwayNotAcceptedError(
            f"{gateway.title} could not be reached for {route}: {reason}. {_NO_TASK} Check the connection's "
            "Base URL and the network; a retry sends it again."
        )
    return RunwayAmbiguousSubmissionError(
        f"{gateway.title} gave no answer to the submission to {route}: {reason}. "
        + _MAY_EXIST.format(portal=gateway.portal)
    )


def create_without_id(gateway: Gateway, route: str, answer: Answer, complaint: Complaint) -> RunwayError:
    """The error of a create that was answered, but not with an id.

    :param gateway: where it was sent.
    :param route: the route's name.
    :param answer: the whole answer.
    :param complaint: what the answer says is wrong; falsy if nothing.
    """
    status = answer.status
    said = f"HTTP {status}" + (f": {complaint}" if complaint else _nature(answer))
    refused = f"{gateway.title} refused the submission to {route} ({said}). {_NO_TASK} "
    if 200 <= status < 300:
        if complaint.code.startswith("4") and len(complaint.code) == 3:
            return _refusal(int(complaint.code), complaint, refused, retry_after(answer))
        return RunwayAmbiguousSubmissionError(
            f"{gateway.title} answered the submission to {route} without a task id ({said}). "
            + _MAY_EXIST.format(portal=gateway.portal)
        )
    if _is_refusal(status, complaint):
        return _refusal(status, complaint, refused, retry_after(answer))
    return RunwayAmbiguousSubmissionError(
        f"{gateway.title} answered the submission to {route} with an error that does not tell whether it was "
        f"accepted ({said}). " + _MAY_EXIST.format(portal=gateway.portal)
    )


def _is_refusal(status: int, complaint: Complaint) -> bool:
    return (
        status in {301, 302, 307, 308, 400, 401, 402, 403, 404, 405, 413, 415, 422, 429}
        or (status == 500 and complaint.code == "invalid_request")
        or (status == 503 and complaint.code == "model_not_found")
    )


def _refusal(status: int, complaint: Complaint, said: str, after: float | None) -> RunwayError:
    if status == 402 or _CREDITS.search(f"{complaint.code.replace('_', ' ')} {complaint.message}"):
        return RunwayOutOfCreditsError(said + "Buy credits, then clear this task.", status=status)
    if status in {401, 403}:
        return RunwayAuthenticationError(
            said + "Put a valid API key for this gateway into the connection, then clear this task.",
            status=status,
        )
    if status in {429, 503}:
        return RunwayNotAcceptedError(
            said + "A limit is reached or no channel is free; a retry after some minutes sends it again.",
            status=status,
            retry_after=after,
        )
    if 300 <= status < 400:
        return RunwayRequestRefusedError(
            said + "Redirects are not followed: the connection's Base URL is most likely wrong.",
            status=status,
        )
    return RunwayRequestRefusedError(said + "Correct the request, then clear this task.", status=status)


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
    status = answer.status
    said = f"HTTP {status}" + (f": {complaint}" if complaint else _nature(answer))
    happened = f"{gateway.title} did not tell about {_subject(runway_task_id)} ({said}). "
    happened += _unharmed(runway_task_id)
    if status in {401, 403}:
        return RunwayReadRefusedError(
            happened + "Put a valid API key for this gateway into the connection; a task that waits resumes "
            "when it is cleared.",
            patience=3 if status == 403 else 0,
        )
    misaddressed = 300 <= status < 400 or (status == 404 and not gateway.missing_is_gone)
    if misaddressed or status in {400, 402, 405, 413, 415, 422} or complaint.code == "invalid_request":
        return RunwayReadRefusedError(
            happened + "Check gateway and Base URL of the connection; a task that waits resumes when it is "
            "cleared."
        )
    return RunwayReadError(happened + "Another look costs nothing.", retry_after=retry_after(answer))


def _subject(runway_task_id: str | None) -> str:
    return "the account" if runway_task_id is None else f"task {runway_task_id}"


def _unharmed(runway_task_id: str | None) -> str:
    return "" if runway_task_id is None else "The generation itself is untouched and its id stays valid. "


def _nature(answer: Answer) -> str:
    if answer.is_html:
        return ", a web page instead of JSON; is the Base URL right?"
    if not answer.body.strip():
        return ", empty"
    if answer.truncated:
        # The beginning may hold part of the id: a trace for whoever looks the task up.
        return f", cut short after {redact(answer.body.decode('utf-8', 'replace'), limit=120)}"
    return ""


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
