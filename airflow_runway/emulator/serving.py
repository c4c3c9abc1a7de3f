"""What every call to the API but a creation has around it: key and version first, then the faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.emulator.access import refusal
from airflow_runway.emulator.fault_answers import answer_for
from airflow_runway.emulator.faults import AFTER_KINDS, BEFORE_KINDS
from airflow_runway.emulator.requestlog import entry_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from airflow_runway.emulator.state import Emulator
    from airflow_runway.emulator.world import WorldTask


class Call:
    """One call in hand.

    :param emulator: the state behind it.
    :param request: the request.
    :param gateway: gateway name.
    :param operations: what it is, for fault rules.
    :param task: the task that it is about, if there is one.
    """

    def __init__(
        self,
        emulator: Emulator,
        request: Request,
        gateway: str,
        operations: tuple[str, ...],
        task: WorldTask | None = None,
    ) -> None:
        self._emulator = emulator
        self._request = request
        self._gateway = gateway
        self._operations = operations
        self._route = task.route if task else None

    def hindrance(self, *, version: bool = True) -> Response | None:
        """The answer to a caller who is not let in, or that a fault puts in place; ``None`` to go on.

        :param version: whether the version header is required here.
        """
        refused = refusal(self._request, self._gateway, self._emulator.api_keys, version=version)
        return refused or self.fault()

    def fault(self) -> Response | None:
        """The answer that a fault puts in place of any other; ``None`` to go on."""
        fault = self._emulator.faults.pick(self._operations, self._gateway, self._route, BEFORE_KINDS)
        if fault is None:
            return None
        entry_of(self._request.scope).fault = fault.kind
        return answer_for(fault)

    def answer(self, right: Response) -> Response:
        """The answer after everything has taken effect.

        :param right: what it should be; a fault may spoil it.
        """
        fault = self._emulator.faults.pick(self._operations, self._gateway, self._route, AFTER_KINDS)
        if fault is None:
            return right
        entry_of(self._request.scope).fault = fault.kind
        return answer_for(fault, right)
