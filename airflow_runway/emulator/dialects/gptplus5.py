"""A task as az.gptplus5.com may show it (contracts §4): its page publishes three shapes, creation and read alike.

``raw`` is Runway's own and the most likely one; ``luma`` is the page's sample, ``kling`` the page's table. The
table has no member for a result: a finished ``kling`` task carries Kling's own ``task_result`` besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.core.models import TaskStatus
from airflow_runway.emulator.dialects.runway import failure_of, flat, iso

if TYPE_CHECKING:
    from airflow_runway.emulator.world.task import Snapshot

_LUMA_WORDS = {
    TaskStatus.THROTTLED: "pending",
    TaskStatus.PENDING: "pending",
    TaskStatus.RUNNING: "processing",
    TaskStatus.SUCCEEDED: "completed",
}
_KLING_WORDS = {
    TaskStatus.THROTTLED: "submitted",
    TaskStatus.PENDING: "submitted",
    TaskStatus.RUNNING: "processing",
    TaskStatus.SUCCEEDED: "succeed",
}


def created(snapshot: Snapshot, form: str) -> dict[str, object]:
    """The answer to a creation.

    :param snapshot: the task that was just accepted.
    :param form: setting ``gptplus5_shapes``.
    """
    return {"id": snapshot.task.id} if form == "raw" else read(snapshot, [], form)


def read(snapshot: Snapshot, output: list[str], form: str) -> dict[str, object]:
    """The answer to a read.

    :param snapshot: the task now.
    :param output: links to its results.
    :param form: setting ``gptplus5_shapes``.
    """
    if form == "luma":
        return _luma(snapshot, output)
    if form == "kling":
        return _kling(snapshot, output)
    return flat(snapshot, output, iso(snapshot.task.created_at))


def _luma(snapshot: Snapshot, output: list[str]) -> dict[str, object]:
    width, height = snapshot.task.job.size
    done = snapshot.status is TaskStatus.SUCCEEDED
    links = dict.fromkeys(("url", "download_url"), output[0]) if done else {}
    absent = dict.fromkeys(("video_raw", "liked", "estimate_wait_seconds", "thumbnail", "last_frame"))
    return {
        "id": snapshot.task.id,
        "prompt": "",
        "state": _LUMA_WORDS.get(snapshot.status, "failed"),
        "queue_state": None,
        "created_at": iso(snapshot.task.created_at),
        "batch_id": "",
        "video": {**links, "width": width, "height": height} if done else None,
        **absent,
    }


def _kling(snapshot: Snapshot, output: list[str]) -> dict[str, object]:
    task = snapshot.task
    data: dict[str, object] = {
        "task_id": task.id,
        "task_status": _KLING_WORDS.get(snapshot.status, "failed"),
        "created_at": int(task.created_at),
        "updated_at": int(snapshot.finished_at or snapshot.started_at or task.created_at),
    }
    if snapshot.status is TaskStatus.SUCCEEDED:
        data["task_result"] = {"videos": [{"url": output[0]}]}
    elif snapshot.status is TaskStatus.FAILED:
        data["task_status_msg"] = failure_of(snapshot)
    return {"code": 0, "message": "SUCCEED", "request_id": task.id[:6], "data": data}
