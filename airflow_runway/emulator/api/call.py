"""What every call to the API has around it: key and version first, then the faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.emulator.api.authentication import refusal
from airflow_runway.emulator.api.request_log import entry_of
from airflow_runway.emulator.faults.kinds import AFTER_KINDS, BEFORE_KINDS
from airflow_runway.emulator.faults.wrong_answers import answer_for

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request
    from starlette.responses import Response

    from airflow_runway.emulator.faults.book import FaultBook


class Gatekeeper:
    """Looks at every call before and after it is served.

    :param api_keys: the keys that are let in; none = any.
    :param faults: the rules in force.
    """

    def __init__(self, api_keys: Collection[str], faults: FaultBook) -> None:
        self.api_keys = frozenset(api_keys)
        self.faults = faults

    def call(
        self, request: Request, gateway: str, operations: tuple[str, ...], route: str | None = None
    ) -> Call:
        """A call in hand.

        :param request: the request.
        :param gateway: gateway name.
        :param operations: what it is, for fault rules.
        :param route: route of the task that it is about, if there is one.
        """
        return Call(self, request, gateway, operations, route)


class Call:
    """One call in hand; made by :meth:`Gatekeeper.call`."""

    def __init__(
        self,
        gatekeeper: Gatekeeper,
        request: Request,
        gateway: str,
        operations: tuple[str, ...],
        route: str | None,
    ) -> None:
        self._gatekeeper = gatekeeper
        self._request = request
        self._gateway = gateway
        self._operations = operations
        self._route = route

    def early_answer(self, *, version: bool = True) -> Response | None:
        """The answer to a caller who is not let in, or that a fault puts in place; ``None`` to go on.

        :param version: whether the version header is required here.
        """
        refused = refusal(self._request, self._gateway, self._gatekeeper.api_keys, version=version)
        return refused or self.faulty_answer()

    def faulty_answer(self) -> Response | None:
        """The answer that a fault puts in place before anything takes effect; ``None`` to go on."""
        return self._faulty(BEFORE_KINDS, None)

    def answer(self, right: Response) -> Response:
        """The answer after everything has taken effect.

        :param right: what it should be; a fault may spoil it.
        """
        return self._faulty(AFTER_KINDS, right) or right

    def _faulty(self, kinds: Collection[str], right: Response | None) -> Response | None:
        fault = self._gatekeeper.faults.pick(self._operations, self._gateway, self._route, kinds)
        if fault is None:
            return None
        entry_of(self._request.scope).fault = fault.kind
        return answer_for(fault, right)


def base_of(request: Request) -> str:
    """The address by which a caller reached the emulator, without a slash at the end.

    :param request: the request in hand.
    """
    return str(request.base_url).rstrip("/")
