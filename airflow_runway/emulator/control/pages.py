"""The pages that a person sees in a browser: all tasks, and one. HTML without anything from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

from airflow_runway.core.models import TaskStatus
from airflow_runway.emulator.dialects.runway import iso

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_runway.emulator.world.job import Job
    from airflow_runway.emulator.world.task import Snapshot

#: Tasks of the list: more make a page that nobody reads.
MOST_LISTED: Final = 200
_STYLE = (
    ":root{color-scheme:light dark}"
    "body{font:16px/1.5 system-ui,sans-serif;max-width:75rem;margin:2rem auto;padding:0 1rem}"
    "video,img{max-width:100%;border-radius:8px}progress{width:100%}"
    "code{background:#8882;padding:0 .3em;overflow-wrap:anywhere}"
    "table{border-collapse:collapse;width:100%}th,td{padding:.4em .6em;text-align:left;border-bottom:1px solid #8884;"
    "vertical-align:top}td img,td video{height:54px;width:96px;object-fit:cover;border-radius:4px}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2em 1em}dd{margin:0;overflow-wrap:anywhere}"
    ".scroll{overflow-x:auto}"
)
_RESULTS = {
    "video": '<video controls autoplay muted loop src="{}"></video>',
    "image": '<img alt="result" src="{}">',
    "audio": '<audio controls src="{}"></audio>',
}


def task_page(snapshot: Snapshot, links: Sequence[str]) -> str:
    """One task: what was asked for, and what came of it. Reloads itself until the task has ended.

    :param snapshot: the task now.
    :param links: fresh links to its results, as many as there are by now.
    """
    task = snapshot.task
    job = task.job
    facts = [
        ("Prompt", escape(job.text) or "none"),
        ("Route", f"{escape(task.gateway)} <code>{escape(task.route)}</code>"),
        ("Model", escape(task.model)),
        ("Asked for", _asked(job)),
        ("Credits", _money(snapshot)),
        ("Created", iso(task.created_at)),
        ("Read", f"{task.reads} times"),
        ("Id", f"<code>{task.id}</code>"),
    ]
    told = "".join(f"<dt>{name}</dt><dd>{value}</dd>" for name, value in facts)
    parts = [
        '<p><a href="/_emulator/tasks">All tasks</a></p>',
        f"<h1>{snapshot.word}</h1>",
        f'<progress max="1" value="{snapshot.progress}"></progress>',
        f"<dl>{told}</dl>",
    ]
    if links:
        made = "".join(
            f"<p>{_RESULTS[one.kind].format(escape(link))}</p>"
            for one, link in zip(task.jobs, links, strict=False)
        )
        parts.append(f"<h2>Result</h2>{made}")
    elif snapshot.status is TaskStatus.FAILED:
        failure, code = task.lifecycle.failure or "", task.lifecycle.failure_code or ""
        parts.append(f"<p>{escape(failure)} <code>{escape(code)}</code></p>")
    shown = _input(job, task.id)
    if shown:
        parts.append(f"<h2>Input</h2>{shown}")
    return _page(snapshot.word, "".join(parts), reloads=not _has_ended(snapshot))


def task_list_page(snapshots: Sequence[Snapshot], total: int, charged: float) -> str:
    """The last tasks, newest first. Reloads itself while one of them runs.

    :param snapshots: what to list.
    :param total: how many there are.
    :param charged: credits of all of them, after refunds.
    """
    rows = "".join(_row(one) for one in snapshots)
    more = f", the last {len(snapshots)} of them here" if total > len(snapshots) else ""
    body = (
        f"<h1>Runway emulator</h1><p>{total} tasks{more}; {charged:g} credits. As JSON: "
        '<a href="/_emulator/ledger">ledger</a>, <a href="/_emulator/requests">requests</a>, '
        '<a href="/_emulator/callbacks">callbacks</a>, <a href="/_emulator/settings">settings</a>, '
        '<a href="/_emulator/faults">faults</a>.</p>'
        "<div class=scroll><table><thead><tr><th>State<th>Prompt<th>Input<th>Route and model<th>Credits<th>Created"
        f"</tr></thead><tbody>{rows}</tbody></table></div>"
    )
    return _page("Runway emulator", body, reloads=not all(_has_ended(one) for one in snapshots))


def _row(snapshot: Snapshot) -> str:
    task = snapshot.task
    job = task.job
    state = snapshot.word + (
        f" {snapshot.progress:.0%}" if snapshot.status is TaskStatus.RUNNING and not snapshot.removed else ""
    )
    prompt = escape(job.text[:200]) or "(none)"
    return (
        f'<tr><td><a href="/_emulator/tasks/{task.id}">{state}</a><td>{prompt}'
        f"<td>{_input(job, task.id)}<td>{escape(task.gateway)} {escape(task.route)}<br>{escape(task.model)}, "
        f"{_asked(job)}<td>{_money(snapshot)}<td>{iso(task.created_at)}</tr>"
    )


def _input(job: Job, runway_task_id: str) -> str:
    address = f"/_emulator/tasks/{runway_task_id}/input"
    if job.picture is not None:
        return f'<a href="{address}"><img alt="input" loading="lazy" src="{address}"></a>'
    if job.video is not None:
        return f'<video controls muted preload="metadata" src="{address}"></video>'
    return ""


def _asked(job: Job) -> str:
    length = "" if job.kind == "image" else f", {job.seconds:g} s"
    size = "" if job.kind == "audio" else f" {job.size[0]} x {job.size[1]}"
    return f"{job.kind}{size}{length}"


def _money(snapshot: Snapshot) -> str:
    cost = snapshot.cost
    return f"{snapshot.task.credits:g} at most" if cost is None else f"{cost:g} charged"


def _has_ended(snapshot: Snapshot) -> bool:
    return snapshot.status.is_final or snapshot.removed


def _page(title: str, body: str, *, reloads: bool) -> str:
    reload = '<meta http-equiv="refresh" content="1">' if reloads else ""
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width">{reload}<title>{title}</title>'
    return (
        f'<!doctype html><html lang="en"><head>{head}<style>{_STYLE}</style></head><body>{body}</body></html>'
    )
