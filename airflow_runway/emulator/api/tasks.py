"""Reads of a task in each gateway's way, and Runway's ``DELETE``.

Runway: contracts §1.2, contracts §1.4 and, for workflows, contracts §1.7. CometAPI: contracts §2.4, contracts §3.4.
gptplus5: contracts §4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, RedirectResponse, Response

from airflow_runway.core.models import TaskStatus
from airflow_runway.emulator.api.authentication import is_browser
from airflow_runway.emulator.api.call import base_of
from airflow_runway.emulator.api.request_log import logged_json
from airflow_runway.emulator.dialects import by_gateway, errors, runway

if TYPE_CHECKING:
    from starlette.requests import Request

    from airflow_runway.emulator.api.call import Gatekeeper
    from airflow_runway.emulator.files.outputs import Outputs
    from airflow_runway.emulator.world.settings import SettingsStore
    from airflow_runway.emulator.world.task import Snapshot, WorldTask
    from airflow_runway.emulator.world.world import World


class TaskRoutes:
    """Shows tasks, and removes them.

    :param gatekeeper: looks at every call.
    :param settings: those in force.
    :param world: where the tasks are.
    :param outputs: give links to results.
    """

    def __init__(
        self, gatekeeper: Gatekeeper, settings: SettingsStore, world: World, outputs: Outputs
    ) -> None:
        self._gatekeeper = gatekeeper
        self._settings = settings
        self._world = world
        self._outputs = outputs

    async def read(self, request: Request, gateway: str) -> Response:
        """``GET`` of a task.

        :param request: the request in hand, with ``id`` in its path.
        :param gateway: gateway name.
        """
        runway_task_id = request.path_params["id"]
        if is_browser(request):
            return RedirectResponse(f"/_emulator/tasks/{runway_task_id}", 303)
        return self._read(request, gateway, runway_task_id, ("read",))

    async def feed(self, request: Request) -> Response:
        """``POST /runway/feed``: CometAPI's other way to read a task.

        :param request: the request in hand, with ``task_id`` in its body.
        """
        body = logged_json(request, await request.body())
        runway_task_id = body.get("task_id") if isinstance(body, dict) else None
        return self._read(request, "cometapi", str(runway_task_id or ""), ("feed", "read"))

    async def read_invocation(self, request: Request) -> Response:
        """``GET`` of a run of a workflow; Runway only.

        :param request: the request in hand, with ``id`` in its path.
        """
        task = self._task(request.path_params["id"], "runway", invocation=True)
        call = self._gatekeeper.call(request, "runway", ("workflow", "read"), _route_of(task))
        if task is not None:
            task.reads += 1
        early = call.early_answer()
        if early is not None:
            return early
        if task is None:
            return errors.not_found()
        snapshot = self._world.observe(task)
        links = self._links(request, snapshot)
        output = {node: [link] for node, link in zip(runway.node_ids(task), links, strict=False)}
        costs = self._settings.current.costs == "shown"
        return call.answer(JSONResponse(runway.read_invocation(snapshot, output, costs=costs)))

    async def delete(self, request: Request) -> Response:
        """Cancels an unfinished task, destroys a finished one; Runway only.

        :param request: the request in hand, with ``id`` in its path.
        """
        task = self._task(request.path_params["id"], "runway")
        call = self._gatekeeper.call(request, "runway", ("delete",), _route_of(task))
        early = call.early_answer()
        if early is not None:
            return early
        if task is None or task.removed is not None:
            return errors.not_found()
        self._world.remove(task)
        return call.answer(Response(status_code=204))

    def _read(
        self, request: Request, gateway: str, runway_task_id: str, operations: tuple[str, ...]
    ) -> Response:
        task = self._task(runway_task_id, gateway)
        if task is not None:
            task.reads += 1
        call = self._gatekeeper.call(request, gateway, operations, _route_of(task))
        # The header is optional on the reads of gateways (contracts §2).
        early = call.early_answer(version=gateway == "runway")
        if early is not None:
            return early
        settings = self._settings.current
        snapshot = self._world.observe(task) if task else None
        if snapshot is None or not self._is_shown(snapshot):
            return call.answer(by_gateway.not_shown(gateway, runway_task_id, settings))
        links = self._links(request, snapshot)
        return call.answer(
            JSONResponse(by_gateway.read(snapshot, links, settings, feed="feed" in operations))
        )

    def _task(self, runway_task_id: str, gateway: str, *, invocation: bool = False) -> WorldTask | None:
        """The task of an id. Tasks and runs of workflows do not know each other's ids (contracts §1.7)."""
        task = self._world.get(runway_task_id)
        if task is None or task.gateway != gateway or task.is_invocation != invocation:
            return None
        return task

    def _links(self, request: Request, snapshot: Snapshot) -> list[str]:
        return self._outputs.links(base_of(request), snapshot.task, snapshot.outputs_ready)

    def _is_shown(self, snapshot: Snapshot) -> bool:
        if snapshot.removed:
            cancelled = snapshot.status is TaskStatus.CANCELLED
            return cancelled and self._settings.current.cancelled_reads == "variant"
        return snapshot.visible


def _route_of(task: WorldTask | None) -> str | None:
    return None if task is None else task.route
