"""What an author asked of a batch, checked and rendered: the part of the arguments that saving and reporting need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


@dataclass(frozen=True, slots=True)
class BatchOptions:
    """See :class:`~airflow_runway.operators.runway.RunwayBatchOperator` for what each of them means."""

    route: str
    destination: str | None
    file_name: str
    manifest: str | None
    on_partial_failure: str
    max_moderated: int
    max_lost_answers: int
    #: Of a clip's contact sheet; ``None`` = neither poster nor sheet is made.
    contact_sheet_frames: int | None
    #: Assets and aliases that the task produces.
    outlets: Sequence[object]
    #: Seconds after so many tries of one file in vain.
    pause_between_tries: Callable[[int], float]
