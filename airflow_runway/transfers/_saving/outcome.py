"""A generation that is being saved, and what went wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_runway.exceptions import RunwayError, RunwayTransferError, RunwayTransferRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_runway.core.models import RunwayTask


@dataclass(slots=True)
class Generation:
    """One generation and how far it has come."""

    id: str
    #: The last reading.
    task: RunwayTask | None = None
    #: Files that are saved, by index.
    files: dict[int, dict[str, Any]] = field(default_factory=dict)
    errors: list[RunwayError] = field(default_factory=list)
    #: Complete, or of a failure that is to be recorded.
    manifest: dict[str, Any] | None = None

    @property
    def error(self) -> RunwayError | None:
        """What went wrong: the only error, or one about all."""
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
    listed = " | ".join(str(error) for error in errors[:20])
    return kind(
        f"{subject}: {len(errors)} failures. {listed}{' | ...' if len(errors) > 20 else ''} | What could be saved "
        "is saved, and is found again by a retry."
    )


def is_final(error: RunwayError) -> bool:
    """Whether a retry would meet the same error.

    :param error: any of ours.
    """
    return isinstance(error, AirflowFailException)
