"""What can be changed while the emulator runs (``POST /_emulator/settings``)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any

_WORDS = {"cometapi_reads": ("flat", "wrapper"), "cancelled_reads": ("gone", "variant")}


@dataclass(frozen=True, slots=True)
class Settings:
    """One set of choices; a change makes a new set.

    :param seconds: how long a generation takes, in seconds of world time. Applies to later creations.
    :param start_balance: credits on the account before anything was charged.
    :param cometapi_reads: ``flat`` or ``wrapper``, the two shapes in which CometAPI shows a task
        (contracts 2.4).
    :param cometapi_visible_after: seconds of world time during which CometAPI answers ``task_not_exist`` for
        a task that it has accepted. Applies to later creations.
    :param cancelled_reads: what a read of a cancelled task gives: ``gone`` (404, SPEC) or ``variant``
        (status CANCELLED, SDK).
    :param link_lifetime: how long an output link lives, in *real* seconds; ``None`` = 24 hours of world time.
        Applies to links made later.
    """

    seconds: float = 30.0
    start_balance: float = 10_000
    cometapi_reads: str = "flat"
    cometapi_visible_after: float = 0.0
    cancelled_reads: str = "gone"
    link_lifetime: float | None = None

    def merged(self, changes: object) -> Settings:
        """These settings with some replaced.

        :param changes: a JSON object of settings.
        :raises ValueError: for anything that is no setting or no value of one; nothing is changed then.
        """
        if not isinstance(changes, dict):
            raise ValueError("The settings must be a JSON object.")
        known = {field.name for field in fields(self)}
        for name, value in changes.items():
            if name not in known:
                raise ValueError(f"Unknown setting {name!r}. Known: {', '.join(sorted(known))}.")
            _check(name, value)
        return replace(self, **changes)

    def as_json(self) -> dict[str, Any]:
        """The settings as a JSON object."""
        return asdict(self)


def _check(name: str, value: object) -> None:
    words = _WORDS.get(name)
    if words is not None:
        if value not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}.")
        return
    if value is None and name == "link_lifetime":
        return
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{name} must be a number of at least 0.")
