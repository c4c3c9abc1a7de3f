"""One fault rule, and how it is read from ``POST /_emulator/faults``."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_runway.emulator.faults.kinds import OPERATIONS, kinds_for

if TYPE_CHECKING:
    from airflow_runway.emulator.faults.kinds import Fields

_COMMON = {"on", "route", "gateway", "kind", "count", "probability", "after"}


@dataclass(slots=True)
class Fault:
    """One rule and how often it was looked at and applied."""

    kind: str
    on: str = "*"
    #: Route name and gateway name; ``None`` = any.
    route: str | None = None
    gateway: str | None = None
    #: How often it applies; ``None`` = for ever.
    count: int | None = 1
    probability: float = 1.0
    #: How many matching requests pass before it may apply.
    after: int = 0
    #: The fields of its kind, defaults filled in.
    fields: Fields = field(default_factory=dict)
    seen: int = 0
    fired: int = 0

    def as_json(self) -> dict[str, object]:
        """The rule as it was given, with defaults, plus ``seen`` and ``fired``."""
        return {
            "on": self.on,
            "route": self.route,
            "gateway": self.gateway,
            "kind": self.kind,
            "count": self.count,
            "probability": self.probability,
            "after": self.after,
            **self.fields,
            "seen": self.seen,
            "fired": self.fired,
        }

    def matches(self, operations: tuple[str, ...], gateway: str, route: str | None) -> bool:
        """Whether the rule is about such a request at all.

        :param operations: what the request is, in the words of
            :data:`~airflow_runway.emulator.faults.kinds.OPERATIONS`.
        :param gateway: gateway name.
        :param route: route of the task; ``None`` where there is none.
        """
        return (
            self.on in (*operations, "*") and self.route in (None, route) and self.gateway in (None, gateway)
        )

    def number(self, name: str) -> float:
        """A field that is a number; 0 if this kind has none of that name.

        :param name: name of the field.
        """
        value = self.fields.get(name, 0)
        return value if isinstance(value, int | float) else 0

    def text(self, name: str) -> str | None:
        """A field that is a text, if it is given.

        :param name: name of the field.
        """
        value = self.fields[name]
        return value if isinstance(value, str) else None


def parse_fault(rule: object) -> Fault:
    """Reads one rule.

    :param rule: a JSON object: ``on``, ``kind``, optional ``route``, ``gateway``, ``count`` (1),
        ``probability`` (1.0), ``after`` (0), and the fields of its kind.
    :raises ValueError: naming what is wrong.
    """
    if not isinstance(rule, dict):
        raise ValueError("A fault must be a JSON object.")
    on, kind = rule.get("on", "*"), rule.get("kind")
    if on not in OPERATIONS:
        raise ValueError(f"'on' must be one of {', '.join(OPERATIONS)}.")
    known = kinds_for(on)
    if not isinstance(kind, str) or kind not in known:
        raise ValueError(f"'kind' for {on!r} must be one of {', '.join(sorted(known))}.")
    defaults = known[kind]
    unknown = set(rule) - _COMMON - set(defaults)
    if unknown:
        raise ValueError(f"A {kind!r} fault has no field {', '.join(sorted(unknown))}.")
    for name, default in defaults.items():
        _check_field(name, rule.get(name, default), default)
    count, after, probability = rule.get("count", 1), rule.get("after", 0), rule.get("probability", 1.0)
    if not (count is None or isinstance(count, int)) or not isinstance(after, int):
        raise ValueError("'count' and 'after' must be whole numbers ('count' may be null).")
    if not isinstance(probability, int | float) or not 0 <= probability <= 1:
        raise ValueError("'probability' must be a number from 0 to 1.")
    return Fault(
        kind=kind,
        on=on,
        route=rule.get("route"),
        gateway=rule.get("gateway"),
        count=count,
        probability=probability,
        after=after,
        fields={name: rule.get(name, default) for name, default in defaults.items()},
    )


def _check_field(name: str, value: object, default: object) -> None:
    """Refuses a value of another type than the default; ``None`` as a default takes what its name allows."""
    if isinstance(default, int | float):
        low, high = (100, 599) if name == "status" else (0, math.inf)
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"{name!r} must be a number from {low} to {high}.")
    elif isinstance(default, dict):
        if not isinstance(value, dict) or not all(isinstance(text, str) for text in value.values()):
            raise ValueError(f"{name!r} must be an object of strings.")
    elif name != "body" and not (isinstance(value, str) or value is default):
        raise ValueError(f"{name!r} must be a string.")
