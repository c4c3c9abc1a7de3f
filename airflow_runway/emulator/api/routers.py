"""``GET`` of routers and of what they have been asked (contracts §1.7); Runway only."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from starlette.responses import JSONResponse, Response

from airflow_runway.emulator.checking.issues import issue
from airflow_runway.emulator.dialects import errors, runway

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from starlette.requests import Request

    from airflow_runway.emulator.api.call import Gatekeeper
    from airflow_runway.emulator.world.routers import RouterBook

_Entry = TypeVar("_Entry")
#: The most entries of a page. The service's bound is not published.
_LARGEST_PAGE = 100


class RouterRoutes:
    """Shows routers and their requests, page by page.

    :param gatekeeper: looks at every call.
    :param routers: all of them.
    """

    def __init__(self, gatekeeper: Gatekeeper, routers: RouterBook) -> None:
        self._gatekeeper = gatekeeper
        self._routers = routers

    async def routers(self, request: Request) -> Response:
        """``GET /v1/routers``.

        :param request: the request in hand.
        """
        return self._answer(request, lambda: _page(request, self._routers.all(), runway.router))

    async def router(self, request: Request) -> Response:
        """``GET /v1/routers/{id}``.

        :param request: the request in hand.
        """

        def show() -> Response:
            router = self._routers.get(request.path_params["id"])
            return _missing() if router is None else JSONResponse(runway.router(router))

        return self._answer(request, show)

    async def requests(self, request: Request) -> Response:
        """``GET /v1/routers/{id}/requests``.

        :param request: the request in hand.
        """

        def show() -> Response:
            router = self._routers.get(request.path_params["id"])
            if router is None:
                return _missing()
            return _page(request, self._routers.shown(router), runway.routed)

        return self._answer(request, show)

    def _answer(self, request: Request, show: Callable[[], Response]) -> Response:
        call = self._gatekeeper.call(request, "runway", ("router",))
        return call.early_answer() or call.answer(show())


def _missing() -> Response:
    return errors.plain_error("runway", 404, "Router not found.")


def _page(
    request: Request, entries: Sequence[_Entry], shown: Callable[[_Entry], dict[str, object]]
) -> Response:
    """A page: ``limit`` is required, ``cursor`` says where it begins."""
    limit, cursor = request.query_params.get("limit", ""), request.query_params.get("cursor", "0")
    if not limit.isdecimal() or not 1 <= int(limit) <= _LARGEST_PAGE:
        wrong = issue("custom", ["limit"], f"Must be a whole number from 1 to {_LARGEST_PAGE}")
        return errors.validation_failed("runway", [wrong])
    if not cursor.isdecimal():
        return errors.validation_failed("runway", [issue("custom", ["cursor"], "Invalid cursor")])
    begin = int(cursor)
    end = begin + int(limit)
    following = str(end) if end < len(entries) else None
    return JSONResponse({"data": [shown(entry) for entry in entries[begin:end]], "nextCursor": following})
