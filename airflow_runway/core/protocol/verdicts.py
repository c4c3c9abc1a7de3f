"""What a bad answer, none at all, or a failed generation means for money and for retries: tables.

For a *create* the question is whether the gateway took the generation; for a *read*, whether another look can
help; for a *failed generation*, whether the same input may be paid for again. The tables are those of
contracts §11 (HTTP answers), contracts §12 (no answer) and contracts §10 (failure codes).
:mod:`airflow_runway.core.protocol.errors` puts the verdicts into words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_runway.core.protocol.gateways import Gateway
    from airflow_runway.core.protocol.responses import Complaint


class Acceptance(Enum):
    """Whether a generation exists, and so costs."""

    ACCEPTED = "accepted"
    #: No task, no charge: sending again is safe once the cause is gone.
    NOT_ACCEPTED = "not accepted"
    #: Nobody knows: never sent again by itself.
    AMBIGUOUS = "ambiguous"


class Retry(Enum):
    """Whether the same request may mend things, sent again."""

    NEVER = "never"
    #: After seconds; another look at a task, a request that did not get through.
    SOON = "soon"
    #: After minutes: a limit, a provider that is down.
    LATER = "later"


class Actor(Enum):
    """Who has to do something."""

    #: Whoever wrote the request: its input is at fault.
    AUTHOR = "author"
    #: Whoever keeps the connection and the account: key, address, credits.
    OWNER = "owner"
    #: The gateway, or the provider behind it; here one can only wait.
    GATEWAY = "gateway"
    #: A person has to look into the gateway's own records.
    INVESTIGATOR = "investigator"


class Cause(Enum):
    """Why, as far as people must be told different things."""

    REQUEST = "request"
    KEY = "key"
    CREDITS = "credits"
    LIMIT = "limit"
    CONNECTION = "connection"
    ADDRESS = "address"
    NO_ANSWER = "no answer"
    TROUBLE = "trouble"
    MODERATION = "moderation"
    GENERATION = "generation"


class Delivery(Enum):
    """How far a request got that has no answer; observed, not read off an error (decision 13)."""

    #: Its body was never handed to a connection, so nobody can have read it.
    NOT_SENT = "not sent"
    #: Its body was handed over: it may have been read and acted upon.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What something means, and what may be done about it."""

    acceptance: Acceptance
    retry: Retry
    actor: Actor
    cause: Cause
    #: Seconds that the server asked to wait, if it did.
    after: float | None = None


_CREDITS = re.compile(r"(?i)(not|n't) (have )?enough credits|insufficient[\w ]*(credit|quota|balance|fund)")

_REDIRECTS = frozenset({301, 302, 307, 308})
_REFUSED = frozenset({400, 403, 404, 405, 413, 415, 422})


def judge_create(status: int, complaint: Complaint, *, after: float | None = None) -> Verdict:
    """A create that was answered, but not with an id (contracts §11).

    :param status: HTTP status, or the 4xx code inside a 200.
    :param complaint: what the answer says is wrong.
    :param after: its Retry-After in seconds.
    """
    refused = Acceptance.NOT_ACCEPTED
    if status == 402 or (status in _REFUSED and _speaks_of_credits(complaint)):
        return Verdict(refused, Retry.NEVER, Actor.OWNER, Cause.CREDITS)
    if status in {401, 403}:
        return Verdict(refused, Retry.NEVER, Actor.OWNER, Cause.KEY)
    if status in _REDIRECTS:
        return Verdict(refused, Retry.NEVER, Actor.OWNER, Cause.ADDRESS)
    if status in _REFUSED or (status == 500 and complaint.code == "invalid_request"):
        return Verdict(refused, Retry.NEVER, Actor.AUTHOR, Cause.REQUEST)
    if status == 429 or (status == 503 and complaint.code == "model_not_found"):
        return Verdict(refused, Retry.LATER, Actor.GATEWAY, Cause.LIMIT, after)
    return Verdict(Acceptance.AMBIGUOUS, Retry.NEVER, Actor.INVESTIGATOR, Cause.TROUBLE)


def _speaks_of_credits(complaint: Complaint) -> bool:
    return _CREDITS.search(f"{complaint.code.replace('_', ' ')} {complaint.message}") is not None


def judge_silence(delivery: Delivery) -> Verdict:
    """A create that was not answered (contracts §12).

    :param delivery: how far it got.
    """
    if delivery is Delivery.NOT_SENT:
        return Verdict(Acceptance.NOT_ACCEPTED, Retry.SOON, Actor.OWNER, Cause.CONNECTION)
    return Verdict(Acceptance.AMBIGUOUS, Retry.NEVER, Actor.INVESTIGATOR, Cause.NO_ANSWER)


def judge_read(status: int, complaint: Complaint, gateway: Gateway, *, after: float | None = None) -> Verdict:
    """A read that told nothing about the task (contracts §11). The task exists all the same.

    :param status: HTTP status.
    :param complaint: what the answer says is wrong.
    :param gateway: who answered.
    :param after: its Retry-After in seconds.
    """
    exists = Acceptance.ACCEPTED
    if status in {401, 403}:
        return Verdict(exists, Retry.NEVER, Actor.OWNER, Cause.KEY)
    misaddressed = 300 <= status < 400 or (status == 404 and not gateway.missing_is_gone)
    if misaddressed or status in {400, 402, 405, 413, 415, 422} or complaint.code == "invalid_request":
        return Verdict(exists, Retry.NEVER, Actor.OWNER, Cause.ADDRESS)
    return Verdict(exists, Retry.SOON, Actor.GATEWAY, Cause.TROUBLE, after)


#: Failure code, or the beginning of one up to a dot → may the same input be paid for again, and who acts.
#: The first that fits counts; anything else gets no automatic retry (contracts §10).
_FAILURE_CODES: tuple[tuple[str, Retry, Actor, Cause], ...] = (
    ("ASSET", Retry.NEVER, Actor.AUTHOR, Cause.REQUEST),
    ("INTERNAL.BAD_OUTPUT", Retry.SOON, Actor.GATEWAY, Cause.GENERATION),
    ("INPUT_PREPROCESSING.INTERNAL", Retry.SOON, Actor.GATEWAY, Cause.GENERATION),
    ("THIRD_PARTY.UNAVAILABLE", Retry.LATER, Actor.GATEWAY, Cause.GENERATION),
    ("INTERNAL", Retry.SOON, Actor.GATEWAY, Cause.GENERATION),
)


def judge_failure(failure_code: str | None) -> Verdict:
    """A generation that FAILED (contracts §10). What it cost only the server's ``cost`` tells.

    A ``SAFETY`` segment anywhere means moderation: never again with the same input, repeated hits can suspend
    the account.

    :param failure_code: Runway's code, an open set; ``None`` where a gateway gives none.
    """
    code = (failure_code or "").strip().upper()
    if "SAFETY" in code.split("."):
        return Verdict(Acceptance.ACCEPTED, Retry.NEVER, Actor.AUTHOR, Cause.MODERATION)
    for family, retry, actor, cause in _FAILURE_CODES:
        if code == family or code.startswith(f"{family}."):
            return Verdict(Acceptance.ACCEPTED, retry, actor, cause)
    return Verdict(Acceptance.ACCEPTED, Retry.NEVER, Actor.INVESTIGATOR, Cause.GENERATION)
