"""``POST /v1/<route>``: the one call that costs money."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from airflow_runway.emulator import dialects, errors, prompt_image, strictjson
from airflow_runway.emulator.access import refusal
from airflow_runway.emulator.fault_answers import answer_for
from airflow_runway.emulator.faults import AFTER_KINDS, BEFORE_KINDS, LIFE_KINDS, changed_plan
from airflow_runway.emulator.jobs import job_for
from airflow_runway.emulator.media import MediaError
from airflow_runway.emulator.prices import credits_for
from airflow_runway.emulator.requestlog import entry_of, shortened
from airflow_runway.emulator.validation import issues_of
from airflow_runway.emulator.world import ordinary_plan

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from airflow_runway.emulator.state import Emulator
    from airflow_runway.emulator.world import Plan, WorldTask

_MAX_BODY = 64 * 1024 * 1024


async def create(emulator: Emulator, request: Request, gateway: str, route: str) -> Response:
    """Checks a request, loads its image, accepts and charges it; faults strike before or after that.

    :param request: the request in hand.
    :param gateway: gateway name.
    :param route: route name.
    """
    # The body is read whatever comes: a dropped connection is one whose request had arrived.
    body = await _json_body(request)
    entry = entry_of(request.scope)
    entry.body = shortened(body)
    refused = refusal(request, gateway, emulator.api_keys)
    if refused is not None:
        return refused
    fault = emulator.faults.pick("create", gateway, route, BEFORE_KINDS)
    if fault is not None:
        entry.fault = fault.kind
        return answer_for(fault)
    if not isinstance(body, dict):
        return JSONResponse({"error": "The body must be a JSON object."}, 400)
    issues = issues_of(gateway, route, body)
    if issues:
        return JSONResponse(errors.validation_failed(issues), 400)
    try:
        picture = await prompt_image.load(emulator, request, body)
    except MediaError as error:
        return JSONResponse({"error": str(error)}, 400)
    task = _accept(emulator, gateway, route, body, picture)
    if task is None:
        return _out_of_credits(gateway)
    right = JSONResponse(dialects.created(task))
    fault = emulator.faults.pick("create", gateway, route, AFTER_KINDS)
    if fault is None:
        return right
    entry.fault = fault.kind
    return answer_for(fault, right)


def _accept(
    emulator: Emulator, gateway: str, route: str, body: dict[str, Any], picture: Path | None
) -> WorldTask | None:
    """Charges and stores the creation; ``None`` if there is no money for it."""
    job = job_for(route, body, picture)
    model = body.get("model")
    model = model if isinstance(model, str) else "automatic"
    price = credits_for(job.kind, model, job.seconds)
    if not emulator.world.can_pay(price, emulator.settings.start_balance):
        return None
    # Only now: rules for a task's life are used up by accepted creations alone.
    plan = _plan(emulator, gateway, route)
    return emulator.world.accept(gateway=gateway, route=route, model=model, price=price, job=job, plan=plan)


def _plan(emulator: Emulator, gateway: str, route: str) -> Plan:
    settings = emulator.settings
    invisible = settings.cometapi_visible_after if gateway == "cometapi" else 0.0
    plan = replace(ordinary_plan(settings.seconds), invisible=invisible)
    return changed_plan(plan, emulator.faults.pick("create", gateway, route, LIFE_KINDS))


async def _json_body(request: Request) -> Any:
    content = bytearray()
    async for chunk in request.stream():
        # Read to the end all the same: an early answer would look like a broken connection.
        if len(content) <= _MAX_BODY:
            content += chunk
    try:
        return strictjson.loads(content)
    except ValueError:
        return None


def _out_of_credits(gateway: str) -> Response:
    if gateway == "cometapi":
        return JSONResponse(errors.OUT_OF_CREDITS_COMETAPI, 403)
    return JSONResponse(errors.OUT_OF_CREDITS, 400)
