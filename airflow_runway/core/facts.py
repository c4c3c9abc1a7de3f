"""What is known of an error before it becomes an exception: its kind, a sentence for people, and a few facts.

The rooms of ``core`` decide and know no Airflow, but some exceptions must be Airflow's ``AirflowFailException``. So
``core`` speaks of :class:`ErrorFacts`, returns them or raises them in a :class:`CoreError`, and
:mod:`airflow_runway.exceptions` makes the exception of that kind out of them, in one place. Facts also travel where
exceptions cannot: in the event of a trigger, and in a journal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_runway.core.models import RunwayTask


class ErrorKind(StrEnum):
    """One word per class of :mod:`airflow_runway.exceptions`, which says what each of them means and costs."""

    CONFIGURATION = "configuration"
    MEDIA = "media"
    MEDIA_REFUSED = "media_refused"
    REQUEST_REFUSED = "request_refused"
    AUTHENTICATION = "authentication"
    OUT_OF_CREDITS = "out_of_credits"
    NOT_ACCEPTED = "not_accepted"
    AMBIGUOUS_SUBMISSION = "ambiguous_submission"
    EVIDENCE_PENDING = "evidence_pending"
    JOURNAL = "journal"
    BUDGET = "budget"
    STOPPED = "stopped"
    READ = "read"
    READ_REFUSED = "read_refused"
    TASK_FAILED = "task_failed"
    TRANSIENT_FAILURE = "transient_failure"
    TASK_CANCELLED = "task_cancelled"
    TASK_TIMEOUT = "task_timeout"
    TASK_LOST = "task_lost"
    OUTPUT_MISSING = "output_missing"
    BATCH = "batch"
    BATCH_INCOMPLETE = "batch_incomplete"
    TRANSFER = "transfer"
    TRANSFER_REFUSED = "transfer_refused"
    #: A class that only collects others, or a kind that a newer version wrote down.
    OTHER = "other"

    @property
    def a_retry_may_help(self) -> bool:
        """Whether Airflow's retries stay in charge; else the task fails at once, whatever its ``retries``."""
        return self in _MAY_PASS


_MAY_PASS = frozenset(
    {
        ErrorKind.MEDIA,
        ErrorKind.NOT_ACCEPTED,
        ErrorKind.JOURNAL,
        ErrorKind.EVIDENCE_PENDING,
        ErrorKind.STOPPED,
        ErrorKind.READ,
        ErrorKind.TRANSIENT_FAILURE,
        ErrorKind.BATCH_INCOMPLETE,
        ErrorKind.TRANSFER,
        ErrorKind.OTHER,
    }
)


@dataclass(frozen=True, slots=True)
class ErrorFacts:
    """An error that has not been raised."""

    kind: ErrorKind
    #: What happened, to which id, what it cost, what to do: one line, of any length. It is what is stored.
    message: str
    #: The last reading of the generation, if there was one.
    task: RunwayTask | None = None
    #: HTTP status of the answer; ``None`` where no connection came about.
    status: int | None = None
    #: Seconds that the server asked to wait, if it did.
    retry_after: float | None = None
    #: Whether it is the API key that is refused.
    key_refused: bool = False
    #: Of a submission: the id that stands in an answer which is no acceptance; it may exist, and be charged. Of a
    #: read or a deadline: whose.
    runway_task_id: str = ""
    #: Whether that answer was a refusal, but for the id.
    refused: bool = False
    #: What happened in a few words, where the message's first sentence does not say it in short.
    summary: str = ""
    #: What to do now in a few words, where there is something better than what the kind says.
    next_step: str = ""

    def __str__(self) -> str:
        return self.message

    def of_kind(self, kind: ErrorKind) -> ErrorFacts:
        """The same facts, judged otherwise.

        :param kind: what kind of error they are.
        """
        return replace(self, kind=kind)


class CoreError(Exception):
    """Carries facts out of a decision that cannot go on. Caught where an outer room calls ``core``.

    :param facts: what went wrong.
    """

    def __init__(self, facts: ErrorFacts) -> None:
        super().__init__(facts.message)
        self.facts = facts


def core_error(kind: ErrorKind, message: str, **more: Any) -> CoreError:
    """A :class:`CoreError`, ready to be raised.

    :param kind: its kind.
    :param message: the sentence for people.
    :param more: further fields of :class:`ErrorFacts`.
    """
    return CoreError(ErrorFacts(kind, message, **more))


def kind_named(word: object) -> ErrorKind:
    """The kind with that name, as an event or a record holds it.

    :param word: what was stored, maybe by another version.
    """
    return ErrorKind(word) if isinstance(word, str) and word in _WORDS else ErrorKind.OTHER


_WORDS = frozenset(kind.value for kind in ErrorKind)
