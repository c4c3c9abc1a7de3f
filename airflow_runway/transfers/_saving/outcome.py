"""How saving a generation came out, and one error for several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_runway.exceptions import RunwayError, RunwayTransferError, RunwayTransferRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_runway.core.models import RunwayTask
    from airflow_runway.core.saving.manifest import FileEntry, Manifest

#: Failures whose messages are repeated in one about all of them.
_MOST_LISTED = 20


@dataclass(slots=True)
class SaveOutcome:
    """One generation, and how far saving it has come."""

    #: The Runway task id.
    id: str
    #: The last reading; ``None`` if it was not read, e.g. because everything was there already.
    task: RunwayTask | None = None
    #: Files that this run has saved, by the index of the output.
    files: dict[int, FileEntry] = field(default_factory=dict)
    errors: list[RunwayError] = field(default_factory=list)
    #: As it is stored; ``None`` while saving is incomplete and no failure has been recorded.
    manifest: Manifest | None = None

    @property
    def error(self) -> RunwayError | None:
        """What went wrong: the only error, or one about all; ``None`` if nothing did."""
        return together(self.errors, f"Runway task {self.id}") if self.errors else None


def together(errors: Sequence[RunwayError], subject: str) -> RunwayError:
    """One error for several. Airflow does not retry it if a retry can mend none of them.

    :param errors: at least one.
    :param subject: what they are about.
    """
    if len(errors) == 1:
        return errors[0]
    final = all(is_final(error) for error in errors)
    kind = RunwayTransferRefusedError if final else RunwayTransferError
    listed = " | ".join(error.message for error in errors[:_MOST_LISTED])
    return kind(
        f"{subject}: {len(errors)} failures. {listed}{' | ...' if len(errors) > _MOST_LISTED else ''} | "
        "What could be saved is saved, and is found again by a retry."
    )


def is_final(error: RunwayError) -> bool:
    """Whether a retry would meet the same error.

    :param error: any of ours.
    """
    return not error.facts.kind.a_retry_may_help
