"""Values that travel between the rooms of this package: frozen, typed, free of any I/O.

The words are Runway's own (``PENDING``, ``THROTTLED``, ...), whatever the gateway in between calls them;
:mod:`airflow_runway.core.protocol.decoding` does the translation.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TypedDict


class TaskStatus(StrEnum):
    """Where a generation stands. Only :attr:`is_final` words end a wait.

    The first six are Runway's (contracts §1.2); the others name what an
    answer can mean besides.
    """

    #: Accepted, waiting for its turn.
    PENDING = "PENDING"
    #: Accepted and stored; starts when the account's concurrency allows. Not an error.
    THROTTLED = "THROTTLED"
    RUNNING = "RUNNING"
    #: Finished, with at least one output URL.
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    #: A gateway that stores tasks late does not show this one yet (``task_not_exist``).
    NOT_VISIBLE = "NOT_VISIBLE"
    #: The official API's 404: never existed, cancelled, or deleted.
    GONE = "GONE"
    #: The server says that it succeeded and shows no output: not a success.
    OUTPUT_MISSING = "OUTPUT_MISSING"
    #: A word that nobody documented. Never final.
    UNKNOWN = "UNKNOWN"

    @property
    def is_final(self) -> bool:
        """Whether the server will never change its mind: succeeded, failed or cancelled."""
        return self in _FINAL

    @property
    def is_sighting(self) -> bool:
        """Whether the server knows the task, whatever it says of it."""
        return self not in _UNSEEN


_FINAL = frozenset({TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED})
_UNSEEN = frozenset({TaskStatus.NOT_VISIBLE, TaskStatus.GONE})


class TaskResult(TypedDict):
    """The dict that sensors and waiting operators return: plain JSON values."""

    id: str
    status: str
    #: Signed URLs, good for 24 to 48 hours on the official API.
    output: list[str]
    cost_credits: float | None
    created_at: str | None
    failure: str | None
    failure_code: str | None


@dataclass(frozen=True, slots=True)
class RunwayTask:
    """One reading of a generation."""

    #: The task id, opaque.
    id: str
    status: TaskStatus
    #: URLs of the results, signed and short-lived (24 to 48 hours on the official API).
    output: tuple[str, ...] = ()
    #: 0 to 1 while running, where the server says.
    progress: float | None = None
    #: The server's own text; its time zone is not to be trusted on gateways.
    created_at: str | None = None
    #: When it ended, in UTC (ISO 8601); only some gateways tell.
    finished_at: str | None = None
    #: Text for humans, of a failed generation, or of the failed nodes of a workflow that SUCCEEDED in part.
    failure: str | None = None
    #: Runway's failure code, an open set (``SAFETY.INPUT.TEXT``, ``INTERNAL``, ...).
    failure_code: str | None = None
    #: The most this generation may cost, in credits, as announced by the server.
    estimated_credits: float | None = None
    #: What it did cost, in credits, once final and where the server says.
    cost_credits: float | None = None
    #: The gateway's word for what was asked for, e.g. ``image_to_video``; empty where it does not tell.
    action: str = ""
    #: The status word as it came.
    raw_status: str = ""

    @property
    def is_empty_record(self) -> bool:
        """Whether a numeric gateway showed the record that it has for new and for unknown tasks alike."""
        return self.status is TaskStatus.NOT_VISIBLE and self.raw_status == "0"

    def as_result(self) -> TaskResult:
        """The dict that sensors and waiting operators return."""
        return {
            "id": self.id,
            "status": self.status.value,
            "output": list(self.output),
            "cost_credits": self.cost_credits,
            "created_at": self.created_at,
            "failure": self.failure,
            "failure_code": self.failure_code,
        }


@dataclass(frozen=True, slots=True)
class Submission:
    """A generation that the gateway accepted, and so charged."""

    #: The id to wait for. Not Airflow's ``task_id``.
    runway_task_id: str
    #: The route it was sent to, e.g. ``image_to_video``.
    route: str
    #: The most it may cost, in credits; ``None`` where the gateway gives no estimate.
    estimated_credits: float | None = None


class CancelOutcome(StrEnum):
    """What became of a request to cancel."""

    #: It was unfinished, and the server took the cancellation. A refund is never promised.
    CANCELLED = "cancelled"
    #: It had ended before; nothing was deleted, its result can still be fetched.
    ALREADY_FINISHED = "already_finished"
    #: The server does not know it (any more).
    NOT_FOUND = "not_found"
    #: This gateway documents no way to cancel: the generation runs on and is charged.
    NOT_SUPPORTED = "not_supported"
    #: It could not be found out; the generation may still be running.
    UNKNOWN = "unknown"
