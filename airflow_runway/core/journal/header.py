"""What is written down of a batch as a whole, and what the beginning of another try changes in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from airflow_runway.core.journal.accounts import Account, read_account

#: The version that is written. 1 was 0.1.0's, whose readers find this one unreadable, and send nothing: the time
#: from which the deadline is counted has another name.
VERSION: Final = 2


class NewerVersionError(ValueError):
    """A header of a version that this code does not know."""


@dataclass(frozen=True, slots=True)
class Header:
    """A batch as a whole."""

    #: Wall clock from which the deadline is counted, seconds since the epoch.
    began_at: float
    #: Airflow's ``max_tries`` when the list was pinned, which every clear changes and no retry does.
    max_tries: int | None
    #: How many entries of items there are.
    chunks: int = 0
    #: Whether the batch has come to its end since a try last began.
    concluded: bool = False
    #: The number of the present try, from 1; 0 = only 0.1.0 has had one.
    tries: int = 0
    #: The try since which what failed is sent again, once: the last that began after an end, or a clear.
    anew_since: int = 0
    #: Which of the two places for a pin counts, how many entries it has, and how long the list was; 0 = no pin.
    pin_place: int = 0
    pin_chunks: int = 0
    pinned: int = 0
    #: Whose account everything that runs is on; ``None`` = not known, 0.1.0 began it.
    account: Account | None = None

    def is_cleared(self, max_tries: int | None) -> bool:
        """Whether somebody cleared the task since its list was pinned.

        :param max_tries: Airflow's, now.
        """
        return self.max_tries != max_tries

    def retried(self) -> Header:
        """The header of a retry: the pin stays; what failed is sent again if the batch had come to its end."""
        tries = self.tries + 1
        return replace(
            self, tries=tries, anew_since=tries if self.concluded else self.anew_since, concluded=False
        )

    def begun(self, max_tries: int | None, now: float) -> Header:
        """The header of a first try, or of one after a clear; its pin is still to come.

        :param max_tries: Airflow's, now.
        :param now: wall clock, seconds since the epoch.
        """
        tries = self.tries + 1
        return replace(
            self, began_at=now, max_tries=max_tries, tries=tries, anew_since=tries, concluded=False
        )

    def as_json(self) -> dict[str, Any]:
        """The header as plain JSON values."""
        return {"version": VERSION, **asdict(self)}


def read_header(value: Any) -> Header:
    """The header in a stored value.

    :param value: what :meth:`Header.as_json` gave, maybe in another version.
    :raises NewerVersionError: a newer version wrote it.
    :raises ValueError: it is none.
    """
    if not isinstance(value, Mapping):
        raise ValueError("no header")
    version = value.get("version")
    if isinstance(version, int) and version > VERSION:
        raise NewerVersionError(f"version {version}")
    try:
        if version == 1:
            return Header(
                float(value["started_at"]),
                value.get("max_tries"),
                int(value["chunks"]),
                bool(value.get("concluded")),
            )
        parts = {name: value[name] for name in Header.__dataclass_fields__}
        return Header(**parts | {"account": read_account(parts["account"])})
    except (KeyError, TypeError) as error:
        raise ValueError("no header") from error
