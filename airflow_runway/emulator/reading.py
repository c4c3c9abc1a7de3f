"""``GET`` and ``DELETE`` of a task, and the account (contracts 1.2, 1.4, 1.6, 2.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, RedirectResponse, Response

from airflow_runway.emulator import dialects, errors
from airflow_runway.emulator.access import is_browser, refusal
from airflow_runway.emulator.fault_answers import answer_for
from airflow_runway.emulator.faults import AFTER_KINDS, BEFORE_KINDS
from airflow_runway.emulator.requestlog import entry_of
from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_runway.emulator.state import Emulator
    from airflow_runway.emulator.world import Snapshot, WorldTask

_CONCURRENT, _DAILY, _MONTHLY = 1000, 100_000, 100_000


def read(emulator: Emulator, request: Request, gateway: str) -> Response:
    """Shows a task in the gateway's shape.

    :param request: the request in hand, with ``id`` in its path.
    :param gateway: gateway name.
    """
    runway_task_id = request.path_params["id"]
    if is_browser(request):
        return RedirectResponse(f"/_emulator/tasks/{runway_task_id}", 303)
    task = _task(emulator, runway_task_id, gateway)
    if task is not None:
        task.reads += 1
    refused = _hindrance(emulator, request, "read", gateway, task)
    if refused is not None:
        return refused
    right = _shown(emulator, request, gateway, task)
    return _after(emulator, request, "read", gateway, task, right)


def delete(emulator: Emulator, request: Request) -> Response:
    """Cancels an unfinished task, destroys a finished one; Runway only.

    :param request: the request in hand, with ``id`` in its path.
    """
    task = _task(emulator, request.path_params["id"], "runway")
    refused = _hindrance(emulator, request, "delete", "runway", task)
    if refused is not None:
        return refused
    if task is None or task.removed is not None:
        return JSONResponse(errors.NOT_FOUND, 404)
    emulator.world.remove(task)
    return _after(emulator, request, "delete", "runway", task, Response(status_code=204))


def organization(emulator: Emulator, request: Request) -> Response:
    """Shows balance and use of the account; Runway only.

    :param request: the request in hand.
    """
    refused = _hindrance(emulator, request, "organization", "runway", None)
    if refused is not None:
        return refused
    used: dict[str, int] = {}
    for task in emulator.world.tasks():
        used[task.model] = used.get(task.model, 0) + 1
    limits = {"maxConcurrentGenerations": _CONCURRENT, "maxDailyGenerations": _DAILY}
    body: dict[str, Any] = {
        "tier": {"maxMonthlyCreditSpend": _MONTHLY, "models": dict.fromkeys(used or ["gen4_turbo"], limits)},
        "creditBalance": emulator.world.balance(emulator.settings.start_balance),
        "usage": {"models": {model: {"dailyGenerations": count} for model, count in used.items()}},
    }
    return _after(emulator, request, "organization", "runway", None, JSONResponse(body))


def _task(emulator: Emulator, runway_task_id: str, gateway: str) -> WorldTask | None:
    task = emulator.world.get(runway_task_id)
    return task if task is not None and task.gateway == gateway else None


def _hindrance(
    emulator: Emulator, request: Request, operation: str, gateway: str, task: WorldTask | None
) -> Response | None:
    refused = refusal(request, gateway, emulator.api_keys)
    if refused is not None:
        return refused
    fault = emulator.faults.pick(operation, gateway, task.route if task else None, BEFORE_KINDS)
    if fault is None:
        return None
    entry_of(request.scope).fault = fault.kind
    return answer_for(fault)


def _after(
    emulator: Emulator,
    request: Request,
    operation: str,
    gateway: str,
    task: WorldTask | None,
    right: Response,
) -> Response:
    fault = emulator.faults.pick(operation, gateway, task.route if task else None, AFTER_KINDS)
    if fault is None:
        return right
    entry_of(request.scope).fault = fault.kind
    return answer_for(fault, right)


def _shown(emulator: Emulator, request: Request, gateway: str, task: WorldTask | None) -> Response:
    shot = emulator.world.observe(task) if task else None
    if shot is None or not _is_shown(emulator, shot):
        if gateway == "cometapi":
            return JSONResponse(errors.TASK_NOT_EXIST, 400)
        return JSONResponse(errors.NOT_FOUND, 404)
    done = shot.status is TaskStatus.SUCCEEDED
    output = [emulator.output_link(request, shot.task)] if done else []
    if gateway == "runway":
        return JSONResponse(dialects.official(shot, output))
    if emulator.settings.cometapi_reads == "wrapper":
        return JSONResponse(dialects.cometapi_wrapper(shot, output))
    return JSONResponse(dialects.cometapi_flat(shot, output))


def _is_shown(emulator: Emulator, shot: Snapshot) -> bool:
    if shot.removed:
        cancelled = shot.status is TaskStatus.CANCELLED
        return cancelled and emulator.settings.cancelled_reads == "variant"
    return shot.visible
