"""``/_emulator/...``: what tests and people use to look inside and to change things. No key is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from airflow_runway.emulator import strictjson
from airflow_runway.emulator.dialects import iso
from airflow_runway.emulator.faults import parse_fault
from airflow_runway.emulator.hosting import TooLargeError
from airflow_runway.emulator.page import task_page
from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_runway.emulator.state import Emulator
    from airflow_runway.emulator.world import Snapshot

#: The most real seconds for which connections can be refused.
_DEAF = 60


class Control:
    """The handlers of the control surface.

    :param emulator: what they look at and change.
    """

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def routes(self) -> list[Route]:
        """All addresses of the control surface."""
        base = "/_emulator"
        return [
            Route(f"{base}/health", self.health),
            Route(f"{base}/ledger", self.ledger),
            Route(f"{base}/tasks", self.tasks),
            Route(f"{base}/tasks/{{id}}", self.task_page),
            Route(f"{base}/requests", self.requests),
            Route(f"{base}/callbacks", self.callbacks),
            Route(f"{base}/reset", self.reset, methods=["POST"]),
            Route(f"{base}/settings", self.settings, methods=["GET", "POST"]),
            Route(f"{base}/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route(f"{base}/refuse", self.refuse, methods=["POST"]),
            Route(f"{base}/media/{{name:path}}", self.put_media, methods=["PUT"]),
            Route(f"{base}/media/{{name:path}}", self.media),
        ]

    async def health(self, _request: Request) -> Response:
        """Says that the emulator is up."""
        return JSONResponse({"ok": True})

    async def ledger(self, _request: Request) -> Response:
        """Every charge, oldest first, and what they come to after refunds."""
        charges = [_charge(shot) for shot in self._shots()]
        total = sum(charge["credits"] - charge["refunded_credits"] for charge in charges)
        return JSONResponse({"charges": charges, "total_credits": total})

    async def tasks(self, _request: Request) -> Response:
        """Every task, oldest first, and how often it was read."""
        return JSONResponse(
            [
                {
                    "id": shot.task.id,
                    "gateway": shot.task.gateway,
                    "route": shot.task.route,
                    "status": _word(shot),
                    "progress": shot.progress,
                    "reads": shot.task.reads,
                }
                for shot in self._shots()
            ]
        )

    async def task_page(self, request: Request) -> Response:
        """One task for a person in a browser."""
        task = self._emulator.world.get(request.path_params["id"])
        if task is None:
            return HTMLResponse("<!doctype html><title>No such task</title><h1>No such task</h1>", 404)
        links = self._emulator.output_links(request, task, len(task.jobs))
        return HTMLResponse(task_page(self._emulator.world.observe(task), links[-1]))

    async def requests(self, _request: Request) -> Response:
        """The last requests to the API and to outputs, oldest first."""
        return JSONResponse(self._emulator.log.as_json())

    async def callbacks(self, _request: Request) -> Response:
        """The callbacks that were sent, oldest first."""
        return JSONResponse(self._emulator.callbacks.as_json())

    async def reset(self, _request: Request) -> Response:
        """Empties everything."""
        self._emulator.reset()
        return JSONResponse({"ok": True})

    async def settings(self, request: Request) -> Response:
        """Shows the settings, after merging what was posted."""
        if request.method == "POST":
            try:
                self._emulator.change(self._emulator.settings.merged(await _json(request)))
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(self._emulator.settings.as_json())

    async def faults(self, request: Request) -> Response:
        """Shows the fault rules, after adding the one posted or clearing all."""
        if request.method == "POST":
            try:
                self._emulator.faults.add(parse_fault(await _json(request)))
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
        elif request.method == "DELETE":
            self._emulator.faults.clear()
        return JSONResponse(self._emulator.faults.as_json())

    async def refuse(self, request: Request) -> Response:
        """Refuses all connections for some real seconds, as if nobody were there."""
        refuse = self._emulator.refuse
        if refuse is None:
            return JSONResponse({"error": "There is no server that could stop listening."}, 501)
        try:
            body = await _json(request)
        except ValueError:
            body = None
        seconds = body.get("seconds") if isinstance(body, dict) else None
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= _DEAF:
            return JSONResponse({"error": f"'seconds' must be a number from 0 to {_DEAF}."}, 400)
        refuse(float(seconds))
        return JSONResponse({"ok": True})

    async def put_media(self, request: Request) -> Response:
        """Hosts a file."""
        name = request.path_params["name"]
        try:
            await self._emulator.hosted.put(name, request.stream())
        except TooLargeError:
            return JSONResponse({"error": "Media files may have at most 200 MB."}, 413)
        return JSONResponse({"url": f"{request.base_url}_emulator/media/{quote(name)}"})

    async def media(self, request: Request) -> Response:
        """Serves a hosted file."""
        name = request.path_params["name"]
        file = self._emulator.hosted.get(name)
        if file is None:
            return JSONResponse({"error": "No such file."}, 404)
        return FileResponse(file, media_type=_content_type(name))

    def _shots(self) -> list[Snapshot]:
        world = self._emulator.world
        return [world.observe(task) for task in world.tasks()]


def _charge(shot: Snapshot) -> dict[str, Any]:
    task = shot.task
    return {
        "runway_task_id": task.id,
        "gateway": task.gateway,
        "route": task.route,
        "model": task.model,
        "credits": task.credits,
        "refunded_credits": shot.refunded,
        "status": _word(shot),
        "created_at": iso(task.created_at),
    }


def _word(shot: Snapshot) -> str:
    deleted = shot.removed and shot.status is not TaskStatus.CANCELLED
    return "DELETED" if deleted else shot.status.value


def _content_type(name: str) -> str:
    # The table of the machine is not asked: it differs from one to the next.
    endings = {"jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png", "webp": "image/webp"}
    endings |= {"mp4": "video/mp4", "wav": "audio/wav", "mp3": "audio/mpeg"}
    return endings.get(name.rpartition(".")[2].lower(), "application/octet-stream")


async def _json(request: Request) -> Any:
    return strictjson.loads(await request.body())
