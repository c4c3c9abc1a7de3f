"""Uploads that did not work, in words. They cost nothing, whatever came of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.protocol.errors import retry_after, said
from airflow_runway.core.protocol.statuses import words_of
from airflow_runway.core.protocol.verdicts import Cause, Retry, judge_read

if TYPE_CHECKING:
    from airflow_runway.core.protocol.gateways import Gateway
    from airflow_runway.core.protocol.responses import Complaint, Response

_UPLOAD_IS_FREE = "No generation was asked for and nothing was charged."


def upload_without_answer(gateway: Gateway, filename: str, reason: str) -> ErrorFacts:
    """The error of an upload that got no answer.

    :param gateway: where it was sent.
    :param filename: the file.
    :param reason: the library's words, redacted.
    """
    return ErrorFacts(
        ErrorKind.MEDIA,
        f"{gateway.title} could not be reached to upload {filename}: {reason}. {_UPLOAD_IS_FREE}",
        summary=f"{gateway.title} could not be reached for an upload",
    )


def upload_refused(gateway: Gateway, filename: str, response: Response, complaint: Complaint) -> ErrorFacts:
    """The error of an upload that was answered with anything but a place for the file.

    :param gateway: where it was sent.
    :param filename: the file.
    :param response: the whole response.
    :param complaint: what the answer says is wrong; falsy if nothing.
    """
    verdict = judge_read(response.status, complaint, gateway, after=retry_after(response))
    words = words_of(response.status)
    happened = f"{gateway.title} did not take the upload of {filename} ({said(response, complaint)}). "
    summary = f"Upload refused (HTTP {response.status}): {words.happened}"
    if verdict.retry is not Retry.NEVER:
        return ErrorFacts(
            ErrorKind.MEDIA, happened + _UPLOAD_IS_FREE, retry_after=verdict.after, summary=summary
        )
    step = "Correct the API key" if verdict.cause is Cause.KEY else words.read_step
    if response.status == 413:
        step = "Give a smaller file"
    return ErrorFacts(
        ErrorKind.MEDIA_REFUSED,
        happened + _UPLOAD_IS_FREE + (f" {step}, then clear this task." if step else ""),
        summary=summary,
        next_step=f"{step}, then clear" if step else "",
    )
