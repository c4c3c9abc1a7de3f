"""What a batch tells of itself at its end: one line per item, and a summary."""

from __future__ import annotations

from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from airflow_runway.core.saving.manifest import FileEntry


class BatchLine(TypedDict):
    """One item in the batch's manifest."""

    #: Its place in the list, from 0.
    index: int
    #: A word of :class:`~airflow_runway.core.journal.batch.State`, or ``not_submitted``.
    state: str
    runway_task_id: str | None
    cost_credits: float | None
    note: str | None
    #: Whether another try of the same thing may do better.
    may_pass: bool
    files: list[FileEntry]


class BatchSummary(TypedDict):
    """What the operator returns."""

    total: int
    succeeded: int
    failed: int
    moderated: int
    lost_answers: int
    unfinished: int
    not_submitted: int
    credits: float
    #: Where the manifest lies; ``None`` if there is none.
    manifest: str | None
    #: Only without a manifest: in the order of the list, ``None`` for what did not succeed.
    runway_task_ids: NotRequired[list[str | None]]
