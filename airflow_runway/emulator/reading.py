"""Reads of a task in each gateway's way, and Runway's ``DELETE`` (contracts 1.2, 1.4, 1.7, 2.4, 3.4, 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, RedirectResponse, Response

from airflow_runway.emulator import dialects, dialects_cometapi, dialects_gptplus5, errors, strictjson
from airflow_runway.emulator.access import is_browser
from airflow_runway.emulator.outputs import outputs_ready
from airflow_runway.emulator.requestlog import entry_of, shortened
from airflow_runway.emulator.serving import Call
from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_runway.emulator.state import Emulator
    from airflow_runway.emulator.world import Snapshot, WorldTask


def read(emulator: Emulator, request: Request, gateway: str) -> Response:
    """``GET`` of a task.

    :param request: the request in hand, with ``id`` in its path.
    :param gateway: gateway name.
    """
    runway_task_id = request.path_params["id"]
    if is_browser(request):
        return RedirectResponse(f"/_emulator/tasks/{runway_task_id}", 303)
    return _read(emulator, request, gateway, runway_task_id, ("read",))


async def feed(emulator: Emulator, request: Request) -> Response:
    """``POST /runway/feed``: CometAPI's other way to read a task.

    :param request: the request in hand, with ``task_id`` in its body.
    """
    try:
        body = strictjson.loads(await request.body())
    except ValueError:
        body = None
    entry_of(request.scope).body = shortened(body)
    runway_task_id = body.get("task_id") if isinstance(body, dict) else None
    return _read(emulator, request, "cometapi", str(runway_task_id or ""), ("feed", "read"))


def invocation(emulator: Emulator, request: Request) -> Response:
    """``GET`` of a run of a workflow; Runway only.

    :param request: the request in hand, with ``id`` in its path.
    """
    task = _task(emulator, request.path_params["id"], "runway", invocation=True)
    call = Call(emulator, request, "runway", ("workflow", "read"), task)
    if task is not None:
        task.reads += 1
    refused = call.hindrance()
    if refused is not None:
        return refused
    if task is None:
        return errors.not_found()
    shot = emulator.world.observe(task)
    links = _links(emulator, request, shot)
    output = {node: [link] for node, link in zip(dialects.node_ids(task), links, strict=False)}
    costs = emulator.settings.costs == "shown"
    return call.answer(JSONResponse(dialects.invocation(shot, output, costs=costs)))


def delete(emulator: Emulator, request: Request) -> Response:
    """Cancels an unfinished task, destroys a finished one; Runway only.

    :param request: the request in hand, with ``id`` in its path.
    """
    task = _task(emulator, request.path_params["id"], "runway")
    call = Call(emulator, request, "runway", ("delete",), task)
    refused = call.hindrance()
    if refused is not None:
        return refused
    if task is None or task.removed is not None:
        return errors.not_found()
    emulator.world.remove(task)
    return call.answer(Response(status_code=204))


def _read(
    emulator: Emulator, request: Request, gateway: str, runway_task_id: str, operations: tuple[str, ...]
) -> Response:
    task = _task(emulator, runway_task_id, gateway)
    if task is not None:
        task.reads += 1
    call = Call(emulator, request, gateway, operations, task)
    # The header is optional on the reads of gateways (contracts 2).
    refused = call.hindrance(version=gateway == "runway")
    if refused is not None:
        return refused
    shot = emulator.world.observe(task) if task else None
    if shot is None or not _is_shown(emulator, shot):
        return call.answer(_missing(emulator, gateway, runway_task_id))
    body = _body(emulator, shot, _links(emulator, request, shot), feed="feed" in operations)
    return call.answer(JSONResponse(body))


def _task(
    emulator: Emulator, runway_task_id: str, gateway: str, *, invocation: bool = False
) -> WorldTask | None:
    """The task of an id. Tasks and runs of workflows do not know each other's ids (contracts 1.7)."""
    task = emulator.world.get(runway_task_id)
    if task is None or task.gateway != gateway or task.is_invocation != invocation:
        return None
    return task


def _missing(emulator: Emulator, gateway: str, runway_task_id: str) -> Response:
    if gateway == "runway":
        return errors.not_found()
    if gateway == "gptplus5":
        return errors.task_layer(400, "task_not_exist", "task_not_exist")
    status, body = dialects_cometapi.not_exist(runway_task_id, emulator.settings.task_not_exist)
    return JSONResponse(body, status)


def _links(emulator: Emulator, request: Request, shot: Snapshot) -> list[str]:
    return emulator.output_links(request, shot.task, outputs_ready(shot))


def _body(emulator: Emulator, shot: Snapshot, output: list[str], *, feed: bool) -> dict[str, Any]:
    settings = emulator.settings
    if shot.task.gateway == "cometapi":
        return dialects_cometapi.read(shot, output, settings.cometapi_reads, feed=feed)
    if shot.task.gateway == "gptplus5":
        return dialects_gptplus5.read(shot, output, settings.gptplus5_shapes)
    return dialects.official(shot, output, costs=settings.costs == "shown")


def _is_shown(emulator: Emulator, shot: Snapshot) -> bool:
    if shot.removed:
        cancelled = shot.status is TaskStatus.CANCELLED
        return cancelled and emulator.settings.cancelled_reads == "variant"
    return shot.visible
