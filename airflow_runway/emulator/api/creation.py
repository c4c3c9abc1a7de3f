"""``POST`` of a route: the one call that costs money."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from airflow_runway.emulator.api import refused_bodies
from airflow_runway.emulator.api.call import base_of
from airflow_runway.emulator.api.request_log import logged_json
from airflow_runway.emulator.dialects import by_gateway, errors
from airflow_runway.emulator.faults.kinds import LIFECYCLE_KINDS
from airflow_runway.emulator.faults.task_faults import changed_lifecycle
from airflow_runway.emulator.files.input_checks import MediaError
from airflow_runway.emulator.files.input_loader import OwnAddress
from airflow_runway.emulator.rendering.job_from_request import job_for, workflow_jobs
from airflow_runway.emulator.world.lifecycle import ordinary_lifecycle
from airflow_runway.emulator.world.prices import credits_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from airflow_runway.emulator.api.call import Gatekeeper
    from airflow_runway.emulator.api.callbacks import Callbacks
    from airflow_runway.emulator.files.input_loader import InputLoader
    from airflow_runway.emulator.world.job import Inputs
    from airflow_runway.emulator.world.lifecycle import Lifecycle
    from airflow_runway.emulator.world.routers import RouterBook
    from airflow_runway.emulator.world.settings import SettingsStore
    from airflow_runway.emulator.world.task import WorldTask
    from airflow_runway.emulator.world.world import World

_MAX_BODY = 64 * 1024 * 1024
#: Which model a ``generate/*`` creation gets (the sample's for video, the cheapest of its kind otherwise), and
#: under which name others count that name none.
_MODELS = {
    "generate/video": "gen4.5",
    "generate/image": "gen4_image",
    "generate/audio": "eleven_multilingual_v2",
    "pro/act_one": "act_one",
    "workflows/{id}": "workflow",
}


class CreationRoutes:
    """Checks requests, loads their files, accepts and charges them.

    :param gatekeeper: looks at every call.
    :param settings: those in force.
    :param world: where accepted creations live.
    :param inputs: opens the files that a request names.
    :param callbacks: sends what the reverse format promises.
    :param routers: list what ``generate/*`` has been asked.
    """

    def __init__(
        self,
        gatekeeper: Gatekeeper,
        settings: SettingsStore,
        world: World,
        inputs: InputLoader,
        callbacks: Callbacks,
        routers: RouterBook,
    ) -> None:
        self._gatekeeper = gatekeeper
        self._settings = settings
        self._world = world
        self._inputs = inputs
        self._callbacks = callbacks
        self._routers = routers

    async def create(self, request: Request, gateway: str, route: str) -> Response:
        """Serves one creation; faults strike before or after it takes effect.

        :param request: the request in hand.
        :param gateway: gateway name.
        :param route: route name.
        """
        # The body is read whatever comes: a dropped connection is one whose request had arrived.
        content = await _content(request)
        body = logged_json(request, content)
        call = self._gatekeeper.call(request, gateway, ("create",), route)
        # The reverse format's pages disagree about the version (contracts §3), gptplus5's page does not name it
        # (contracts §4).
        early = call.early_answer(version=gateway != "gptplus5" and not route.startswith("pro/"))
        if early is not None:
            return early
        if len(content) > _MAX_BODY:
            return errors.plain_error(gateway, 413, "Request body too large.")
        if not isinstance(body, dict):
            return errors.malformed(gateway)
        made = await self._task_or_refusal(request, gateway, route, body)
        if isinstance(made, Response):
            return made
        shown = by_gateway.created(self._world.observe(made), self._settings.current)
        return call.answer(JSONResponse(shown))

    async def _task_or_refusal(
        self, request: Request, gateway: str, route: str, body: Mapping[str, object]
    ) -> WorldTask | Response:
        settings = self._settings.current
        refused = refused_bodies.refusal_of_body(gateway, route, body, lenient=settings.lenient)
        if refused is not None:
            return refused
        model = _model_of(route, body)
        if settings.max_daily is not None:
            used = self._world.used_today(gateway)
            if used.get(model, 0) >= settings.max_daily:
                return errors.daily_limit(gateway)
        reverse = route.startswith("pro/")
        own = OwnAddress(request.url.hostname, request.url.port)
        try:
            inputs = await self._inputs.load(body, own, plain_http=reverse)
        except MediaError as error:
            return errors.plain_error(gateway, 400, str(error))
        task = self._accept(gateway, route, model, body, inputs)
        if task is None:
            return errors.out_of_credits(gateway)
        if route.startswith("generate/"):
            self._list(task)
        if reverse:
            self._callbacks.watch(task, str(body["callback_url"]), base_of(request))
        return task

    def _list(self, task: WorldTask) -> None:
        """Puts an accepted creation into its router's list, as the rules about rows have it."""
        late, foreign = (
            self._gatekeeper.faults.pick(("create",), task.gateway, task.route, {kind})
            for kind in ("late_row", "foreign_row")
        )
        self._routers.note(task, late=late.number("seconds") if late else 0.0)
        if foreign:
            self._routers.note_foreign(task, after=foreign.number("seconds"))

    def _accept(
        self, gateway: str, route: str, model: str, body: Mapping[str, object], inputs: Inputs
    ) -> WorldTask | None:
        """Charges and stores the creation; ``None`` if there is no money for it."""
        is_workflow = route.startswith("workflows/")
        jobs = workflow_jobs(body, inputs) if is_workflow else (job_for(route, body, inputs),)
        price = sum(credits_for(job.kind, model, job.seconds) for job in jobs)
        if not self._world.can_pay(price, self._settings.current.start_balance):
            return None
        return self._world.accept(
            gateway=gateway,
            route=route,
            model=model,
            price=price,
            jobs=jobs,
            # Only now: rules for a task's lifecycle are used up by accepted creations alone.
            lifecycle=self._lifecycle(gateway, route),
            config_id=str(body.get("configId", "")),
        )

    def _lifecycle(self, gateway: str, route: str) -> Lifecycle:
        settings = self._settings.current
        invisible = settings.cometapi_visible_after if gateway == "cometapi" else 0.0
        undisturbed = replace(ordinary_lifecycle(settings.seconds), invisible=invisible)
        fault = self._gatekeeper.faults.pick(("create",), gateway, route, LIFECYCLE_KINDS)
        return changed_lifecycle(undisturbed, fault)


def _model_of(route: str, body: Mapping[str, object]) -> str:
    model = _MODELS.get(route) or body.get("model")
    return model if isinstance(model, str) else "automatic"


async def _content(request: Request) -> bytearray:
    content = bytearray()
    async for chunk in request.stream():
        # Read to the end all the same: an early answer would look like a broken connection.
        if len(content) <= _MAX_BODY:
            content += chunk
    return content
