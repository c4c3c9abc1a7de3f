"""Where the outputs of a task instance lie, as far as Airflow itself says so.

A place is believed only if it was rendered or recorded for that very task instance, or is below a prefix of
``[runway] gallery_from``. What stands in XCom, or in a manifest, never is: both can be edited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.facts import CoreError
from airflow_runway.core.gallery.records import ID_KEY, RESULT_KEY, TaskRecord, ids_in
from airflow_runway.core.saving.naming import DEFAULT_PATTERN, FileName

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Key in the task state store under which a task notes where it saves.
NOTE_KEY: Final = "runway_saved"
#: Ids that a note holds at most; an entry of the store may have 65,535 bytes.
MOST_IDS: Final = 1000
#: What Airflow writes in the place of a field that is longer than it keeps.
_TRUNCATED: Final = "Truncated."


@dataclass(frozen=True, slots=True)
class Landing:
    """Where a task saves, and what."""

    #: A folder, as ``ObjectStoragePath`` takes it.
    destination: str
    file_name: FileName
    #: Generations that it saves, as far as known.
    ids: tuple[str, ...]


def note_of(destination: str, file_name: str, runway_task_ids: Sequence[str]) -> dict[str, Any]:
    """What a task notes of where it saves, as plain JSON values.

    :param destination: the folder.
    :param file_name: the pattern.
    :param runway_task_ids: the generations.
    """
    return {
        "version": 1,
        "destination": destination,
        "file_name": file_name,
        "ids": list(runway_task_ids)[:MOST_IDS],
    }


def landing_of(record: TaskRecord) -> Landing | None:
    """Where a task instance saves; ``None`` if it does not, or if Airflow does not say so any more.

    :param record: of the task instance.
    """
    for source in (record.notes.get(NOTE_KEY), record.rendered):
        if isinstance(source, Mapping) and (landing := _landing(source, record)) is not None:
            return landing
    return None


def _landing(source: Mapping[str, Any], record: TaskRecord) -> Landing | None:
    destination, pattern = source.get("destination"), source.get("file_name") or DEFAULT_PATTERN
    if not isinstance(destination, str) or not destination or destination.startswith(_TRUNCATED):
        return None
    file_name = _file_name(pattern)
    if file_name is None:
        return None
    rendered = record.rendered or {}
    ids = ids_in(source.get("ids")) or ids_in(rendered.get(ID_KEY)) or ids_in(record.xcoms.get(RESULT_KEY))
    return Landing(destination, file_name, ids)


def _file_name(pattern: object) -> FileName | None:
    return _parsed(pattern) if isinstance(pattern, str) else None


@lru_cache(256)
def _parsed(pattern: str) -> FileName | None:
    """A thousand mapped tasks have one pattern, or a few."""
    try:
        return FileName.parse(pattern)
    except CoreError:
        return None


def saves(record: TaskRecord) -> bool:
    """Whether a task instance saves outputs, or did.

    :param record: of the task instance.
    """
    return (
        NOTE_KEY in record.notes
        or bool((record.rendered or {}).get("destination"))
        or record.operator == "RunwayToObjectStorageOperator"
    )


def hints_of(record: TaskRecord) -> dict[str, str]:
    """Where XCom says that the first file of each generation lies: to be looked for below ``gallery_from`` only.

    :param record: of the task instance.
    """
    result = record.xcoms.get(RESULT_KEY)
    found = {}
    for manifest in result if isinstance(result, list) else [result]:
        files = manifest.get("files") if isinstance(manifest, Mapping) else None
        first = files[0] if isinstance(files, list) and files else None
        path = first.get("path") if isinstance(first, Mapping) else None
        for runway_task_id in ids_in(manifest) if isinstance(path, str) else ():
            found[runway_task_id] = str(path)
    return found
