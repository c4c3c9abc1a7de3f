"""Which files a page may show for a generation: those of its manifest, where that was written for this very Dag.

A file is named by a folder that is believed (:mod:`airflow_runway.core.gallery.landing`) and a name below it. Where a
task's own folder is known, names are made anew of its pattern, so that an edited manifest can name no other file.
Where Airflow no longer knows the folder, its own paths count, below ``[runway] gallery_from`` only, and only
if it says that it was written by this very task instance.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from airflow_runway.core.facts import CoreError
from airflow_runway.core.gallery.landing import hints_of, landing_of
from airflow_runway.core.media.places import Place, place_of
from airflow_runway.core.media.types import EXTENSIONS
from airflow_runway.core.saving.manifest import VERSION, FileEntry, Manifest

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from airflow_runway.core.gallery.landing import Landing
    from airflow_runway.core.gallery.records import TaskRecord

#: Where a kind of picture stands in an entry, and in a file's name.
STILLS: Final = {"poster": "poster", "contact_sheet": "sheet"}
_MOST_FILES: Final = 100


@dataclass(frozen=True, slots=True)
class SavedFile:
    """A file that may be served."""

    #: A folder that is believed, as ``ObjectStoragePath`` takes it.
    folder: str
    #: Relative to it.
    name: str

    @property
    def path(self) -> str:
        """For people."""
        return f"{self.folder.rstrip('/')}/{self.name}"


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where the manifest of a generation is looked for, and what may be believed of it."""

    #: The first that is there counts.
    manifests: tuple[SavedFile, ...]
    #: ``None`` where only ``gallery_from`` leads there.
    landing: Landing | None


def shelf_of(record: TaskRecord, runway_task_id: str, prefixes: Sequence[Place]) -> Shelf | None:
    """Where the manifest of a generation may lie; ``None`` where nothing says so that may be believed.

    :param record: of the task instance that saved it.
    :param runway_task_id: the generation.
    :param prefixes: of ``[runway] gallery_from``.
    """
    landing = landing_of(record)
    try:
        if landing is not None:
            name = landing.file_name.manifest(runway_task_id)
            return Shelf((SavedFile(landing.destination, name),), landing)
    except CoreError:
        return None
    hint = hints_of(record).get(runway_task_id, "")
    first = _below(hint, prefixes)
    if first is None:
        return None
    return Shelf(
        tuple(SavedFile(first.folder, name) for name in _manifests(first.name, runway_task_id)), None
    )


def _below(path: str, prefixes: Sequence[Place]) -> SavedFile | None:
    place = place_of(path) if path else None
    for prefix in prefixes if place is not None else ():
        assert place is not None  # noqa: S101 - for the type checker
        if (
            place.is_below(prefix)
            and place.path.strip("/")
            and prefix.path.strip("/") != place.path.strip("/")
        ):
            # A prefix may leave the bucket open.
            folder = f"{place.scheme}://{place.authority}" if place.scheme else "file://"
            rest = place.path.removeprefix(prefix.path.rstrip("/")).lstrip("/")
            return SavedFile(f"{folder}{prefix.path}" if prefix.path else folder, rest)
    return None


def _manifests(name: str, runway_task_id: str) -> list[str]:
    """What a manifest may be called beside a file of index 0, whose pattern is not known."""
    folder, _, last = name.rpartition("/")
    stem = re.sub(r"0+$", "", last.rpartition(".")[0]).strip("-_. ")
    names = dict.fromkeys(filter(None, (stem, re.sub(r"[^A-Za-z0-9_-]", "_", runway_task_id))))
    return [f"{folder}/".lstrip("/") + f"{one}.manifest.json" for one in names]


def manifest_in(
    document: object, record: TaskRecord, runway_task_id: str, shelf: Shelf, ids: Collection[str]
) -> Manifest | str:
    """What was read, if that is a manifest which may be shown for this task instance; else why not, a sentence.

    :param document: JSON that was read.
    :param record: of the task instance.
    :param runway_task_id: the generation.
    :param shelf: where it was looked for.
    :param ids: generations that Airflow itself names for this task instance.
    """
    if not isinstance(document, Mapping) or document.get("manifest_version") != VERSION:
        return "Its manifest cannot be read: it is none, or of another version."
    files, error = document.get("files"), document.get("error")
    if document.get("runway_task_id") != runway_task_id or not isinstance(files, list):
        return "Its manifest was edited: it is another generation's."
    if not (error is None or isinstance(error, Mapping)) or not all(map(_is_entry, files[:_MOST_FILES])):
        return "Its manifest was edited: it can no longer be read."
    owner = document.get("owner")
    if isinstance(owner, Mapping) and owner.get("dag_id") != record.dag_id:
        return "It was saved by another Dag's task, and is shown there."
    is_own = isinstance(owner, Mapping) and _is_of(owner, record)
    if not is_own and (shelf.landing is None or runway_task_id not in ids):
        return "Its manifest was written by another task instance, and is shown there."
    return cast("Manifest", {**document, "files": files[:_MOST_FILES]})


def _is_entry(entry: object) -> bool:
    return (
        isinstance(entry, Mapping)
        and type(entry.get("index")) is int
        and type(entry.get("path")) is str
        and type(entry.get("bytes")) is int
        and entry.get("media_type") in EXTENSIONS
    )


def _is_of(owner: Mapping[str, Any], record: TaskRecord) -> bool:
    index = owner.get("map_index")
    own = (owner.get("run_id"), owner.get("task_id"), -1 if index is None else index)
    return own == (record.run_id, record.task_id, record.map_index)


def file_of(
    manifest: Manifest, entry: FileEntry, kind: str, shelf: Shelf, prefixes: Sequence[Place]
) -> SavedFile | None:
    """A file that a manifest names; ``None`` if it does not, or may not.

    :param manifest: of :func:`manifest_in`.
    :param entry: one of its files.
    :param kind: ``output``, ``poster`` or ``contact_sheet``.
    :param shelf: where the manifest was looked for.
    :param prefixes: of ``[runway] gallery_from``.
    """
    path = entry["path"] if kind == "output" else entry.get(kind)
    if not isinstance(path, str) or not path:
        return None
    if shelf.landing is None:
        found = _below(path, prefixes)
        is_media = path.endswith((EXTENSIONS[entry["media_type"]], ".jpg"))
        return found if is_media else None
    names, runway_task_id, index = shelf.landing.file_name, manifest["runway_task_id"], entry["index"]
    try:
        if kind == "output":
            name = names.name(runway_task_id, index, entry["media_type"])
        else:
            name = names.still(runway_task_id, index, STILLS[kind])
    except CoreError:
        return None
    return SavedFile(shelf.landing.destination, name)
