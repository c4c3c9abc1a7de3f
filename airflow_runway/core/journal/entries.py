"""The journal of one task instance as files of a folder: one per change, none ever rewritten. Pure.

A file's name is a number and a word, e.g. ``0002-submitted.json``; what it holds is one submission as it is from then
on. Intents are created exclusively, each under the number after the highest that its writer has seen, so that of two
workers that saw the same, one submits. A file of the other words takes the next number that is free: two workers may
both have something to say about what was sent.

==========  ============================================================
word        the submission ...
==========  ============================================================
intent      is about to be sent; the task stands for it from now on
named       was answered by an error that holds an id
submitted   was accepted
closed      has ended, or somebody else waits for it
forgotten   was provably not accepted: it counts no longer
taken-up    of an earlier time is what the task stands for again
==========  ============================================================

A submission is known by the moment of its POST and its request's fingerprint, which never change.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, astuple, dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.journal.history import History
from airflow_runway.core.journal.record import Phase, Record, read_one

if TYPE_CHECKING:
    from collections.abc import Iterable

VERSION: Final = 1
_NAME = re.compile(r"(\d{4,9})-([a-z-]+)\.json")


class Word(StrEnum):
    """What a file says of its submission: the table of this module."""

    INTENT = "intent"
    NAMED = "named"
    SUBMITTED = "submitted"
    CLOSED = "closed"
    FORGOTTEN = "forgotten"
    TAKEN_UP = "taken-up"


@dataclass(frozen=True, slots=True)
class TaskKey:
    """A task instance, by Airflow's names for it."""

    dag_id: str
    run_id: str
    task_id: str
    #: ``None`` where the task is not mapped.
    map_index: int | None = None

    def words(self) -> list[str]:
        """The words by which ``airflow-runway recover`` is told of it."""
        index = [] if self.map_index is None else ["--map-index", str(self.map_index)]
        return ["--dag", self.dag_id, "--run", self.run_id, "--task", self.task_id, *index]


@dataclass(frozen=True, slots=True)
class Change:
    """What a file is to say."""

    word: Word
    record: Record
    #: Whether the task stands for this submission from then on.
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the folder."""

    number: int
    change: Change


def file_name(number: int, word: Word) -> str:
    """The name of a file.

    :param number: from 1.
    :param word: what it says.
    """
    return f"{number:04d}-{word}.json"


def number_in(name: str) -> int | None:
    """The number of a file; ``None`` if it is none of a journal.

    :param name: without its folder.
    """
    found = _NAME.fullmatch(name)
    return int(found[1]) if found and found[2] in set(Word) else None


def as_json(change: Change, task: TaskKey, *, owner: str, now: float, by: str = "") -> dict[str, Any]:
    """A file's content, as plain JSON values.

    :param change: what it says.
    :param task: whose submission it is; a folder's name may not tell.
    :param owner: random text of whoever writes it.
    :param now: wall clock, seconds since the epoch.
    :param by: the person who decided it; empty where a task did.
    """
    return {
        **({"by": by} if by else {}),
        "version": VERSION,
        "word": change.word.value,
        "task": asdict(task),
        "owner": owner,
        "written_at": now,
        "is_current": change.is_current,
        "record": change.record.as_json(),
    }


def task_in(value: Any) -> TaskKey:
    """The task instance in a file's content.

    :param value: what :func:`as_json` gave.
    :raises ValueError: it is no entry.
    """
    try:
        task = value["task"]
        key = TaskKey(task["dag_id"], task["run_id"], task["task_id"], task["map_index"])
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("it is no entry of a journal") from error
    names = (key.dag_id, key.run_id, key.task_id)
    is_index = key.map_index is None or (
        isinstance(key.map_index, int) and not isinstance(key.map_index, bool)
    )
    if not is_index or not all(isinstance(name, str) for name in names):
        raise ValueError("it is no entry of a journal")
    return key


def read_entry(number: int, value: Any) -> Entry:
    """The entry in a file's content.

    :param number: out of its name.
    :param value: what :func:`as_json` gave.
    :raises ValueError: it is none, or one of a later version.
    """
    try:
        if value["version"] != VERSION:
            raise ValueError("it is of a later version")
        change = Change(Word(value["word"]), read_one(value["record"]), is_current=bool(value["is_current"]))
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("it is no entry of a journal") from error
    return Entry(number, change)


def history_of(entries: Iterable[Entry]) -> History:
    """All that the files say, in the order of their numbers.

    :param entries: in any order.
    """
    records: dict[tuple[float, str], Record] = {}
    stood_for: list[tuple[float, str]] = []
    # Of two that were written at once, the one that knows of an acceptance counts.
    order = sorted(Word, key=lambda word: word is not Word.FORGOTTEN)
    for entry in sorted(entries, key=lambda one: (one.number, order.index(one.change.word))):
        record = entry.change.record
        if entry.change.word is Word.FORGOTTEN:
            records.pop(_identity(record), None)
            continue
        records[_identity(record)] = record
        if entry.change.is_current:
            stood_for.append(_identity(record))
    current = next((one for one in reversed(stood_for) if one in records), None)
    earlier = tuple(record for one, record in records.items() if one != current)
    return History(records[current] if current else None, earlier)


def changes(before: History, after: History) -> list[Change]:
    """What has to be written down so that the files say what is known now.

    That a generation was handed over and is waited for elsewhere ("returned") is not: it would cost a write, and
    nothing follows from it.

    :param before: what they say.
    :param after: what is known now.
    """
    known = {_identity(record): record for record in before.newest_first()}
    now = {_identity(record) for record in after.newest_first()}
    if before.current is not None and _identity(before.current) not in now:
        return [Change(Word.FORGOTTEN, before.current)]
    found = []
    for record in reversed(list(after.newest_first())):
        was = known.get(_identity(record))
        is_current = record is after.current and (
            before.current is None or _identity(record) != _identity(before.current)
        )
        if is_current or (record != was and not _was_only_returned(was, record)):
            found.append(Change(_word_for(was, record, is_current=is_current), record, is_current))
    return found


def claimant(task: TaskKey, record: Record) -> str:
    """The name under which a submission claims a generation: the same in each of its tries.

    :param task: whose submission it is.
    :param record: of the submission.
    """
    return json.dumps([*astuple(task), *_identity(record)])


def _identity(record: Record) -> tuple[float, str]:
    return record.sent_at, record.fingerprint


def _was_only_returned(was: Record | None, record: Record) -> bool:
    return (
        was is not None
        and record.outcome == "returned"
        and record == replace(was, phase=Phase.CLOSED, outcome="returned")
    )


def _word_for(was: Record | None, record: Record, *, is_current: bool) -> Word:
    if was is not None and is_current:
        return Word.TAKEN_UP
    if record.phase is Phase.INTENT:
        return Word.NAMED if was is not None else Word.INTENT
    return Word.SUBMITTED if record.phase is Phase.SUBMITTED else Word.CLOSED
