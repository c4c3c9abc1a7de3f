"""Rules by which the emulator misbehaves on purpose (``POST /_emulator/faults``)."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from airflow_runway.emulator.plans import Plan

#: What a rule can be about. A read through ``POST /runway/feed`` is also a ``feed``, one of a workflow's run
#: also a ``workflow``; ``upload`` asks for a slot, ``upload_file`` fills it.
OPERATIONS = (
    "create",
    "read",
    "feed",
    "workflow",
    "delete",
    "upload",
    "upload_file",
    "organization",
    "output",
    "*",
)

#: Appended to a kind of :data:`ANSWERS`: the request takes effect first (a creation is charged), then the
#: answer goes wrong.
AFTER_ACCEPT = "_after_accept"

#: Kinds that replace the answer of an API call, with the fields that each may have.
ANSWERS: dict[str, dict[str, Any]] = {
    "status": {"status": 500, "body": None, "headers": {}},
    "drop": {},
    "hang": {"seconds": 60.0},
    "html": {},
    "empty": {},
    "truncated": {},
    "redirect": {"location": "https://example.com/", "status": 307},
}
#: A kind that leaves the answer right and lets it trickle.
SLOW: dict[str, dict[str, Any]] = {"slow": {"bytes_per_second": 65_536}}
#: Kinds that change the life of the task that a creation makes. Times are world seconds.
LIVES: dict[str, dict[str, Any]] = {
    "fail_task": {"failure": "An unexpected error occurred.", "failure_code": None, "cost": 0},
    "cancel_task": {"cost": 0},
    "stall_task": {},
    "throttle_task": {"seconds": 60.0},
    # A workflow that succeeds in part: the nodes after the first have failed.
    "node_errors": {},
}
#: Kinds for the download of an output, besides ``status``, ``hang``, ``html`` and ``redirect``. ``bytes`` counts
#: those of the answer in hand, which goes on from where the caller asked it to, unless it says otherwise.
DOWNLOADS: dict[str, dict[str, Any]] = {
    # Closes after so many bytes.
    "drop": {"bytes": 0},
    # Falls silent after so many bytes, and closes after so many real seconds.
    "stall": {"bytes": 0, "seconds": 60.0},
    # Closes after so many bytes; from then on this link is refused, and only a fresh one opens the file.
    "expire": {"bytes": 0},
    # Announces so many bytes more than there are.
    "wrong_length": {"more": 10},
    # Tells the SHA-256 of something else (``Repr-Digest``).
    "wrong_digest": {},
    # Sends other bytes from there on, and tells the SHA-256 of the right ones.
    "corrupt": {"bytes": 0},
    # Sends the whole file, whichever part was asked for.
    "ignore_range": {},
    **SLOW,
}
#: Kinds of :data:`ANSWERS` that a download can meet too.
_OF_ANSWERS = ("status", "hang", "html", "redirect")

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
    fields: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    fired: int = 0

    def as_json(self) -> dict[str, Any]:
        """The rule as it was given, with defaults, plus ``seen`` and ``fired``."""
        common = {name: getattr(self, name) for name in ("on", "route", "gateway", "kind", "count")}
        return {
            **common,
            "probability": self.probability,
            "after": self.after,
            **self.fields,
            "seen": self.seen,
            "fired": self.fired,
        }

    def matches(self, operations: tuple[str, ...], gateway: str, route: str | None) -> bool:
        """Whether the rule is about such a request at all.

        :param operations: what the request is, in the words of :data:`OPERATIONS`.
        :param gateway: gateway name.
        :param route: route of the task; ``None`` where there is none.
        """
        return (
            self.on in (*operations, "*") and self.route in (None, route) and self.gateway in (None, gateway)
        )


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
    defaults = _fields_of(on, kind)
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
        kind=kind if isinstance(kind, str) else "",
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


def _fields_of(on: str, kind: object) -> dict[str, Any]:
    known: dict[str, dict[str, Any]] = {}
    if on != "output":
        known |= ANSWERS | SLOW | {kind + AFTER_ACCEPT: fields for kind, fields in ANSWERS.items()}
    if on in ("create", "*"):
        known |= LIVES
    if on in ("output", "*"):
        known |= {name: ANSWERS[name] for name in _OF_ANSWERS} | DOWNLOADS
    if not isinstance(kind, str) or kind not in known:
        raise ValueError(f"'kind' for {on!r} must be one of {', '.join(sorted(known))}.")
    return known[kind]


class FaultBook:
    """All rules in force, in the order in which they were given.

    :param seed: of the dice for ``probability``; fixed, so that a run can be repeated.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.clear()

    def add(self, fault: Fault) -> None:
        """Puts a rule in force.

        :param fault: from :func:`parse_fault`.
        """
        self._faults.append(fault)

    def clear(self) -> None:
        """Forgets all rules and starts the dice anew."""
        self._faults: list[Fault] = []
        self._dice = random.Random(self._seed)  # noqa: S311 - dice for tests, no secret

    def as_json(self) -> list[dict[str, Any]]:
        """All rules with their counters."""
        return [fault.as_json() for fault in self._faults]

    def pick(
        self, operations: tuple[str, ...], gateway: str, route: str | None, kinds: frozenset[str]
    ) -> Fault | None:
        """The first rule that applies to this request; counts it.

        Every matching rule counts the request as seen, so that ``after`` does not depend on other rules.

        :param operations: what the request is, in the words of :data:`OPERATIONS`.
        :param gateway: gateway name.
        :param route: route of the task; ``None`` where there is none.
        :param kinds: the kinds that the caller can act upon at this point.
        """
        chosen: Fault | None = None
        for fault in self._faults:
            if fault.kind not in kinds or not fault.matches(operations, gateway, route):
                continue
            fault.seen += 1
            if chosen is None and self._applies(fault):
                chosen = fault
                fault.fired += 1
        return chosen

    def _applies(self, fault: Fault) -> bool:
        spent = fault.count is not None and fault.fired >= fault.count
        return not spent and fault.seen > fault.after and self._dice.random() < fault.probability


BEFORE_KINDS = frozenset(ANSWERS)
AFTER_KINDS = frozenset(kind + AFTER_ACCEPT for kind in ANSWERS) | frozenset(SLOW)
LIFE_KINDS = frozenset(LIVES)
OUTPUT_KINDS = frozenset({*_OF_ANSWERS, *DOWNLOADS})


def changed_plan(plan: Plan, fault: Fault | None) -> Plan:
    """A task's life as a rule changes it.

    :param plan: the undisturbed life.
    :param fault: a rule of one of :data:`LIVES`, or none.
    """
    if fault is None:
        return plan
    fields = fault.fields
    if fault.kind == "stall_task":
        return replace(plan, running=math.inf)
    if fault.kind == "node_errors":
        return replace(plan, node_errors=True)
    if fault.kind == "throttle_task":
        return replace(plan, throttled=float(fields["seconds"]))
    if fault.kind == "cancel_task":
        return replace(plan, ending=TaskStatus.CANCELLED, cost=fields["cost"])
    return replace(
        plan,
        ending=TaskStatus.FAILED,
        failure=fields["failure"],
        failure_code=fields["failure_code"],
        cost=fields["cost"],
    )
