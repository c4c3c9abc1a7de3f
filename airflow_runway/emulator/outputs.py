"""``GET /_outputs/...``: the emulated CDN that serves results (contracts 16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from starlette.responses import FileResponse, Response

from airflow_runway.emulator.connection import drop
from airflow_runway.emulator.fault_answers import STEP, answer_for
from airflow_runway.emulator.faults import OUTPUT_KINDS
from airflow_runway.emulator.requestlog import entry_of
from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from airflow_runway.emulator.faults import Fault
    from airflow_runway.emulator.jobs import Job
    from airflow_runway.emulator.state import Emulator
    from airflow_runway.emulator.world import Snapshot

PREFIX = "/_outputs/"
_CHUNK = 1 << 16


async def serve(emulator: Emulator, request: Request) -> Response:
    """Serves the file of a finished task to whoever holds a valid link; no API key is asked for.

    :param request: the request in hand, with ``id`` in its path.
    """
    token = request.query_params.get("_jwt", "")
    if not emulator.links.allows(request.url.path, token, emulator.world.clock()):
        return _refused(403, "AccessDenied", "Access denied")
    task = emulator.world.get(request.path_params["id"])
    fault = None
    if task is not None:
        fault = emulator.faults.pick(("output",), task.gateway, task.route, OUTPUT_KINDS)
    if fault is not None:
        entry_of(request.scope).fault = fault.kind
        if fault.kind not in ("drop", "slow"):
            return answer_for(fault)
    job = job_behind(emulator, request.url.path)
    if job is None:
        return _refused(404, "NoSuchKey", "The specified key does not exist.")
    file = await emulator.rendered.get(job)
    if fault is not None:
        return FaultyFile(file, job.content_type, fault)
    return FileResponse(file, media_type=job.content_type)


def outputs_ready(shot: Snapshot) -> int:
    """How many of a task's outputs can be had.

    :param shot: the task now.
    """
    count = len(shot.task.jobs)
    if shot.removed:
        return 0
    if shot.status is TaskStatus.SUCCEEDED:
        return 1 if shot.task.plan.node_errors else count
    # The nodes of a workflow finish one after the other (contracts 1.7).
    running = shot.status is TaskStatus.RUNNING and shot.task.is_invocation
    return int(shot.progress * count) if running else 0


def job_behind(emulator: Emulator, path: str) -> Job | None:
    """What an output shows; ``None`` unless there is one (any more).

    :param path: ``/_outputs/<task id>/<number>.<extension>``.
    """
    runway_task_id, _, name = path.removeprefix(PREFIX).partition("/")
    task = emulator.world.get(runway_task_id)
    if task is None:
        return None
    ready = task.jobs[: outputs_ready(emulator.world.observe(task))]
    names = {f"{index}.{job.extension}": job for index, job in enumerate(ready)}
    return names.get(name)


async def output_file(emulator: Emulator, path: str) -> Path | None:
    """The file of an output, rendered if need be; ``None`` unless there is one (any more).

    :param path: see :func:`job_behind`.
    """
    job = job_behind(emulator, path)
    return None if job is None else await emulator.rendered.get(job)


def _refused(status: int, code: str, message: str) -> Response:
    error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Response(f'<?xml version="1.0" encoding="UTF-8"?>{error}', status, media_type="application/xml")


class FaultyFile(Response):
    """A download that breaks off after some bytes, or trickles.

    :param file: what to send; ranges are not looked at.
    :param content_type: its MIME type.
    :param fault: a ``drop`` (field ``bytes``) or ``slow`` (field ``bytes_per_second``) rule.
    """

    def __init__(self, file: Path, content_type: str, fault: Fault) -> None:
        super().__init__(media_type=content_type)
        size = file.stat().st_size
        self.headers["content-length"] = str(size)
        self._file = file
        self._drops = fault.kind == "drop"
        self._left = min(size, int(fault.fields["bytes"])) if self._drops else size
        self._chunk, self._pause = _CHUNK, 0.0
        if not self._drops:
            self._chunk = max(1, int(fault.fields["bytes_per_second"] * STEP))
            self._pause = STEP

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the file as far as the rule lets it."""
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with await anyio.open_file(self._file, "rb") as file:
            while self._left and scope["method"] != "HEAD":
                piece = await file.read(min(self._chunk, self._left))
                self._left -= len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await anyio.sleep(self._pause)
        if self._drops:
            await drop(scope, receive)
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
