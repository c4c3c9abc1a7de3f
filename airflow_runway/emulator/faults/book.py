"""All fault rules in force, and which of them strikes a request."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_runway.emulator.faults.rule import Fault


class FaultBook:
    """All rules in force, in the order in which they were given.

    :param seed: of the dice for ``probability``; fixed, so that a run can be repeated.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.clear()

    def add(self, fault: Fault) -> None:
        """Puts a rule in force.

        :param fault: from :func:`~airflow_runway.emulator.faults.rule.parse_fault`.
        """
        self._faults.append(fault)

    def clear(self) -> None:
        """Forgets all rules and starts the dice anew."""
        self._faults: list[Fault] = []
        self._dice = random.Random(self._seed)  # noqa: S311 - dice for tests, no secret

    def as_json(self) -> list[dict[str, object]]:
        """All rules with their counters."""
        return [fault.as_json() for fault in self._faults]

    def pick(
        self, operations: tuple[str, ...], gateway: str, route: str | None, kinds: Collection[str]
    ) -> Fault | None:
        """The first rule that applies to this request; counts it.

        Every matching rule counts the request as seen, so that ``after`` does not depend on other rules.

        :param operations: what the request is, in the words of
            :data:`~airflow_runway.emulator.faults.kinds.OPERATIONS`.
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
