"""What a batch tells of itself at its end: one line per item, and a summary."""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, NotRequired, TypedDict

if TYPE_CHECKING:
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
