"""The ASGI application: addresses of all gateways, the emulated CDN, and the control surface."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_runway.emulator import creation, outputs, reading
from airflow_runway.emulator.control import Control
from airflow_runway.emulator.requestlog import LogMiddleware
from airflow_runway.gateways import GATEWAYS

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_runway.emulator.state import Emulator
    from airflow_runway.gateways import Gateway


def make_app(emulator: Emulator) -> Starlette:
    """Builds the application.

    :param emulator: its state; outlives the application.
    """

    async def serve_output(request: Request) -> Response:
        return await outputs.serve(emulator, request)

    routes = [Route("/_outputs/{id}/{name}", serve_output), *Control(emulator).routes()]
    for gateway in (GATEWAYS["runway"], GATEWAYS["cometapi"]):
        routes += _gateway_routes(emulator, gateway)
    return Starlette(
        routes=routes,
        middleware=[Middleware(LogMiddleware, log=emulator.log)],
        exception_handlers={HTTPException: _refuse, ClientDisconnect: _nobody},
    )


def _gateway_routes(emulator: Emulator, gateway: Gateway) -> list[Route]:
    async def read(request: Request) -> Response:
        return reading.read(emulator, request, gateway.name)

    async def delete(request: Request) -> Response:
        return reading.delete(emulator, request)

    async def organization(request: Request) -> Response:
        return reading.organization(emulator, request)

    routes = [
        _create_route(emulator, gateway.name, route, row.path) for route, row in gateway.creates.items()
    ]
    routes.append(Route(gateway.reads[0].path, read, methods=["GET"]))
    if gateway.cancel:
        routes.append(Route(gateway.cancel.path, delete, methods=["DELETE"]))
    if gateway.organization:
        routes.append(Route(gateway.organization.path, organization, methods=["GET"]))
    return routes


def _create_route(emulator: Emulator, gateway: str, route: str, path: str) -> Route:
    async def create(request: Request) -> Response:
        return await creation.create(emulator, request, gateway, route)

    return Route(path, create, methods=["POST"])


async def _nobody(_request: Request, _error: Exception) -> Response:
    """For a caller that left in the middle of its request: nothing was accepted, nobody reads the answer."""
    return Response(status_code=400)


async def _refuse(_request: Request, error: Exception) -> Response:
    """404 and 405 in Runway's envelope."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": str(getattr(error, "detail", "Error"))}, status, headers)
