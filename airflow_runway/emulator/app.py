"""The ASGI application: the routes of all rooms, handed the parts of an emulator that they use."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from airflow_runway.emulator.api.call import Gatekeeper
from airflow_runway.emulator.api.creation import CreationRoutes
from airflow_runway.emulator.api.downloads import DownloadRoutes
from airflow_runway.emulator.api.organization import OrganizationRoutes
from airflow_runway.emulator.api.request_log import LogMiddleware
from airflow_runway.emulator.api.routers import RouterRoutes
from airflow_runway.emulator.api.routes import file_routes, gateway_routes, runway_routes, unknown_address
from airflow_runway.emulator.api.tasks import TaskRoutes
from airflow_runway.emulator.api.uploads import UploadRoutes
from airflow_runway.emulator.control.guard import ControlGuard
from airflow_runway.emulator.control.routes import ChangeRoutes, InspectionRoutes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request

    from airflow_runway.emulator.state import Emulator


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

    gatekeeper = Gatekeeper(emulator.api_keys, emulator.faults)
    settings, world, outputs = emulator.settings, emulator.world, emulator.outputs
    routers = RouterRoutes(gatekeeper, emulator.routers)
    creation = CreationRoutes(
        gatekeeper, settings, world, emulator.inputs, emulator.callbacks, emulator.routers
    )
    tasks = TaskRoutes(gatekeeper, settings, world, outputs)
    uploads = UploadRoutes(gatekeeper, emulator.uploads)
    downloads = DownloadRoutes(emulator.faults, world, outputs)
    organization = OrganizationRoutes(gatekeeper, settings, world)
    inspection = InspectionRoutes(world, outputs, emulator.log, emulator.callbacks)
    changes = ChangeRoutes(settings, emulator.faults, emulator.hosted, emulator.listener, emulator.reset)
    return Starlette(
        routes=[
            *file_routes(downloads, uploads),
            *inspection.routes(),
            *changes.routes(),
            *runway_routes(creation, tasks, uploads, organization, routers),
            *gateway_routes(creation, tasks, settings),
        ],
        middleware=[
            Middleware(ControlGuard, hosts=emulator.hosts),
            Middleware(LogMiddleware, log=emulator.log),
        ],
        exception_handlers={HTTPException: unknown_address, ClientDisconnect: _caller_left},
        lifespan=lifespan,
    )


async def _caller_left(_request: Request, _error: Exception) -> Response:
    """For a caller that left in the middle of its request: nothing was accepted, nobody reads the answer."""
    return Response(status_code=400)
