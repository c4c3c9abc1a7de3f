"""What is wrong with the list of a batch where it is another one than it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from airflow_runway.exceptions import RunwayError

_CURE = (
    "Nothing new was sent for them, and nothing is lost. Let the list come from an upstream task, or from a "
    "JSON-lines file that nobody rewrites while this task runs, and name items by item_key where bodies are rendered "
    "anew (signed links, times, random values); then clear this task: what succeeded is kept."
)


@dataclass(frozen=True, slots=True)
class ListTrouble:
    """Why bodies of pinned entries are not there, and whether a retry may find them."""

    text: str
    may_pass: bool

    @classmethod
    def unreadable(cls, error: RunwayError) -> Self:
        """The list cannot be read, or is none.

        :param error: why.
        """
        reason = error.message.partition(" Nothing was sent")[0]
        return cls(
            f"The list of requests is no longer there as it was when this task began: {reason} {_CURE}", True
        )

    @classmethod
    def other_bodies(cls, missing: int, unknown: int, broken: int, total: int) -> Self:
        """The list is another one.

        :param missing: pinned entries without a body.
        :param unknown: bodies that were not pinned.
        :param broken: lines that are no JSON object.
        :param total: entries of the list now.
        """
        of_which = f"of its {total} entries now, {unknown} are none of those of then"
        of_which += f", and {broken} cannot be read" if broken else ""
        return cls(
            f"The list of requests is another one than when this task began: {missing} of its bodies are missing; "
            f"{of_which}. {_CURE}",
            bool(broken) or not unknown,
        )

    @classmethod
    def of_an_earlier_version(cls) -> Self:
        """0.1.0 began the batch and did not pin the list, which is another one now."""
        return cls(
            "This batch was begun by provider version 0.1.0, which did not write its list down, and the list of "
            f"requests is another one now, so nobody knows what of it has been sent. {_CURE}",
            False,
        )
