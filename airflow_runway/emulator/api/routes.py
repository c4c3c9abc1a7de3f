"""The route table of all services: which address leads to which handler, taken from the provider's gateways."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.emulator.dialects import errors

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from airflow_runway.emulator.api.creation import CreationRoutes
    from airflow_runway.emulator.api.downloads import DownloadRoutes
    from airflow_runway.emulator.api.organization import OrganizationRoutes
    from airflow_runway.emulator.api.routers import RouterRoutes
    from airflow_runway.emulator.api.tasks import TaskRoutes
    from airflow_runway.emulator.api.uploads import UploadRoutes
    from airflow_runway.emulator.world.settings import SettingsStore

    _Handler = Callable[[Request], Awaitable[Response]]

#: Below these, unknown addresses are answered as the gateways do.
_GATEWAY_PATHS = ("/runwayml/", "/runway/")


def file_routes(downloads: DownloadRoutes, uploads: UploadRoutes) -> list[Route]:
    """The emulated CDN, and the storage service that takes uploads.

    :param downloads: serves outputs.
    :param uploads: takes files.
    """
    return [
        _route("/_outputs/{id}/{name}", "GET", downloads.serve),
        _route("/_uploads/{key}", "POST", uploads.fill),
    ]


def runway_routes(
    creation: CreationRoutes,
    tasks: TaskRoutes,
    uploads: UploadRoutes,
    organization: OrganizationRoutes,
    routers: RouterRoutes,
) -> list[Route]:
    """The official API.

    :param creation: makes tasks.
    :param tasks: shows and removes them.
    :param uploads: gives places for files.
    :param organization: shows the account.
    :param routers: shows routers and what they have been asked.
    """

    def creating(route: str) -> _Handler:
        return lambda request: creation.create(request, "runway", route)

    return [
        *(_route(row.path, "POST", creating(route)) for route, row in GATEWAYS["runway"].creates.items()),
        _route("/v1/tasks/{id}", "GET", lambda request: tasks.read(request, "runway")),
        _route("/v1/tasks/{id}", "DELETE", tasks.delete),
        _route("/v1/workflow_invocations/{id}", "GET", tasks.read_invocation),
        _route("/v1/uploads", "POST", uploads.reserve),
        _route("/v1/organization", "GET", organization.organization),
        _route("/v1/organization/usage", "POST", organization.usage),
        _route("/v1/routers", "GET", routers.routers),
        _route("/v1/routers/{id}", "GET", routers.router),
        _route("/v1/routers/{id}/requests", "GET", routers.requests),
    ]


def gateway_routes(creation: CreationRoutes, tasks: TaskRoutes, settings: SettingsStore) -> list[Route]:
    """CometAPI and gptplus5: under ``/runwayml/v1`` a setting tells which of them answers.

    :param creation: makes tasks.
    :param tasks: shows them.
    :param settings: those in force.
    """

    def creating(route: str) -> _Handler:
        async def create(request: Request) -> Response:
            gateway = "cometapi" if route.startswith("pro/") else settings.current.runwayml_gateway
            if route not in GATEWAYS[gateway].creates:
                return errors.invalid_url(request.method, request.url.path)
            return await creation.create(request, gateway, route)

        return create

    def read(request: Request) -> Awaitable[Response]:
        return tasks.read(request, settings.current.runwayml_gateway)

    return [
        *(_route(row.path, "POST", creating(route)) for route, row in GATEWAYS["cometapi"].creates.items()),
        _route("/runwayml/v1/tasks/{id}", "GET", read),
        _route("/runway/feed", "POST", tasks.feed),
    ]


async def unknown_address(request: Request, error: Exception) -> Response:
    """404 and 405 in the envelope of whoever the address belongs to; gateways know no 405 (contracts §6).

    :param request: the request in hand.
    :param error: what starlette makes of it.
    """
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status in (404, 405) and request.url.path.startswith(_GATEWAY_PATHS):
        return errors.invalid_url(request.method, request.url.path)
    headers = error.headers if isinstance(error, HTTPException) else None
    return JSONResponse({"error": str(getattr(error, "detail", "Error"))}, status, headers)


def _route(path: str, method: str, handler: _Handler) -> Route:
    async def endpoint(request: Request) -> Response:
        return await handler(request)

    return Route(path, endpoint, methods=[method])
