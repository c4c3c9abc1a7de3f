"""The page that a person sees who opens a task in a browser."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from airflow_runway.core.models import TaskStatus

if TYPE_CHECKING:
    from airflow_runway.emulator.world.task import Snapshot

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "video,img{max-width:100%;border-radius:8px}progress{width:100%}code{background:#8882;padding:0 .3em}"
)
_ELEMENTS = {
    "video": '<video controls autoplay muted loop src="{}"></video>',
    "image": '<img alt="result" src="{}">',
    "audio": '<audio controls src="{}"></audio>',
}


def task_page(snapshot: Snapshot, link: str) -> str:
    """HTML without anything from elsewhere; reloads itself until the task has ended.

    :param snapshot: the task now.
    :param link: a fresh link to its last result, shown only when it has succeeded.
    """
    task = snapshot.task
    reload = "" if snapshot.status.is_final or snapshot.removed else '<meta http-equiv="refresh" content="1">'
    money = (
        f"{task.credits:g} credits at most" if snapshot.cost is None else f"{snapshot.cost:g} credits charged"
    )
    result = ""
    if snapshot.status is TaskStatus.SUCCEEDED and not snapshot.removed:
        result = _ELEMENTS[task.jobs[-1].kind].format(escape(link))
    elif snapshot.status is TaskStatus.FAILED:
        failure, code = task.lifecycle.failure or "", task.lifecycle.failure_code or ""
        result = f"<p>{escape(failure)} <code>{escape(code)}</code></p>"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{reload}<title>{snapshot.word}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{snapshot.word}</h1>"
        f'<progress max="1" value="{snapshot.progress}"></progress>'
        f"<p><code>{task.id}</code> {escape(task.gateway)} {escape(task.route)} "
        f"{escape(task.model)}, {money}</p>{result}</body></html>"
    )
