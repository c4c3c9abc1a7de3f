"""An error as the person on call reads it: first what fits into a log view, and all there is to know below.

Airflow's log view does not wrap lines, and puts the name of the class before the first. So a report begins with
what happened and, on the next line, what to do, both in at most :data:`FIRST_LINE` characters (:func:`headline`).
What stands below has a line each: the whole message, the id, what it cost, what a retry does, and where the page of
that error is.

The beginning is made here, by one rule, out of the message's first sentence, or out of the facts' ``summary`` where
that says it better. What is stored (journals, manifests, events) is the message, which is one line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_runway.core.facts import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_runway.core.facts import ErrorFacts

#: The most characters of what happened and what to do, together.
FIRST_LINE: Final = 90
#: One section per class of :mod:`airflow_runway.exceptions`, in the project's folder.
PAGE: Final = "docs/errors.md"


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a kind of error means whatever the case; ``docs/errors.md`` says the same at length."""

    #: What happened, where nothing is known but the kind.
    happened: str
    #: What to do now, where the facts name nothing better. In few words: the first line has to hold it.
    next_step: str
    #: What it cost, where no reading says how much.
    cost: str
    #: What Airflow's retry does.
    retry: str


_NOTHING = "nothing"
_NOT_RETRIED = "none; Airflow stops at once"
_SAME_AGAIN = f"{_NOT_RETRIED}, since the same would come again"
_WOULD_PAY = f"{_NOT_RETRIED}, since another try would be another generation, and another charge"

MEANINGS: Final[dict[ErrorKind, Meaning]] = {
    ErrorKind.CONFIGURATION: Meaning(
        "A connection or an argument is wrong", "Correct it, then clear this task", _NOTHING, _SAME_AGAIN
    ),
    ErrorKind.MEDIA: Meaning(
        "An input file cannot be had now", "Wait for the retry, or clear this task", _NOTHING, "tries again"
    ),
    ErrorKind.MEDIA_REFUSED: Meaning(
        "An input file is refused", "Give another file, then clear this task", _NOTHING, _SAME_AGAIN
    ),
    ErrorKind.REQUEST_REFUSED: Meaning(
        "The gateway refused the request", "Correct it, then clear this task", _NOTHING, _SAME_AGAIN
    ),
    ErrorKind.AUTHENTICATION: Meaning(
        "The gateway refused the API key",
        "Correct the connection, clear this task",
        _NOTHING,
        _SAME_AGAIN,
    ),
    ErrorKind.OUT_OF_CREDITS: Meaning(
        "The account cannot pay for it", "Buy credits, then clear this task", _NOTHING, _SAME_AGAIN
    ),
    ErrorKind.NOT_ACCEPTED: Meaning(
        "The gateway did not take it now",
        "Wait for the retry, or clear this task",
        _NOTHING,
        "sends it again, and pays once if it is taken then",
    ),
    ErrorKind.AMBIGUOUS_SUBMISSION: Meaning(
        "The answer to a submission was lost",
        "Look into the gateway's history first",
        "nothing, or one generation: nobody here can know",
        f"{_NOT_RETRIED}, since sending again could pay twice",
    ),
    ErrorKind.EVIDENCE_PENDING: Meaning(
        "The answer to a submission was lost",
        "Wait: a retry looks for it",
        "nothing, or one generation: the router's list may tell",
        "sends nothing: it looks into the router's list, and takes the generation up if it can be told",
    ),
    ErrorKind.JOURNAL: Meaning(
        "The journal cannot be used", "Wait for the retry, or clear this task", _NOTHING, "tries again"
    ),
    ErrorKind.STOPPED: Meaning(
        "This task was told to stop",
        "Wait for the retry, or clear this task",
        "nothing more: what runs goes on",
        "picks up what runs at no cost, and sends what was not sent, once",
    ),
    ErrorKind.BUDGET: Meaning(
        "It would cost more than its bound",
        "Raise the bound, then clear this task",
        "what stands above: nothing, or what the cancelled generation cost",
        _SAME_AGAIN,
    ),
    ErrorKind.READ: Meaning(
        "The gateway could not be read",
        "Wait for the retry, or clear this task",
        "nothing: the generation is untouched",
        "reads again",
    ),
    ErrorKind.READ_REFUSED: Meaning(
        "The gateway refuses to be read",
        "Correct the connection, clear this task",
        "nothing more: the generation is untouched",
        f"{_SAME_AGAIN}; a clear picks the generation up",
    ),
    ErrorKind.TASK_FAILED: Meaning(
        "The generation failed",
        "Clear the submitting task to pay again",
        "what the gateway charged, which it did not tell",
        _WOULD_PAY,
    ),
    ErrorKind.TRANSIENT_FAILURE: Meaning(
        "The generation failed",
        "Wait: each retry pays for another",
        "what the gateway charged, which it did not tell",
        "makes, and pays for, another generation",
    ),
    ErrorKind.TASK_CANCELLED: Meaning(
        "The generation was cancelled",
        "Clear the submitting task to pay again",
        "maybe something: no refund is promised",
        _WOULD_PAY,
    ),
    ErrorKind.TASK_TIMEOUT: Meaning(
        "The generation missed its deadline",
        "Raise timeout, clear this task",
        "one generation, if it finishes or was not refunded",
        f"{_NOT_RETRIED}; a sensor with this id picks it up at no cost, if it was not cancelled",
    ),
    ErrorKind.TASK_LOST: Meaning(
        "The gateway does not know the task",
        "Check its request history",
        "maybe one generation",
        _SAME_AGAIN,
    ),
    ErrorKind.OUTPUT_MISSING: Meaning(
        "Finished without an output",
        "Give the id to the gateway's support",
        "most likely one generation",
        _SAME_AGAIN,
    ),
    ErrorKind.BATCH: Meaning(
        "Items of the batch did not end well",
        "See What, then clear this task",
        "what stands above",
        f"{_NOT_RETRIED}; a clear keeps what succeeded, and pays for what is submitted again",
    ),
    ErrorKind.BATCH_INCOMPLETE: Meaning(
        "Items of the batch did not end well",
        "Wait: a retry redoes what failed",
        "what stands above",
        "submits, and pays for, only what failed",
    ),
    ErrorKind.TRANSFER: Meaning(
        "An output could not be saved",
        "Wait for the retry, or clear this task",
        "nothing: the generation is untouched",
        "reads the task for a fresh link, and downloads again",
    ),
    ErrorKind.TRANSFER_REFUSED: Meaning(
        "An output cannot be saved as it is",
        "See What, then clear this task",
        "nothing: the generation is untouched",
        _SAME_AGAIN,
    ),
    ErrorKind.OTHER: Meaning(
        "Something of this provider failed",
        "See What below",
        "not known",
        "tries again",
    ),
}

