"""What can go wrong, told for the person on call: what happened, to which id, what it cost, what to do.

::

    RunwayError
    ├── RunwayConfigurationError      x  nothing was sent: connection, gateway or arguments are wrong
    ├── RunwayMediaError                 an input file cannot be had right now: nothing was sent
    │   └── RunwayMediaRefusedError   x    and never will: no media, too large, of the wrong kind
    ├── RunwaySubmissionError            the create was answered "no": nothing runs, nothing is charged
    │   ├── RunwayRequestRefusedError x    the request itself: bad field, bad media, unknown route
    │   ├── RunwayAuthenticationError x    the key
    │   ├── RunwayOutOfCreditsError   x    the account's balance
    │   └── RunwayNotAcceptedError         right now: rate or daily limit, no channel, no connection
    ├── RunwayLostAnswerError            a create got no usable answer: except this one, and you catch both of
    │   ├── RunwayAmbiguousSubmissionError x   the generation may exist and be charged; a person has to look
    │   └── RunwayEvidencePendingError     the same, and the gateway's own list may name it: a retry looks there
    ├── RunwayJournalError               the journal could not be read or written: nothing was sent
    ├── RunwayStoppedError               told to stop from outside, by no person: what runs goes on
    ├── RunwayBudgetError             x  the generation would cost more than max_credits: cancelled at once
    ├── RunwayReadError                  a read failed; the generation is untouched
    │   └── RunwayReadRefusedError    x    and would fail again: key revoked, wrong base URL
    ├── RunwayTaskError                  how a generation ended, other than well
    │   ├── RunwayTaskFailureError         FAILED: except this one, and you catch both of
    │   │   ├── RunwayTaskFailedError x      the same input would fail again
    │   │   └── RunwayTransientFailureError  an internal reason; another try may do better, and pays
    │   ├── RunwayTaskCancelledError  x    CANCELLED
    │   ├── RunwayTaskTimeoutError    x    not finished at the deadline
    │   ├── RunwayTaskLostError       x    the server does not know it (any more)
    │   └── RunwayOutputMissingError  x    succeeded, says the server, and shows no output
    ├── RunwayBatchError              x  some items of a batch did not end well; what did is saved
    ├── RunwayBatchIncompleteError       the same, and another try may do better, and pays for what failed
    └── RunwayTransferError              fetching or storing an output failed; the generation is untouched
        └── RunwayTransferRefusedError x   and would fail again

Classes marked ``x`` (decision 10) are also Airflow's ``AirflowFailException``: the task fails at once, whatever its
``retries``, because a retry cannot mend the cause or would pay again. A sensor with ``soft_fail`` is skipped
by these in every mode. The others are no Airflow exceptions: Airflow's own retries stay in charge, and
``soft_fail`` does not hide them.

What these errors are made of is decided in :mod:`airflow_runway.core`, which knows no Airflow: there an error is a
value (:mod:`airflow_runway.core.facts`). :func:`error_of` makes the exception out of it.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_runway.core.facts import CoreError, ErrorFacts, ErrorKind
from airflow_runway.core.reports import headline, report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_runway.core.models import RunwayTask

__all__ = [
    "RunwayAmbiguousSubmissionError",
    "RunwayAuthenticationError",
    "RunwayBatchError",
    "RunwayBatchIncompleteError",
    "RunwayBudgetError",
    "RunwayConfigurationError",
    "RunwayError",
    "RunwayEvidencePendingError",
    "RunwayJournalError",
    "RunwayLostAnswerError",
    "RunwayMediaError",
    "RunwayMediaRefusedError",
    "RunwayNotAcceptedError",
    "RunwayOutOfCreditsError",
    "RunwayOutputMissingError",
    "RunwayReadError",
    "RunwayReadRefusedError",
    "RunwayRequestRefusedError",
    "RunwayStoppedError",
    "RunwaySubmissionError",
    "RunwayTaskCancelledError",
    "RunwayTaskError",
    "RunwayTaskFailedError",
    "RunwayTaskFailureError",
    "RunwayTaskLostError",
    "RunwayTaskTimeoutError",
    "RunwayTransferError",
    "RunwayTransferRefusedError",
    "RunwayTransientFailureError",
]


class RunwayError(Exception):
    """Everything that this provider raises on purpose.

    Its text, ``str(error)``, is a report: what happened and, on the next line, what to do, in 90 characters at most,
    and below a line for each detail (:mod:`airflow_runway.core.reports`). ``docs/errors.md`` has a section for
    each class.

    :param message: all of it in one line; what journals and manifests keep.
    :param task: the last reading of the generation, if there was one.
    :param status: HTTP status of the answer; ``None`` where no connection came about.
    :param retry_after: seconds that the server asked to wait, if it did.
    :param key_refused: whether it is the API key that is refused.
    :param runway_task_id: of a submission: the id in an answer that is no acceptance; of a read or deadline: whose.
    :param refused: whether that answer was a refusal, but for the id.
    :param summary: what happened in a few words, where the message's first sentence is too long for it.
    :param next_step: what to do now in a few words, where the kind of the error does not say it best.
    """

    kind: ClassVar[ErrorKind] = ErrorKind.OTHER

    def __init__(
        self,
        message: str = "",
        *,
        task: RunwayTask | None = None,
        status: int | None = None,
        retry_after: float | None = None,
        key_refused: bool = False,
        runway_task_id: str = "",
        refused: bool = False,
        summary: str = "",
        next_step: str = "",
    ) -> None:
        super().__init__(message)
        #: The same as a value, for events, journals and decisions.
        self.facts = ErrorFacts(
            self.kind,
            message,
            task,
            status,
            retry_after,
            key_refused,
            runway_task_id,
            refused,
            summary,
            next_step,
        )

    def __str__(self) -> str:
        return report(self.facts, type(self).__name__.lower())

    @property
    def message(self) -> str:
        """All of it in one line, for another sentence, a journal or a manifest."""
        return self.facts.message

    @property
    def headline(self) -> str:
        """The beginning of the report in one line: what happened and what to do."""
        return headline(self.facts)

    @property
    def task(self) -> RunwayTask | None:
        """The last reading of the generation, if there was one."""
        return self.facts.task

    @property
    def status(self) -> int | None:
        """HTTP status of the answer; ``None`` where no connection came about."""
        return self.facts.status

    @property
    def retry_after(self) -> float | None:
        """Seconds that the server asked to wait, if it did."""
        return self.facts.retry_after

    @property
    def key_refused(self) -> bool:
        """Whether it is the API key that is refused: a wait then reads the connection anew, once."""
        return self.facts.key_refused

    @property
    def runway_task_id(self) -> str:
        """Of a submission: the id in an answer that is no acceptance; it may exist. Of a read, a deadline: whose."""
        return self.facts.runway_task_id


class RunwayConfigurationError(RunwayError, AirflowFailException):
    """The connection, the gateway's name or an argument is wrong; found before anything was sent.

    Costs nothing. Airflow does not retry; a retry would find the same.
    """

    kind = ErrorKind.CONFIGURATION


class RunwayMediaError(RunwayError):
    """An input file could not be read, uploaded, or is the output of a generation that has not ended.

    Nothing was sent and nothing was charged. A retry tries again.
    """

    kind = ErrorKind.MEDIA


class RunwayMediaRefusedError(RunwayMediaError, AirflowFailException):
    """An input file is none that the gateway would take: no media, too large, of the wrong kind or shape.

    Nothing was sent and nothing was charged. Airflow does not retry; the same file would be refused again.
    """

    kind = ErrorKind.MEDIA_REFUSED


class RunwaySubmissionError(RunwayError):
    """The gateway did not take the generation: nothing runs and nothing is charged."""


class RunwayRequestRefusedError(RunwaySubmissionError, AirflowFailException):
    """The gateway refused this very request (a field, the media, the route).

    Costs nothing. Airflow does not retry; the same request is refused again.
    """

    kind = ErrorKind.REQUEST_REFUSED


class RunwayAuthenticationError(RunwaySubmissionError, AirflowFailException):
    """The gateway refused the API key.

    Costs nothing. Airflow does not retry; mend the connection, then clear the task.
    """

    kind = ErrorKind.AUTHENTICATION


class RunwayOutOfCreditsError(RunwaySubmissionError, AirflowFailException):
    """The account cannot pay for this generation.

    Costs nothing. Airflow does not retry; buy credits, then clear the task.
    """

    kind = ErrorKind.OUT_OF_CREDITS


class RunwayNotAcceptedError(RunwaySubmissionError):
    """The gateway did not take it now: a rate or daily limit, no channel, or no connection at all.

    Costs nothing. A retry sends it again, and pays once if it is taken then.
    """

    kind = ErrorKind.NOT_ACCEPTED


class RunwayLostAnswerError(RunwayError):
    """A create got no usable answer, whatever a retry may do about it: the generation may exist, and may be charged.

    Never raised itself: which of its two children it is says whether Airflow retries. No retry sends it again.
    """


class RunwayAmbiguousSubmissionError(RunwayLostAnswerError, AirflowFailException):
    """The request left this machine, and no usable answer tells whether it was accepted.

    It may have cost one generation. Airflow does not retry: sending again could pay twice. Where the answer holds
    an id, though it is an error, ``runway_task_id`` names it, and a clear reads it before anything else. Else look
    into the gateway's own request history before clearing the task.
    """

    kind = ErrorKind.AMBIGUOUS_SUBMISSION


class RunwayEvidencePendingError(RunwayLostAnswerError):
    """The request left this machine, its answer was lost, and the gateway's own list may still say what came of it.

    It may have cost one generation. A retry sends nothing: it looks into the list, takes the generation up if it can
    be told, and costs nothing. ``retry_after`` holds the seconds until that can be (``RunwayRetryPolicy`` waits so
    long). Raised with ``on_ambiguous_submit="recover"``, until ``evidence_timeout`` has passed since the POST.
    """

    kind = ErrorKind.EVIDENCE_PENDING


class RunwayJournalError(RunwayError):
    """What this task did before could not be read, or what it is about to do could not be written.

    Also where the generation that it made is not found, on another account than accepted it: see the message.
    Nothing was sent, nothing was charged. A retry tries again.
    """

    kind = ErrorKind.JOURNAL


class RunwayStoppedError(RunwayError):
    """The task was told to stop (a pod's eviction, a rolling deployment), and Airflow does not say that it is over.

    Nothing was cancelled and nothing more was sent; the message names what goes on. A retry picks it up and pays
    nothing for it; what had not been sent is sent then, once.
    """

    kind = ErrorKind.STOPPED


class RunwayBudgetError(RunwayError, AirflowFailException):
    """The gateway's own estimate is above ``max_credits``; the generation was cancelled at once.

    The message says what became of it and what that cost. Airflow does not retry.
    """

    kind = ErrorKind.BUDGET


class RunwayReadError(RunwayError):
    """A read came back without a usable answer (network, 5xx, garbage); the generation is untouched.

    Costs nothing. While waiting it is tolerated until the deadline; elsewhere a retry reads again.
    """

    kind = ErrorKind.READ


class RunwayReadRefusedError(RunwayReadError, AirflowFailException):
    """The gateway refused to let us read, and would again; the generation lives on.

    Costs nothing more. Airflow does not retry; mend the connection and clear the task: waiting resumes.
    """

    kind = ErrorKind.READ_REFUSED


class RunwayTaskError(RunwayError):
    """A generation did not end well."""


class RunwayTaskFailureError(RunwayTaskError):
    """The generation FAILED, whatever a retry may do about it; failure text, code and cost are in the message.

    Never raised itself: which of its two children it is says whether Airflow retries, and so pays again.
    """


class RunwayTaskFailedError(RunwayTaskFailureError, AirflowFailException):
    """The generation FAILED; failure text, code and cost are in the message and in ``task``.

    Airflow does not retry: another try would be another generation, and another charge.
    """

    kind = ErrorKind.TASK_FAILED


class RunwayTransientFailureError(RunwayTaskFailureError):
    """The generation FAILED for a reason that another try may not meet (internal, provider down).

    Only operators that wait raise it: a sensor's retry could but read the same again. Where the operator has
    ``retries``, each makes, and pays for, another generation.
    """

    kind = ErrorKind.TRANSIENT_FAILURE


class RunwayTaskCancelledError(RunwayTaskError, AirflowFailException):
    """Somebody cancelled the generation. It may still have cost; no refund is promised.

    Airflow does not retry.
    """

    kind = ErrorKind.TASK_CANCELLED


class RunwayTaskTimeoutError(RunwayTaskError, AirflowFailException):
    """The generation had not finished at the deadline. It goes on, and is charged if it finishes.

    Airflow does not retry; a sensor with the same id picks it up again at no cost.
    """

    kind = ErrorKind.TASK_TIMEOUT


class RunwayTaskLostError(RunwayTaskError, AirflowFailException):
    """The server does not know the id: deleted, cancelled, another account's, or never stored.

    It may have cost. Airflow does not retry.
    """

    kind = ErrorKind.TASK_LOST


class RunwayOutputMissingError(RunwayTaskError, AirflowFailException):
    """The server says SUCCEEDED, again and again, and shows no output. It was most likely charged.

    Airflow does not retry; the id is in the message for the gateway's support.
    """

    kind = ErrorKind.OUTPUT_MISSING


class RunwayBatchError(RunwayError, AirflowFailException):
    """Some items of a batch did not end well; everything else did, and is saved.

    Airflow does not retry. When somebody clears the task, what succeeded is kept at no cost, what runs is waited
    for, and what failed is submitted, and paid for, again; moderated items and lost answers are left alone.
    """

    kind = ErrorKind.BATCH


class RunwayBatchIncompleteError(RunwayError):
    """Some items of a batch did not end well, each for a reason that another try may not meet.

    Each of the task's ``retries`` does what a clear does: only what failed is submitted, and paid for, again.
    """

    kind = ErrorKind.BATCH_INCOMPLETE


class RunwayTransferError(RunwayError):
    """An output could not be fetched or stored.

    Costs nothing: a retry reads the task for a fresh link and downloads again.
    """

    kind = ErrorKind.TRANSFER


class RunwayTransferRefusedError(RunwayTransferError, AirflowFailException):
    """An output cannot be taken as it is (not a media file, an unsafe address, a bad destination).

    Airflow does not retry; the same would come again. The generation itself is untouched.
    """

    kind = ErrorKind.TRANSFER_REFUSED


def _concrete(base: type[RunwayError]) -> Iterator[type[RunwayError]]:
    for child in base.__subclasses__():
        if "kind" in vars(child):
            yield child
        yield from _concrete(child)


_CLASSES: dict[ErrorKind, type[RunwayError]] = {
    ErrorKind.OTHER: RunwayError,
    **{child.kind: child for child in _concrete(RunwayError)},
}


def error_of(facts: ErrorFacts) -> RunwayError:
    """The exception of a kind.

    :param facts: what ``core`` decided, or what an event carried.
    """
    return _CLASSES[facts.kind](
        facts.message,
        task=facts.task,
        status=facts.status,
        retry_after=facts.retry_after,
        key_refused=facts.key_refused,
        runway_task_id=facts.runway_task_id,
        refused=facts.refused,
        summary=facts.summary,
        next_step=facts.next_step,
    )


@contextmanager
def runway_errors() -> Iterator[None]:
    """Around calls into ``core``: what it cannot go on with is raised as the exception of its kind."""
    try:
        yield
    except CoreError as error:
        raise error_of(error.facts) from None
