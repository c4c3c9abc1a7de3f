"""What a batch tells of itself at its end: one line per item, and a summary."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
    from airflow_runway.core.journal.item import Item
    from airflow_runway.core.owner import Owner, OwnerFacts
    from airflow_runway.core.saving.manifest import FileEntry


class BatchLine(TypedDict):
    """One item in the batch's manifest."""

    #: Its place in the list as it was pinned, from 0.
    index: int
    #: A word of :class:`~airflow_runway.core.journal.item.State`, or ``not_submitted``.
    state: str
    runway_task_id: str | None
    #: What its last generation was charged; ``None`` where the gateway does not tell.
    cost_credits: float | None
    #: All that the item is known to have cost: charges, else estimates, earlier generations included.
    credits: float
    note: str | None
    #: Whether another try of the same thing may do better.
    may_pass: bool
    files: list[FileEntry]
    #: Whose generation it is, and of what kind; the model where the list, as it is now, still names one.
    gateway: str
    route: str
    model: str | None
    owner: OwnerFacts | None
    #: When its last request was sent, UTC, ISO 8601; ``None`` if none ever was.
    sent_at: str | None
    #: The most that its last generation may cost; ``None`` where the gateway does not tell.
    estimated_credits: float | None
    #: What is known of its generations before that one: ids (the last few), what they cost together, as in
    #: ``credits``, and how many answers were lost, each of which may have been charged.
    earlier_ids: list[str]
    earlier_credits: float
    earlier_lost_answers: int


class BatchSummary(TypedDict):
    """What the operator returns. All numbers but the first and the credits add up to the first."""

    total: int
    succeeded: int
    failed: int
    moderated: int
    lost_answers: int
    unfinished: int
    not_submitted: int
    #: All that the task is known to have cost, over all its tries: that of the lines, and ``credits_off_list``.
    credits: float
    #: Where the manifest lies; ``None`` if there is none.
    manifest: str | None
    #: Only if there are any: credits of requests that have left the list.
    credits_off_list: NotRequired[float]
    #: Only without a manifest: in the order of the list, ``None`` for what did not succeed.
    runway_task_ids: NotRequired[list[str | None]]


def others_in(summary: BatchSummary) -> list[str]:
    """What became of the items that did not succeed: counts in words, without those that are 0.

    :param summary: of the batch.
    """
    names = ("failed", "moderated", "lost_answers", "unfinished", "not_submitted")
    return [f"{summary[name]} {name.replace('_', ' ')}" for name in names if summary[name]]  # type: ignore[literal-required]


@dataclass(frozen=True, slots=True)
class Fate:
    """What is to be said of an item besides what is recorded of it."""

    #: See :class:`BatchLine`.
    state: str
    note: str | None
    may_pass: bool
    files: list[FileEntry]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a batch's generations come from."""

    gateway: str
    route: str
    owner: Owner | None


def line_of(place: int, item: Item | None, fate: Fate, origin: Origin, model: str) -> BatchLine:
    """One item in the batch's manifest.

    :param place: in the list as it was pinned, from 0.
    :param item: what is recorded of it; ``None`` if nothing is.
    :param fate: what became of it.
    :param origin: of the batch.
    :param model: that its body names; may be empty.
    """
    sent_at = item.sent_at if item else 0.0
    return {
        "index": place,
        "state": fate.state,
        "runway_task_id": item.runway_task_id or None if item else None,
        "cost_credits": item.charged if item else None,
        "credits": item.credits if item else 0.0,
        "note": fate.note or None,
        "may_pass": fate.may_pass,
        "files": fate.files,
        "gateway": origin.gateway,
        "route": origin.route,
        "model": model or None,
        "owner": origin.owner.as_json() if origin.owner else None,
        "sent_at": datetime.fromtimestamp(sent_at, UTC).isoformat(timespec="seconds") if sent_at else None,
        "estimated_credits": item.estimated if item else None,
        "earlier_ids": list(item.previous) if item else [],
        "earlier_credits": item.spent if item else 0.0,
        "earlier_lost_answers": item.lost if item else 0,
    }


#: What does not go into a name as it is: what object stores and file systems may not take, and our own separator.
_ODD = re.compile(r"[^A-Za-z0-9_-]+")
#: Characters of each part that are kept.
_PART_LENGTH = 80


def own_name(dag_id: str, task_id: str, run_id: str, map_index: int | None) -> str:
    """The name of a batch's manifest: different for any two tasks, also where their ids differ in odd characters.

    :param dag_id: of the Dag.
    :param task_id: of the task, its groups included.
    :param run_id: of the Dag run.
    :param map_index: of a mapped task; ``None`` or below 0 = not mapped.
    """
    parts = [dag_id, task_id, run_id]
    if map_index is not None and map_index >= 0:
        parts.append(str(map_index))
    clean = [_ODD.sub("_", part)[:_PART_LENGTH] for part in parts]
    if clean != parts:
        clean.append(f"d-{hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:10]}")
    return ".".join(clean) + ".manifest.jsonl"
