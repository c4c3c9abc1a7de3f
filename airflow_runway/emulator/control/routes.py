"""The addresses below ``/_emulator``. No key is asked for."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from airflow_runway.core.media.types import HEAD, sniff
from airflow_runway.emulator.api.authentication import is_browser
from airflow_runway.emulator.api.call import base_of
from airflow_runway.emulator.checking import strict_json
from airflow_runway.emulator.control.overview import ledger, task_list
from airflow_runway.emulator.control.pages import MOST_LISTED, task_list_page, task_page
from airflow_runway.emulator.faults.rule import parse_fault
from airflow_runway.emulator.files.hosted_media import TooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

    from airflow_runway.emulator.api.callbacks import Callbacks
    from airflow_runway.emulator.api.request_log import RequestLog
    from airflow_runway.emulator.faults.book import FaultBook
    from airflow_runway.emulator.faults.connection import ListenerSwitch
    from airflow_runway.emulator.files.hosted_media import HostedMedia
    from airflow_runway.emulator.files.outputs import Outputs
    from airflow_runway.emulator.world.settings import SettingsStore
    from airflow_runway.emulator.world.world import World

#: The most real seconds for which connections can be refused.
_LONGEST_REFUSAL = 60
#: Content types by file name extension. The table of the machine is not asked: it differs from one to the next.
_CONTENT_TYPES = {
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "webp": "image/webp",
    "mp4": "video/mp4",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
}


class InspectionRoutes:
    """Shows what happened: tasks, charges, requests, callbacks.

    :param world: where the tasks are.
    :param outputs: give links to results.
    :param log: the requests that arrived.
    :param callbacks: the callbacks that were sent.
    """

    def __init__(self, world: World, outputs: Outputs, log: RequestLog, callbacks: Callbacks) -> None:
        self._world = world
        self._outputs = outputs
        self._log = log
        self._callbacks = callbacks

    def routes(self) -> list[Route]:
        """All addresses of this kind."""
        return [
            Route("/_emulator/health", self.health),
            Route("/_emulator/ledger", self.ledger),
            Route("/_emulator/tasks", self.tasks),
            Route("/_emulator/tasks/{id}", self.task_page),
            Route("/_emulator/tasks/{id}/input", self.task_input),
            Route("/_emulator/requests", self.requests),
            Route("/_emulator/callbacks", self.callbacks),
        ]

    async def health(self, _request: Request) -> Response:
        """Says that the emulator is up."""
        return JSONResponse({"ok": True})

    async def ledger(self, _request: Request) -> Response:
        """Every charge, oldest first, and what they come to after refunds."""
        return JSONResponse(ledger(self._world))

    async def tasks(self, request: Request) -> Response:
        """Every task, oldest first, and how often it was read; to a browser, a page of the last ones."""
        if not is_browser(request):
            return JSONResponse(task_list(self._world))
        last = deque(self._world.tasks(), maxlen=MOST_LISTED)
        shown = [self._world.observe(task) for task in reversed(last)]
        return HTMLResponse(task_list_page(shown, len(self._world.tasks()), -self._world.balance(0)))

    async def task_page(self, request: Request) -> Response:
        """One task for a person in a browser."""
        task = self._world.get(request.path_params["id"])
        if task is None:
            return HTMLResponse("<!doctype html><title>No such task</title><h1>No such task</h1>", 404)
        snapshot = self._world.observe(task)
        links = self._outputs.links(base_of(request), task, snapshot.outputs_ready)
        return HTMLResponse(task_page(snapshot, links))

    async def task_input(self, request: Request) -> Response:
        """The picture or video that a task was made from."""
        task = self._world.get(request.path_params["id"])
        file = task.job.input_file if task is not None else None
        if file is None:
            return JSONResponse({"error": "No such input."}, 404)
        with file.open("rb") as opened:
            known = sniff(opened.read(HEAD))
        # Whatever a stranger sent is shown as the media that it is, or not at all.
        headers = {"x-content-type-options": "nosniff"}
        return FileResponse(file, media_type=known or "application/octet-stream", headers=headers)

    async def requests(self, _request: Request) -> Response:
        """The last requests to the API and to outputs, oldest first."""
        return JSONResponse(self._log.as_json())

    async def callbacks(self, _request: Request) -> Response:
        """The callbacks that were sent, oldest first."""
        return JSONResponse(self._callbacks.as_json())


class ChangeRoutes:
    """Changes the emulator: settings, faults, hosted files, everything at once.

    :param settings: those in force.
    :param faults: the rules in force.
    :param hosted: the files that it hosts.
    :param listener: lets it refuse connections.
    :param reset: empties everything.
    """

    def __init__(
        self,
        settings: SettingsStore,
        faults: FaultBook,
        hosted: HostedMedia,
        listener: ListenerSwitch,
        reset: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._faults = faults
        self._hosted = hosted
        self._listener = listener
        self._reset = reset

    def routes(self) -> list[Route]:
        """All addresses of this kind."""
        return [
            Route("/_emulator/reset", self.reset, methods=["POST"]),
            Route("/_emulator/settings", self.settings, methods=["GET", "POST"]),
            Route("/_emulator/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/_emulator/refuse", self.refuse, methods=["POST"]),
            Route("/_emulator/media/{name:path}", self.put_media, methods=["PUT"]),
            Route("/_emulator/media/{name:path}", self.media),
        ]

    async def reset(self, _request: Request) -> Response:
        """Empties everything."""
        self._reset()
        return JSONResponse({"ok": True})

    async def settings(self, request: Request) -> Response:
        """Shows the settings, after merging what was posted."""
        if request.method == "POST":
            try:
                self._settings.change(strict_json.loads(await request.body()))
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(self._settings.current.as_json())

    async def faults(self, request: Request) -> Response:
        """Shows the fault rules, after adding the one posted or clearing all."""
        if request.method == "POST":
            try:
                self._faults.add(parse_fault(strict_json.loads(await request.body())))
            except ValueError as error:
                return JSONResponse({"error": str(error)}, 400)
        elif request.method == "DELETE":
            self._faults.clear()
        return JSONResponse(self._faults.as_json())

    async def refuse(self, request: Request) -> Response:
        """Refuses all connections for some real seconds, as if nobody were there."""
        refuse = self._listener.refuse
        if refuse is None:
            return JSONResponse({"error": "There is no server that could stop listening."}, 501)
        body = strict_json.loads_or_none(await request.body())
        seconds = body.get("seconds") if isinstance(body, dict) else None
        if (
            isinstance(seconds, bool)
            or not isinstance(seconds, int | float)
            or not 0 <= seconds <= _LONGEST_REFUSAL
        ):
            text = f"'seconds' must be a number from 0 to {_LONGEST_REFUSAL}."
            return JSONResponse({"error": text}, 400)
        refuse(float(seconds))
        return JSONResponse({"ok": True})

    async def put_media(self, request: Request) -> Response:
        """Hosts a file."""
        name = request.path_params["name"]
        try:
            await self._hosted.put(name, request.stream())
        except TooLargeError:
            return JSONResponse({"error": "Media files may have at most 200 MB."}, 413)
        return JSONResponse({"url": f"{request.base_url}_emulator/media/{quote(name)}"})

    async def media(self, request: Request) -> Response:
        """Serves a hosted file."""
        name = request.path_params["name"]
        file = self._hosted.get(name)
        if file is None:
            return JSONResponse({"error": "No such file."}, 404)
        extension = name.rpartition(".")[2].lower()
        return FileResponse(file, media_type=_CONTENT_TYPES.get(extension, "application/octet-stream"))
