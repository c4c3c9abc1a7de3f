"""The ASGI application: addresses of all gateways, the emulated CDN and storage, and the control surface."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_runway.emulator import account, creation, errors, outputs, reading, uploading
from airflow_runway.emulator.control import Control
from airflow_runway.emulator.requestlog import LogMiddleware
from airflow_runway.gateways import GATEWAYS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request

    from airflow_runway.emulator.state import Emulator

    _Handler = Callable[[Request], Awaitable[Response]]

#: Below these, unknown addresses are answered as the gateways do.
_GATEWAY_PATHS = ("/runwayml/", "/runway/")


def make_app(emulator: Emulator, *, calling_back: bool = False) -> Starlette:
    """Builds the application.

    :param emulator: its state; outlives the application.
    :param calling_back: send callbacks as time passes; without it somebody pumps them.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with anyio.create_task_group() as group:
            if calling_back:
                group.start_soon(emulator.callbacks.run)
            yield
            group.cancel_scope.cancel()

    return Starlette(
        routes=[
            _route("/_outputs/{id}/{name}", "GET", lambda request: outputs.serve(emulator, request)),
            _route("/_uploads/{key}", "POST", lambda request: uploading.fill(emulator, request)),
            *Control(emulator).routes(),
            *_runway(emulator),
            *_gateways(emulator),
        ],
        middleware=[Middleware(LogMiddleware, log=emulator.log)],
        exception_handlers={HTTPException: _refuse, ClientDisconnect: _nobody},
        lifespan=lifespan,
    )


def _runway(emulator: Emulator) -> list[Route]:
    async def read(request: Request) -> Response:
        return reading.read(emulator, request, "runway")

    async def invocation(request: Request) -> Response:
        return reading.invocation(emulator, request)

    async def delete(request: Request) -> Response:
        return reading.delete(emulator, request)

    async def organization(request: Request) -> Response:
        return account.organization(emulator, request)

    routes = [
        _route(row.path, "POST", _creating(emulator, "runway", route))
        for route, row in GATEWAYS["runway"].creates.items()
    ]
    return [
        *routes,
        _route("/v1/tasks/{id}", "GET", read),
        _route("/v1/tasks/{id}", "DELETE", delete),
        _route("/v1/workflow_invocations/{id}", "GET", invocation),
        _route("/v1/uploads", "POST", lambda request: uploading.reserve(emulator, request)),
        _route("/v1/organization", "GET", organization),
        _route("/v1/organization/usage", "POST", lambda request: account.usage(emulator, request)),
    ]


def _gateways(emulator: Emulator) -> list[Route]:
    """CometAPI and gptplus5: under ``/runwayml/v1`` a setting tells which of them answers."""

    async def read(request: Request) -> Response:
        return reading.read(emulator, request, emulator.settings.runwayml_gateway)

    routes = [
        _route(row.path, "POST", _creating(emulator, "cometapi", route))
        for route, row in GATEWAYS["cometapi"].creates.items()
    ]
    return [
        *routes,
        _route("/runwayml/v1/tasks/{id}", "GET", read),
        _route("/runway/feed", "POST", lambda request: reading.feed(emulator, request)),
    ]


def _creating(emulator: Emulator, home: str, route: str) -> _Handler:
    shared = home == "cometapi" and not route.startswith("pro/")

    async def create(request: Request) -> Response:
        gateway = emulator.settings.runwayml_gateway if shared else home
        if route not in GATEWAYS[gateway].creates:
            return errors.invalid_url(request.method, request.url.path)
        return await creation.create(emulator, request, gateway, route)

    return create


def _route(path: str, method: str, handler: _Handler) -> Route:
    async def endpoint(request: Request) -> Response:
        return await handler(request)

    return Route(path, endpoint, methods=[method])


async def _nobody(_request: Request, _error: Exception) -> Response:
    """For a caller that left in the middle of its request: nothing was accepted, nobody reads the answer."""
    return Response(status_code=400)


async def _refuse(request: Request, error: Exception) -> Response:
    """404 and 405 in the envelope of whoever the address belongs to; gateways know no 405 (GW)."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status in (404, 405) and request.url.path.startswith(_GATEWAY_PATHS):
        return errors.invalid_url(request.method, request.url.path)
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": str(getattr(error, "detail", "Error"))}, status, headers)
