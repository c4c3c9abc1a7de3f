"""``POST`` of a route: the one call that costs money."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse, Response

from airflow_runway.emulator import (
    dialects,
    dialects_cometapi,
    dialects_gptplus5,
    errors,
    sources,
    strictjson,
    validation,
)
from airflow_runway.emulator.access import refusal
from airflow_runway.emulator.fault_answers import answer_for
from airflow_runway.emulator.faults import AFTER_KINDS, BEFORE_KINDS, LIFE_KINDS, changed_plan
from airflow_runway.emulator.jobs import job_for, workflow_jobs
from airflow_runway.emulator.media import MediaError
from airflow_runway.emulator.plans import ordinary_plan
from airflow_runway.emulator.prices import credits_for
from airflow_runway.emulator.requestlog import entry_of, shortened
from airflow_runway.emulator.state import base_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_runway.emulator.plans import Plan
    from airflow_runway.emulator.sources import Sources
    from airflow_runway.emulator.state import Emulator
    from airflow_runway.emulator.world import WorldTask

_MAX_BODY = 64 * 1024 * 1024
#: Which model a ``generate/*`` creation gets (the sample's for video, the cheapest of its kind otherwise), and
#: under which name others count that name none.
_CHOSEN = {
    "generate/video": "gen4.5",
    "generate/image": "gen4_image",
    "generate/audio": "eleven_multilingual_v2",
    "pro/act_one": "act_one",
    "workflows/{id}": "workflow",
}


async def create(emulator: Emulator, request: Request, gateway: str, route: str) -> Response:
    """Checks a request, loads its files, accepts and charges it; faults strike before or after that.

    :param request: the request in hand.
    :param gateway: gateway name.
    :param route: route name.
    """
    # The body is read whatever comes: a dropped connection is one whose request had arrived.
    content = await _content(request)
    body = _json(content)
    entry = entry_of(request.scope)
    entry.body = shortened(body)
    # The reverse format's pages disagree about the version, gptplus5's page does not know it (contracts 3, 4).
    versioned = gateway != "gptplus5" and not route.startswith("pro/")
    refused = refusal(request, gateway, emulator.api_keys, version=versioned)
    if refused is not None:
        return refused
    fault = emulator.faults.pick(("create",), gateway, route, BEFORE_KINDS)
    if fault is not None:
        entry.fault = fault.kind
        return answer_for(fault)
    if len(content) > _MAX_BODY:
        return errors.sentence(gateway, 413, "Request body too large.")
    if not isinstance(body, dict):
        return errors.malformed(gateway)
    answer = await _judged(emulator, request, gateway, route, body)
    if isinstance(answer, Response):
        return answer
    right = JSONResponse(_created(emulator, answer))
    fault = emulator.faults.pick(("create",), gateway, route, AFTER_KINDS)
    if fault is None:
        return right
    entry.fault = fault.kind
    return answer_for(fault, right)


async def _judged(
    emulator: Emulator, request: Request, gateway: str, route: str, body: dict[str, Any]
) -> WorldTask | Response:
    """The task that was made of a body, or the answer that refuses it."""
    settings = emulator.settings
    refused = validation.refusal(gateway, route, body, lenient=settings.lenient)
    if refused is not None:
        return refused
    model = _CHOSEN.get(route) or body.get("model")
    model = model if isinstance(model, str) else "automatic"
    if settings.max_daily is not None:
        used = emulator.world.used_today(gateway)
        if used.get(model, 0) >= settings.max_daily:
            return errors.daily_limit(gateway)
    try:
        files = await sources.load(emulator, request, body, plain_http=route.startswith("pro/"))
    except MediaError as error:
        return errors.sentence(gateway, 400, str(error))
    task = _accept(emulator, gateway, route, model, body, files)
    if task is None:
        return errors.out_of_credits(gateway)
    if route.startswith("pro/"):
        emulator.callbacks.watch(task, str(body["callback_url"]), base_of(request))
    return task


def _accept(
    emulator: Emulator, gateway: str, route: str, model: str, body: dict[str, Any], files: Sources
) -> WorldTask | None:
    """Charges and stores the creation; ``None`` if there is no money for it."""
    flow = route.startswith("workflows/")
    jobs = workflow_jobs(body, files) if flow else (job_for(route, body, files),)
    price = sum(credits_for(job.kind, model, job.seconds) for job in jobs)
    if not emulator.world.can_pay(price, emulator.settings.start_balance):
        return None
    # Only now: rules for a task's life are used up by accepted creations alone.
    plan = _plan(emulator, gateway, route)
    config_id = str(body.get("configId", ""))
    return emulator.world.accept(
        gateway=gateway, route=route, model=model, price=price, jobs=jobs, plan=plan, config_id=config_id
    )


def _plan(emulator: Emulator, gateway: str, route: str) -> Plan:
    settings = emulator.settings
    invisible = settings.cometapi_visible_after if gateway == "cometapi" else 0.0
    plan = replace(ordinary_plan(settings.seconds), invisible=invisible)
    return changed_plan(plan, emulator.faults.pick(("create",), gateway, route, LIFE_KINDS))


def _created(emulator: Emulator, task: WorldTask) -> dict[str, Any]:
    settings = emulator.settings
    if task.gateway == "cometapi":
        return dialects_cometapi.created(task, settings.cometapi_creates)
    if task.gateway == "gptplus5":
        return dialects_gptplus5.created(emulator.world.observe(task), settings.gptplus5_shapes)
    return dialects.created(task, costs=settings.costs == "shown")


async def _content(request: Request) -> bytearray:
    content = bytearray()
    async for chunk in request.stream():
        # Read to the end all the same: an early answer would look like a broken connection.
        if len(content) <= _MAX_BODY:
            content += chunk
    return content


def _json(content: bytearray) -> Any:
    try:
        return strictjson.loads(content)
    except ValueError:
        return None
