"""Reads that did not work, in words. They cost nothing, and what they ask about is untouched."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.protocol.errors import retry_after, said
from airflow_runway.core.protocol.statuses import FIREWALL, words_of
from airflow_runway.core.protocol.verdicts import Cause, Retry, judge_read

if TYPE_CHECKING:
    from airflow_runway.core.protocol.gateways import Gateway
    from airflow_runway.core.protocol.responses import Complaint, Response

ACCOUNT: Final = "the account"
_ADDRESS = "Check gateway and Base URL"
#: What is said of their bodies concerns creates: a read sends an id at most.
_OF_BODIES = frozenset({413, 415})


def read_without_answer(
    gateway: Gateway, runway_task_id: str | None, reason: str, *, about: str = ACCOUNT
) -> ErrorFacts:
    """The error of a read that got no answer.

    :param gateway: where it was sent.
    :param runway_task_id: the task that was asked for; ``None`` for something else.
    :param reason: the library's words, redacted.
    :param about: what was asked for, where it is no task.
    """
    return ErrorFacts(
        ErrorKind.READ,
        f"{gateway.title} could not be asked about {_subject(runway_task_id, about)}: {reason}. "
        f"{_unharmed(runway_task_id)}Another look costs nothing.",
        summary=f"{gateway.title} could not be asked",
        next_step="Check the network; a retry reads again",
        runway_task_id=runway_task_id or "",
    )


def read_without_state(
    gateway: Gateway,
    runway_task_id: str | None,
    response: Response,
    complaint: Complaint,
    *,
    about: str = ACCOUNT,
) -> ErrorFacts:
    """The error of a read whose answer does not tell what was asked.

    :param gateway: where it was sent.
    :param runway_task_id: the task that was asked for; ``None`` for something else.
    :param response: the whole response.
    :param complaint: what the answer says is wrong; falsy if nothing.
    :param about: what was asked for, where it is no task.
    """
    verdict = judge_read(response.status, complaint, gateway, after=retry_after(response))
    words = words_of(response.status, is_web_page=response.is_html)
    happened = (
        f"{gateway.title} did not tell about {_subject(runway_task_id, about)} ({said(response, complaint)}). "
        f"{_unharmed(runway_task_id)}"
    )
    key = verdict.cause is Cause.KEY
    facts = ErrorFacts(
        ErrorKind.READ,
        f"{happened}Another look costs nothing.",
        retry_after=verdict.after,
        runway_task_id=runway_task_id or "",
        summary=f"{gateway.title}: {words.happened} (HTTP {response.status})",
        next_step=words.read_step,
    )
    if verdict.retry is not Retry.NEVER:
        return facts
    step = words.read_step or _ADDRESS
    if key:
        told = "Put a valid API key for this gateway into the connection"
    else:
        told = f"{step} of the connection" if step == _ADDRESS else step
    firewall = words is FIREWALL
    hint = (
        f"{words.hint} " if words.hint and (firewall or not key) and response.status not in _OF_BODIES else ""
    )
    return replace(
        facts,
        kind=ErrorKind.READ_REFUSED,
        message=f"{happened}{hint}{told}; a task that waits resumes when it is cleared.",
        retry_after=None,
        key_refused=key,
        next_step="" if key and not firewall else f"{step}, then clear",
    )


def _subject(runway_task_id: str | None, about: str) -> str:
    return about if runway_task_id is None else f"task {runway_task_id}"


def _unharmed(runway_task_id: str | None) -> str:
    return "" if runway_task_id is None else "The generation itself is untouched and its id stays valid. "
