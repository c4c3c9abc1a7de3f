"""``GET /_outputs/...``: the emulated CDN that serves results (contracts 16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import FileResponse, Response

from airflow_runway.emulator.fault_answers import answer_for
from airflow_runway.emulator.faults import DOWNLOADS, OUTPUT_KINDS
from airflow_runway.emulator.faulty_file import FaultyFile
from airflow_runway.emulator.requestlog import entry_of
from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from airflow_runway.emulator.jobs import Job
    from airflow_runway.emulator.state import Emulator
    from airflow_runway.emulator.world import Snapshot

PREFIX = "/_outputs/"


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
        if fault.kind not in DOWNLOADS:
            return answer_for(fault)
    job = job_behind(emulator, request.url.path)
    if job is None:
        return _refused(404, "NoSuchKey", "The specified key does not exist.")
    file = await emulator.rendered.get(job)
    if fault is not None:
        if fault.kind == "expire":
            emulator.links.revoke(token)
        return FaultyFile(file, job.content_type, fault, request.headers.get("range", ""))
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
