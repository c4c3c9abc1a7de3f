"""A task as CometAPI shows it, in each of the shapes that were documented.

contracts §2.4 for the official format; contracts §3.3, contracts §3.4 and contracts §3.5 for the reverse format;
contracts §5 for the numeric records of its older relatives.
"""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from airflow_runway.core.models import TaskStatus
from airflow_runway.emulator.dialects.runway import failure_of, flat, iso

if TYPE_CHECKING:
    from airflow_runway.emulator.world.task import Snapshot, WorldTask

#: The wrapper's inner times carry this zone (contracts §2.4).
_CHINA = timezone(timedelta(hours=8))

#: Outer words of the wrapper, as open-source gateway code has them (contracts §6).
_WRAPPER_WORDS = {
    TaskStatus.THROTTLED: "QUEUED",
    TaskStatus.PENDING: "QUEUED",
    TaskStatus.RUNNING: "IN_PROGRESS",
    TaskStatus.SUCCEEDED: "SUCCESS",
}
#: Numeric words of the rixapi family, and their text (contracts §5).
_NUMBERS = {
    TaskStatus.THROTTLED: ("0", "pending"),
    TaskStatus.PENDING: ("0", "pending"),
    TaskStatus.RUNNING: ("1", "processing"),
    TaskStatus.SUCCEEDED: ("3", "succeeded"),
}
_OK = "成功"


def created(task: WorldTask, form: str) -> dict[str, object]:
    """The answer to a creation: the id alone, or the reverse format's envelope (contracts §2.1, contracts §3.3).

    :param task: the task that was just accepted.
    :param form: setting ``cometapi_creates``.
    """
    if not task.route.startswith("pro/"):
        return {"id": task.id}
    if form == "newer":
        return {"code": 200, "message": "", "msg": "success", "data": {"task_id": task.id}}
    record = empty_record(task.id) if form == "record" else {"task_id": task.id}
    return {"code": 200, "msg": _OK, "data": record, "exec_time": 0.31}


def read(snapshot: Snapshot, output: list[str], form: str, *, feed: bool) -> dict[str, object]:
    """The answer to a read (contracts §2.4, contracts §3.4).

    :param snapshot: the task now.
    :param output: links to its results.
    :param form: setting ``cometapi_reads``.
    :param feed: asked through ``POST /runway/feed``, whose flat form is another.
    """
    if form == "numeric":
        return {"code": 200, "msg": _OK, "data": numeric(snapshot, output), "exec_time": 0}
    if form == "lower_case":
        body = flat(snapshot, output, iso(snapshot.task.created_at))
        del body["createdAt"]
        return body | {"status": snapshot.status.value.lower()}
    if form == "flat":
        return _feed(snapshot, output) if feed else flat(snapshot, output, iso(snapshot.task.created_at))
    return _wrapper(snapshot, output, stale=form == "wrapper-with-stale-outer")


def not_exist(runway_task_id: str, form: str) -> tuple[int, dict[str, object]]:
    """The answer for a task that is not visible (yet): HTTP status and body (contracts §2.4).

    :param runway_task_id: the id asked for.
    :param form: setting ``task_not_exist``.
    """
    if form == "status_200":
        return 200, {"status": "task_not_exist"}
    if form == "empty_record":
        return 200, {"code": 200, "msg": _OK, "data": empty_record(runway_task_id), "exec_time": 0}
    return 400, {"code": "task_not_exist", "message": "task_not_exist", "data": None}


def empty_record(runway_task_id: str) -> dict[str, object]:
    """The numeric record of a task just accepted, and of one that never was (contracts §5).

    :param runway_task_id: the id asked for.
    """
    empty = dict.fromkeys(("prompt_en", "video_url", "raw_video_url", "poster", "last_frame", "msg"))
    record = {"task_id": runway_task_id, "state": "", "status": "0", "prompt": "", **empty}
    return record | {"create_time": "0", "update_time": "0"}


def numeric(snapshot: Snapshot, output: list[str]) -> dict[str, object]:
    """The record of the rixapi family, which is also the body of a callback (contracts §3.5, contracts §5).

    :param snapshot: the task now.
    :param output: links to its results.
    """
    task = snapshot.task
    number, state = _NUMBERS.get(snapshot.status, ("2", "failed"))
    failed = number == "2"
    updated = snapshot.finished_at or snapshot.started_at or task.created_at
    return {
        "task_id": task.id,
        "state": state,
        "status": number,
        "prompt": task.job.text,
        "prompt_en": task.job.text,
        "video_url": output[0] if number == "3" else None,
        "poster": None,
        "last_frame": None,
        "msg": failure_of(snapshot) if failed else None,
        "point": str(round(task.credits)),
        "refund": "1" if failed and snapshot.refunded else "0",
        "create_time": str(int(task.created_at)),
        "update_time": str(int(updated)),
    }


def callback(snapshot: Snapshot, output: list[str]) -> dict[str, object]:
    """What is posted to ``callback_url``: the bare record, without the word for its state (contracts §3.5).

    :param snapshot: the task now.
    :param output: links to its results.
    """
    record = numeric(snapshot, output)
    del record["state"]
    return record


def _record(snapshot: Snapshot, word: str, inner: dict[str, object]) -> dict[str, object]:
    task = snapshot.task
    return {
        "task_id": task.id,
        "action": task.route.rpartition("/")[2].upper(),
        "status": word,
        "fail_reason": failure_of(snapshot) if snapshot.status is TaskStatus.FAILED else "",
        "submit_time": int(task.created_at),
        "start_time": int(snapshot.started_at),
        "finish_time": int(snapshot.finished_at),
        "progress": f"{round(snapshot.progress * 100)}%",
        "data": inner,
    }


def _wrapper(snapshot: Snapshot, output: list[str], *, stale: bool) -> dict[str, object]:
    zoned = datetime.fromtimestamp(int(snapshot.task.created_at), _CHINA).isoformat()
    inner = flat(snapshot, output, zoned)
    record = _record(snapshot, _WRAPPER_WORDS.get(snapshot.status, "FAILURE"), inner)
    if stale and snapshot.status.is_final:
        # Runway has finished, the gateway has not noticed yet.
        record |= {"status": "IN_PROGRESS", "fail_reason": "", "finish_time": 0, "progress": "95%"}
    return {"code": "success", "message": "", "data": record}


def _feed(snapshot: Snapshot, output: list[str]) -> dict[str, object]:
    record = _record(snapshot, _WRAPPER_WORDS.get(snapshot.status, "FAILURE"), {})
    url = output[0] if snapshot.status is TaskStatus.SUCCEEDED else ""
    # In the order of CometAPI's page: the URL comes after the reason.
    ordered = list(record.items())
    return dict([*ordered[:4], ("result_url", url), *ordered[4:]])
