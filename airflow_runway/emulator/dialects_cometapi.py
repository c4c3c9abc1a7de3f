"""A task as CometAPI shows it: each documented generation of its answers (contracts 2.4, 3.3 to 3.5, 5)."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from airflow_runway.emulator.dialects import failure_of, flat, iso
from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from airflow_runway.emulator.world import Snapshot, WorldTask

#: The wrapper's inner times carry this zone (CB).
_CHINA = timezone(timedelta(hours=8))

#: Outer words of the new-api wrapper (GW).
_WRAPPER_WORDS = {
    TaskStatus.THROTTLED: "QUEUED",
    TaskStatus.PENDING: "QUEUED",
    TaskStatus.RUNNING: "IN_PROGRESS",
    TaskStatus.SUCCEEDED: "SUCCESS",
}
#: Numeric words and their text of the rixapi family (apiai, ecovai).
_NUMBERS = {
    TaskStatus.THROTTLED: ("0", "pending"),
    TaskStatus.PENDING: ("0", "pending"),
    TaskStatus.RUNNING: ("1", "processing"),
    TaskStatus.SUCCEEDED: ("3", "succeeded"),
}
_OK = "成功"


def created(task: WorldTask, form: str) -> dict[str, Any]:
    """The answer to a creation: the id alone, or the reverse format's envelope (contracts 2.1, 3.3).

    :param task: the task that was just accepted.
    :param form: setting ``cometapi_creates``.
    """
    if not task.route.startswith("pro/"):
        return {"id": task.id}
    if form == "newer":
        return {"code": 200, "message": "", "msg": "success", "data": {"task_id": task.id}}
    record = empty_record(task.id) if form == "record" else {"task_id": task.id}
    return {"code": 200, "msg": _OK, "data": record, "exec_time": 0.31}


def read(shot: Snapshot, output: list[str], form: str, *, feed: bool) -> dict[str, Any]:
    """The answer to a read (contracts 2.4, 3.4).

    :param shot: the task now.
    :param output: links to its results.
    :param form: setting ``cometapi_reads``.
    :param feed: asked through ``POST /runway/feed``, whose flat form is another.
    """
    if form == "numeric":
        return {"code": 200, "msg": _OK, "data": numeric(shot, output), "exec_time": 0}
    if form == "lower_case":
        body = flat(shot, output, iso(shot.task.created_at))
        del body["createdAt"]
        return body | {"status": shot.status.value.lower()}
    if form == "flat":
        return _feed(shot, output) if feed else flat(shot, output, iso(shot.task.created_at))
    return _wrapper(shot, output, stale=form == "wrapper-with-stale-outer")


def not_exist(runway_task_id: str, form: str) -> tuple[int, dict[str, Any]]:
    """The answer for a task that is not visible (yet): HTTP status and body (contracts 2.4).

    :param runway_task_id: the id asked for.
    :param form: setting ``task_not_exist``.
    """
    if form == "status_200":
        return 200, {"status": "task_not_exist"}
    if form == "empty_record":
        return 200, {"code": 200, "msg": _OK, "data": empty_record(runway_task_id), "exec_time": 0}
    return 400, {"code": "task_not_exist", "message": "task_not_exist", "data": None}


def empty_record(runway_task_id: str) -> dict[str, Any]:
    """The numeric record of a task just accepted, and of one that never was (contracts 5: deerapi).

    :param runway_task_id: the id asked for.
    """
    empty = dict.fromkeys(("prompt_en", "video_url", "raw_video_url", "poster", "last_frame", "msg"))
    record = {"task_id": runway_task_id, "state": "", "status": "0", "prompt": "", **empty}
    return record | {"create_time": "0", "update_time": "0"}


def numeric(shot: Snapshot, output: list[str]) -> dict[str, Any]:
    """The record of the rixapi family, which is also the body of a callback (contracts 3.5, 5).

    :param shot: the task now.
    :param output: links to its results.
    """
    task = shot.task
    number, state = _NUMBERS.get(shot.status, ("2", "failed"))
    failed = number == "2"
    updated = shot.finished_at or shot.started_at or task.created_at
    return {
        "task_id": task.id,
        "state": state,
        "status": number,
        "prompt": task.job.text,
        "prompt_en": task.job.text,
        "video_url": output[0] if number == "3" else None,
        "poster": None,
        "last_frame": None,
        "msg": failure_of(shot) if failed else None,
        "point": str(round(task.credits)),
        "refund": "1" if failed and shot.refunded else "0",
        "create_time": str(int(task.created_at)),
        "update_time": str(int(updated)),
    }


def callback(shot: Snapshot, output: list[str]) -> dict[str, Any]:
    """What is posted to ``callback_url``: the bare record, without the word for its state (contracts 3.5, CA).

    :param shot: the task now.
    :param output: links to its results.
    """
    record = numeric(shot, output)
    del record["state"]
    return record


def _record(shot: Snapshot, word: str, inner: dict[str, Any]) -> dict[str, Any]:
    task = shot.task
    return {
        "task_id": task.id,
        "action": task.route.rpartition("/")[2].upper(),
        "status": word,
        "fail_reason": failure_of(shot) if shot.status is TaskStatus.FAILED else "",
        "submit_time": int(task.created_at),
        "start_time": int(shot.started_at),
        "finish_time": int(shot.finished_at),
        "progress": f"{round(shot.progress * 100)}%",
        "data": inner,
    }


def _wrapper(shot: Snapshot, output: list[str], *, stale: bool) -> dict[str, Any]:
    zoned = datetime.fromtimestamp(int(shot.task.created_at), _CHINA).isoformat()
    inner = flat(shot, output, zoned)
    record = _record(shot, _WRAPPER_WORDS.get(shot.status, "FAILURE"), inner)
    if stale and shot.status.is_final:
        # Runway has finished, the gateway has not noticed yet.
        record |= {"status": "IN_PROGRESS", "fail_reason": "", "finish_time": 0, "progress": "95%"}
    return {"code": "success", "message": "", "data": record}


def _feed(shot: Snapshot, output: list[str]) -> dict[str, Any]:
    record = _record(shot, _WRAPPER_WORDS.get(shot.status, "FAILURE"), {})
    url = output[0] if shot.status is TaskStatus.SUCCEEDED else ""
    # In the order of the page (CC): the URL comes after the reason.
    ordered = list(record.items())
    return dict([*ordered[:4], ("result_url", url), *ordered[4:]])