#: An id as most gateways make them: 36 characters, of which 8 are enough to find it in the lines below.
_UUID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.IGNORECASE)
#: The end of a sentence; a full stop inside of a name or a number has no blank after it.
_END = re.compile(r"[.;!?]\s")
_ASIDE = re.compile(r"\s\([^()]*\)")
#: A piece of a sentence that is shorter says too little.
_SHORTEST = 20
#: The same of what stands before a comma, which is more often the beginning of a list.
_CLAUSE = 30


def headline(error: ErrorFacts) -> str:
    """What happened and what to do, in :data:`FIRST_LINE` characters at most.

    :param error: the facts.
    """
    return " ".join(_sentences(error))


def _sentences(error: ErrorFacts) -> tuple[str, str]:
    meaning = MEANINGS[error.kind]
    step = _folded(error.next_step).rstrip(". ") or meaning.next_step
    if len(step) > FIRST_LINE // 2:
        step = meaning.next_step
    room = FIRST_LINE - len(step) - len(". .")
    happened = _happened(error, room)
    return happened if happened.endswith("…") else f"{happened}.", f"{step}."


def summary(error: ErrorFacts, *, limit: int = FIRST_LINE) -> str:
    """What happened, in one short sentence without its full stop, e.g. for a log line of something that passes.

    :param error: the facts.
    :param limit: the most characters.
    """
    return _happened(error, limit)


def report(error: ErrorFacts, anchor: str) -> str:
    """The whole report: what happened, what to do, and a line for each thing that there is to know.

    What to do has a line of its own, which the class's name does not push off the screen.

    :param error: the facts.
    :param anchor: of the error's section in ``docs/errors.md``.
    """
    return "\n".join((*_sentences(error), *_details(error, anchor)))


def _details(error: ErrorFacts, anchor: str) -> Iterator[str]:
    meaning = MEANINGS[error.kind]
    if error.message:
        yield f"What: {_folded(error.message)}"
    runway_task_id = error.task.id if error.task is not None else error.runway_task_id
    if runway_task_id:
        yield f"Runway task: {runway_task_id}"
    charged = error.task.cost_credits if error.task is not None else None
    yield f"Cost: {meaning.cost if charged is None else f'{charged:g} credits'}"
    yield f"Retry: {meaning.retry}"
    yield f"See: {PAGE}#{anchor}"


def _happened(error: ErrorFacts, room: int) -> str:
    if error.summary:
        text = _folded(error.summary)
    else:
        text = _folded(error.message)
        end = _END.search(text)
        text = text[: end.start()] if end else text
    text = text.rstrip(". ")
    for shorter in (_same, _with_short_ids, _without_noun, _without_asides, _to_the_colon, _to_the_comma):
        text = shorter(text)
        if len(text) <= room:
            break
    if len(text) > room:
        text = _cut(text, room)
    return text or MEANINGS[error.kind].happened


def _same(text: str) -> str:
    return text


def _with_short_ids(text: str) -> str:
    return _UUID.sub(r"\1…", text)


def _without_noun(text: str) -> str:
    return text.replace("Runway task ", "") if "…" in text else text


def _without_asides(text: str) -> str:
    return _ASIDE.sub("", text)


def _to_the_colon(text: str) -> str:
    before = text.partition(": ")[0]
    return before if len(before) >= _SHORTEST else text


def _to_the_comma(text: str) -> str:
    before = text.partition(", ")[0]
    return before if len(before) >= _CLAUSE else text


def _cut(text: str, room: int) -> str:
    """As many whole words as there is room for; of one long word, its beginning."""
    kept = text[: room - 1]
    words = kept.rpartition(" ")[0]
    return f"{(words if len(words) >= _SHORTEST else kept).rstrip(' ,')}…"


def _folded(text: str) -> str:
    return " ".join(text.split())
