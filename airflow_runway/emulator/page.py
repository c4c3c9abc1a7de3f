"""The page that a person sees who opens a task in a browser."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from airflow_runway.emulator.world import Snapshot

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "video,img{max-width:100%;border-radius:8px}progress{width:100%}code{background:#8882;padding:0 .3em}"
)
_ELEMENTS = {
    "video": '<video controls autoplay muted loop src="{}"></video>',
    "image": '<img alt="result" src="{}">',
    "audio": '<audio controls src="{}"></audio>',
}


def task_page(shot: Snapshot, link: str) -> str:
    """HTML without anything from elsewhere; reloads itself until the task has ended.

    :param shot: the task now.
    :param link: a fresh link to its last result, shown only when it has succeeded.
    """
    task = shot.task
    reload = "" if shot.status.is_final or shot.removed else '<meta http-equiv="refresh" content="1">'
    money = f"{task.credits:g} credits at most" if shot.cost is None else f"{shot.cost:g} credits charged"
    word = "DELETED" if shot.removed and shot.status is not TaskStatus.CANCELLED else shot.status.value
    result = ""
    if shot.status is TaskStatus.SUCCEEDED and not shot.removed:
        result = _ELEMENTS[task.jobs[-1].kind].format(escape(link))
    elif shot.status is TaskStatus.FAILED:
        result = (
            f"<p>{escape(task.plan.failure or '')} <code>{escape(task.plan.failure_code or '')}</code></p>"
        )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">{reload}<title>{word}</title>'
        f"<style>{_STYLE}</style></head><body><h1>{word}</h1>"
        f'<progress max="1" value="{shot.progress}"></progress>'
        f"<p><code>{task.id}</code> {escape(task.gateway)} {escape(task.route)} "
        f"{escape(task.model)}, {money}</p>{result}</body></html>"
    )
