"""The generations of a run, put together from what its task instances know: who made, watched and saved each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.gallery.batches import BATCH_KEY, batch_of
from airflow_runway.core.gallery.landing import Landing, hints_of, landing_of, saves
from airflow_runway.core.gallery.records import ID_KEY, TaskRecord, ids_in
from airflow_runway.core.journal.item import Item
from airflow_runway.core.journal.item import State as ItemState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence


class Shown(StrEnum):
    """In which state a page shows a generation."""

    WAITING = "waiting"
    RUNNING = "running"
    #: It is there, at the gateway, and nobody has saved it.
    MADE = "made"
    SAVED = "saved"
    FAILED = "failed"
    MODERATED = "moderated"
    #: Paid for, perhaps, and not to be had: a lost answer, or deleted before it was saved.
    LOST = "lost"


#: Airflow's words for a task instance, and what they say of its generation.
_UNDER_WAY: Final = frozenset({"running", "deferred", "up_for_reschedule", "restarting", "awaiting_input"})
_TO_COME: Final = frozenset({"", "scheduled", "queued", "up_for_retry"})
_OUT: Final = frozenset({"skipped", "removed"})
_NEVER: Final = _OUT | {"upstream_failed"}
#: The class of an operator that has generations to do with, and none of its own.
_REVIEW: Final = "RunwayReviewOperator"

_OF_ITEMS: Final = {
    ItemState.INTENT: Shown.LOST,
    ItemState.POSTPONED: Shown.WAITING,
    ItemState.RUNNING: Shown.RUNNING,
    ItemState.SUCCEEDED: Shown.MADE,
    ItemState.UNSAVED: Shown.MADE,
    ItemState.GONE: Shown.LOST,
    ItemState.MODERATED: Shown.MODERATED,
    ItemState.FAILED: Shown.FAILED,
}


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation, as far as a run knows it."""

    #: Empty where none is known (yet).
    runway_task_id: str
    shown: Shown
    #: The task instance that it belongs to on the page: its maker, where that is of this run.
    task: TaskRecord
    #: Who saves it; ``None`` = nobody of this run.
    saver: TaskRecord | None = None
    landing: Landing | None = None
    #: In a batch.
    item: Item | None = None
    number: int | None = None
    #: Why it is not there, in our words.
    note: str = ""

    @property
    def label(self) -> str:
        """What a person calls it; may be empty."""
        if self.item is not None:
            return self.item.label or (f"item {self.number}" if self.number is not None else "")
        if self.task.label:
            return self.task.label
        return f"[{self.task.map_index}]" if self.task.map_index >= 0 else ""


def generations_of(records: Iterable[TaskRecord]) -> list[Generation]:
    """All generations of a run, in the order of its tasks, their indexes, and their items.

    :param records: its task instances; those that are not ours are passed over.
    """
    ours = [record for record in records if record.is_ours]
    savers, watchers = _by_id(ours, _saved_by), _by_id(ours, watched_by)
    found: dict[str, Generation] = {}
    nameless = []
    for record in sorted(ours, key=_order(ours)):
        for one in _generations(record, savers, watchers):
            if not one.runway_task_id:
                nameless.append(one)
            elif one.runway_task_id not in found:
                found[one.runway_task_id] = one
    order = _order(ours)
    return sorted(
        [*found.values(), *nameless],
        key=lambda one: (*order(one.task), one.number if one.number is not None else -1),
    )


def _order(records: Sequence[TaskRecord]) -> Any:
    """Tasks as they began, makers before those who only save or watch; mapped ones by their index."""
    began: dict[str, str] = {}
    for record in records:
        when = record.started.isoformat() if record.started else "~"
        began[record.task_id] = min(when, began.get(record.task_id, when))
    return lambda record: (
        saves(record) and not _is_batch(record),
        began.get(record.task_id, "~"),
        record.task_id,
        record.map_index,
    )


def _is_batch(record: TaskRecord) -> bool:
    return BATCH_KEY in record.notes or "requests" in (record.rendered or {})


def _watches(record: TaskRecord) -> bool:
    return record.operator == "RunwayTaskSensor" or (
        ID_KEY in (record.rendered or {}) and not saves(record) and not _is_batch(record)
    )


def _saved_by(record: TaskRecord) -> Sequence[str]:
    if _is_batch(record) or not saves(record):
        return ()
    landing = landing_of(record)
    if landing is not None:
        return landing.ids
    return ids_in((record.rendered or {}).get(ID_KEY)) or tuple(hints_of(record))


def watched_by(record: TaskRecord) -> Sequence[str]:
    """The generations that a task instance waits for; none if it is no sensor.

    :param record: of the task instance.
    """
    return ids_in((record.rendered or {}).get(ID_KEY)) if _watches(record) else ()


def _by_id(records: Iterable[TaskRecord], ids: Any) -> dict[str, TaskRecord]:
    return {runway_task_id: record for record in records for runway_task_id in ids(record)}


def _generations(
    record: TaskRecord, savers: Mapping[str, TaskRecord], watchers: Mapping[str, TaskRecord]
) -> Iterator[Generation]:
    if record.operator == _REVIEW:
        return  # it asks about what others have made
    if _is_batch(record):
        yield from _of_batch(record)
    elif saves(record):
        for runway_task_id in _saved_by(record):
            yield _saved(Generation(runway_task_id, Shown.MADE, record), record)
        if not _saved_by(record) and record.state == "failed":
            yield Generation("", Shown.FAILED, record, note="Its log says why.")
    else:
        ids = watched_by(record) or ids_in(record.xcoms.get(ID_KEY))
        if not ids and record.state in _OUT:
            return
        for runway_task_id in ids or ("",):
            yield _made(record, runway_task_id, savers.get(runway_task_id), watchers.get(runway_task_id))


def _made(
    record: TaskRecord, runway_task_id: str, saver: TaskRecord | None, watcher: TaskRecord | None
) -> Generation:
    """A generation as its maker knows it, or, where somebody waits for it, as that one does."""
    knows = watcher or record
    made = Generation(runway_task_id, Shown.RUNNING, record)
    if knows.state in _UNDER_WAY or (knows.state in _TO_COME and runway_task_id):
        return made
    if knows.state in _TO_COME:
        return replace(made, shown=Shown.WAITING)
    if knows.state in _NEVER:
        return replace(made, shown=Shown.WAITING, note=f"Airflow: {knows.state.replace('_', ' ')}.")
    if knows.state != "success":
        return replace(made, shown=Shown.FAILED, note=f"The log of {knows.task_id} says why.")
    made = replace(made, shown=Shown.MADE)
    return _saved(made, saver) if saver is not None else made


def _saved(made: Generation, saver: TaskRecord) -> Generation:
    note = f"Saving failed: the log of {saver.task_id} says why." if saver.state == "failed" else ""
    return replace(
        made,
        shown=Shown.SAVED if saver.state == "success" else Shown.MADE,
        saver=saver,
        landing=landing_of(saver),
        note=note,
    )


def _of_batch(record: TaskRecord) -> Iterator[Generation]:
    landing = landing_of(record)
    batch = batch_of(record.notes)
    for item in batch.items if batch else ():
        shown = _OF_ITEMS[item.state]
        if landing is not None and item.state is ItemState.SUCCEEDED:
            shown = Shown.SAVED
        if item.state is ItemState.INTENT and record.state in _UNDER_WAY and not item.note:
            shown = Shown.RUNNING
        yield Generation(
            item.runway_task_id,
            shown,
            record,
            saver=record if landing else None,
            landing=landing,
            item=item,
            number=item.number if item.number >= 0 else None,
            note=item.note,
        )
