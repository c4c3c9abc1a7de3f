"""Who answers in which shape: the dialect of a task's gateway, in the form that a setting chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from airflow_runway.emulator.dialects import cometapi, errors, gptplus5, runway

if TYPE_CHECKING:
    from airflow_runway.emulator.world.settings import Settings
    from airflow_runway.emulator.world.task import Snapshot


def created(snapshot: Snapshot, settings: Settings) -> dict[str, object]:
    """The body that answers a creation.

    :param snapshot: the task that was just accepted.
    :param settings: those in force.
    """
    if snapshot.task.gateway == "cometapi":
        return cometapi.created(snapshot.task, settings.cometapi_creates)
    if snapshot.task.gateway == "gptplus5":
        return gptplus5.created(snapshot, settings.gptplus5_shapes)
    return runway.created(snapshot.task, costs=settings.costs == "shown")


def read(snapshot: Snapshot, output: list[str], settings: Settings, *, feed: bool) -> dict[str, object]:
    """The body that answers a read.

    :param snapshot: the task now.
    :param output: links to its results.
    :param settings: those in force.
    :param feed: asked through ``POST /runway/feed``.
    """
    if snapshot.task.gateway == "cometapi":
        return cometapi.read(snapshot, output, settings.cometapi_reads, feed=feed)
    if snapshot.task.gateway == "gptplus5":
        return gptplus5.read(snapshot, output, settings.gptplus5_shapes)
    return runway.read(snapshot, output, costs=settings.costs == "shown")


def not_shown(gateway: str, runway_task_id: str, settings: Settings) -> Response:
    """The answer to a read of a task that is unknown, gone, or not visible yet.

    :param gateway: gateway name.
    :param runway_task_id: the id asked for.
    :param settings: those in force.
    """
    if gateway == "runway":
        return errors.not_found()
    if gateway == "gptplus5":
        return errors.task_layer(400, "task_not_exist", "task_not_exist")
    status, body = cometapi.not_exist(runway_task_id, settings.task_not_exist)
    return JSONResponse(body, status)
