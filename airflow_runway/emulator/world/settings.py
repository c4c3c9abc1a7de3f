"""What can be changed while the emulator runs (``POST /_emulator/settings``)."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Settings that are one of a few words.
_WORDS = {
    "cancelled_reads": ("gone", "variant"),
    "costs": ("shown", "absent"),
    "runwayml_gateway": ("cometapi", "gptplus5"),
    "cometapi_creates": ("live", "newer", "record"),
    "cometapi_reads": ("flat", "wrapper", "wrapper-with-stale-outer", "numeric", "lower_case"),
    "task_not_exist": ("envelope_400", "status_200", "empty_record"),
    "gptplus5_shapes": ("raw", "luma", "kling"),
    "callbacks": ("off", "completion", "every_change"),
    "callback_hosts": ("loopback", "any"),
}
_FLAGS = frozenset({"lenient"})
_COUNTS = frozenset({"max_concurrent", "max_daily"})
_OPTIONAL = _COUNTS | {"link_lifetime"}


@dataclass(frozen=True, slots=True)
class Settings:
    """One set of choices; a change makes a new set.

    :param seconds: how long a generation takes, in seconds of world time. Applies to later creations.
    :param start_balance: credits on the account before anything was charged.
    :param lenient: accept models, fields and values that the catalogue does not know; wrong types are refused
        all the same.
    :param costs: ``shown``, or ``absent`` as in Runway's answers before mid-2026 (contracts §1.2).
    :param cancelled_reads: what a read of a cancelled task gives: ``gone`` (404, as the published API
        description says) or ``variant`` (status CANCELLED, as the official SDK 5.24.0 knows it).
    :param max_concurrent: generations of one model that run at once; more are THROTTLED. ``None`` = no limit.
    :param max_daily: generations of one model within 24 hours of world time; more get a 429. ``None`` = no
        limit.
    :param link_lifetime: how long an output link lives, in *real* seconds; ``None`` = 24 hours of world time.
        Applies to links made later.
    :param runwayml_gateway: who answers under ``/runwayml/v1``: ``cometapi`` or ``gptplus5``.
    :param cometapi_creates: answer of the reverse format to a creation (contracts §3.3): ``live``, ``newer``, or
        ``record`` with a whole record inside.
    :param cometapi_reads: in which of its generations CometAPI shows a task (contracts §2.4, contracts §3.4):
        ``flat``, ``wrapper``, ``wrapper-with-stale-outer``, ``numeric`` or ``lower_case``.
    :param cometapi_visible_after: seconds of world time during which CometAPI answers ``task_not_exist`` for
        a task that it has accepted. Applies to later creations.
    :param task_not_exist: in which form it says so: ``envelope_400``, ``status_200`` or ``empty_record``.
    :param gptplus5_shapes: ``raw``, ``luma`` or ``kling`` (contracts §4).
    :param callbacks: when the reverse format posts to ``callback_url``: ``off``, ``completion`` or
        ``every_change`` (contracts §3.5).
    :param callback_hosts: ``loopback``, or ``any`` host.
    """

    seconds: float = 30.0
    start_balance: float = 10_000
    lenient: bool = False
    costs: str = "shown"
    cancelled_reads: str = "gone"
    max_concurrent: int | None = None
    max_daily: int | None = None
    link_lifetime: float | None = None
    runwayml_gateway: str = "cometapi"
    cometapi_creates: str = "live"
    cometapi_reads: str = "flat"
    cometapi_visible_after: float = 0.0
    task_not_exist: str = "envelope_400"
    gptplus5_shapes: str = "raw"
    callbacks: str = "completion"
    callback_hosts: str = "loopback"

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

    def as_json(self) -> dict[str, object]:
        """The settings as a JSON object."""
        return asdict(self)


class SettingsStore:
    """The settings in force.

    :param first: those of the beginning.
    :param changed: told of every new set.
    """

    def __init__(self, first: Settings, changed: Callable[[Settings], None]) -> None:
        self._first = first
        self._changed = changed
        self.current = first

    def change(self, changes: object) -> None:
        """Replaces some settings.

        :param changes: see :meth:`Settings.merged`.
        :raises ValueError: see there; nothing is changed then.
        """
        self._put(self.current.merged(changes))

    def reset(self) -> None:
        """Back to those of the beginning."""
        self._put(self._first)

    def _put(self, settings: Settings) -> None:
        self.current = settings
        self._changed(settings)


def _check(name: str, value: object) -> None:
    words = _WORDS.get(name)
    if words is not None:
        if value not in words:
            raise ValueError(f"{name} must be one of {', '.join(words)}.")
    elif name in _FLAGS:
        if not isinstance(value, bool):
            raise ValueError(f"{name} must be true or false.")
    elif value is None and name in _OPTIONAL:
        return
    elif name in _COUNTS:
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, or null.")
    elif isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise ValueError(f"{name} must be a number of at least 0.")
