"""The tiles of a page: generations, and what their manifests say of the files that were saved."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.gallery.addresses import file_address, one_file
from airflow_runway.core.gallery.generations import Generation, Shown
from airflow_runway.core.gallery.saved import STILLS, SavedFile, file_of, manifest_in, shelf_of
from airflow_runway.core.redaction import redact
from airflow_runway.plugins._storage import UnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow_runway.core.gallery.records import TaskRecord
    from airflow_runway.core.gallery.saved import Shelf
    from airflow_runway.core.media.places import Place
    from airflow_runway.core.saving.manifest import FileEntry, Manifest
    from airflow_runway.plugins._storage import Storage

#: Manifests that are read at once.
_AT_ONCE: Final = 16
#: Characters of a prompt that a tile shows.
_PROMPT: Final = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What is there of a generation that was saved."""

    manifest: Manifest
    shelf: Shelf


@dataclass(frozen=True, slots=True)
class Output:
    """A file on a tile."""

    entry: FileEntry
    #: Where it lies, for people.
    path: str
    url: str
    #: Empty where there is none.
    poster: str
    sheet: str

    @property
    def kind(self) -> str:
        """``video``, ``image`` or ``audio``."""
        return self.entry["media_type"].partition("/")[0]

    @property
    def facts(self) -> list[str]:
        """Size, measures and bytes, in words."""
        entry: Mapping[str, Any] = self.entry
        size = f"{entry['width']} x {entry['height']}" if entry.get("width") and entry.get("height") else ""
        duration = f"{entry['duration']:g} s" if _is_number(entry.get("duration")) else ""
        fps = f"{entry['fps']:g} fps" if _is_number(entry.get("fps")) else ""
        return [one for one in (size, duration, fps, _bytes(entry["bytes"])) if one]


@dataclass(frozen=True)
class Tile:
    """A generation on a page."""

    generation: Generation
    shown: Shown
    outputs: tuple[Output, ...] = ()
    #: Why there is nothing to see, a sentence.
    trouble: str = ""
    manifest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cost(self) -> float | None:
        """Credits; ``None`` where nobody told."""
        item = self.generation.item
        cost: Any = self.manifest.get("cost_credits") if item is None else item.charged
        return float(cost) if _is_number(cost) else None

    @property
    def estimate(self) -> float | None:
        """The most that it may cost, in credits, while nobody told what it did."""
        item = self.generation.item
        return item.estimated if item is not None and self.cost is None else None

    @cached_property
    def asked(self) -> dict[str, str]:
        """Model, route and prompt, as far as Airflow shows them among the rendered fields."""
        rendered = self.generation.task.rendered or {}
        payload = rendered.get("payload")
        body = payload if isinstance(payload, dict) else {}
        found = {
            "model": self.manifest.get("model") or rendered.get("model") or body.get("model"),
            "route": self.manifest.get("route") or rendered.get("route"),
            "prompt": rendered.get("prompt_text") or body.get("promptText") or body.get("text_prompt"),
        }
        return {
            name: redact(one, limit=_PROMPT) for name, one in found.items() if isinstance(one, str) and one
        }


class Tiles:
    """Makes tiles.

    :param storage: reads manifests.
    :param prefixes: of ``[runway] gallery_from``.
    :param base: the address below which the pages are.
    """

    def __init__(self, storage: Storage, prefixes: Sequence[Place], base: str) -> None:
        self._storage, self._prefixes, self._base = storage, prefixes, base

    def of(self, generations: Sequence[Generation]) -> list[Tile]:
        """A tile for each generation; several manifests are read at once.

        :param generations: of one page.
        """
        if not any(one.saver is not None and _is_remote(one) for one in generations):
            return [self._tile(one) for one in generations]
        with ThreadPoolExecutor(_AT_ONCE, "runway-gallery") as pool:
            return list(pool.map(self._tile, generations))

    def found(self, record: TaskRecord, runway_task_id: str, ids: Iterable[str]) -> Found:
        """The manifest of a generation.

        :param record: of the task instance that saved it.
        :param runway_task_id: the generation.
        :param ids: generations that Airflow itself names for that task instance.
        :raises UnavailableError: it is not there, or not to be shown.
        """
        shelf = shelf_of(record, runway_task_id, self._prefixes)
        if shelf is None:
            raise UnavailableError(
                "Airflow no longer knows where this run saved its files: name the folder in [runway] gallery_from."
            )
        document = self._first(shelf.manifests)
        found = manifest_in(document, record, runway_task_id, shelf, set(ids))
        if isinstance(found, str):
            raise UnavailableError(found)
        return Found(found, shelf)

    def _first(self, files: Sequence[SavedFile]) -> object:
        for number, file in enumerate(files, 1):
            try:
                return self._storage.document(file)
            except UnavailableError:
                if number == len(files):
                    raise
        return None

    def file(self, found: Found, index: int, kind: str) -> SavedFile | None:
        """A file of a generation that may be served.

        :param found: its manifest.
        :param index: which output.
        :param kind: ``output``, ``poster`` or ``contact_sheet``.
        """
        for entry in found.manifest["files"]:
            if entry["index"] == index:
                return file_of(found.manifest, entry, kind, found.shelf, self._prefixes)
        return None

    def _tile(self, generation: Generation) -> Tile:
        saver, trouble = generation.saver, generation.note
        if saver is None or not generation.runway_task_id or generation.shown is not Shown.SAVED:
            return Tile(generation, generation.shown, trouble=trouble)
        try:
            found = self.found(saver, generation.runway_task_id, ids_of(generation))
        except UnavailableError as error:
            return Tile(generation, generation.shown, trouble=str(error))
        manifest: Mapping[str, Any] = found.manifest
        if why := manifest["error"]:
            trouble = redact(why.get("message"), limit=400)
            return Tile(generation, Shown.FAILED, trouble=trouble, manifest=manifest)
        address = self._address(saver, generation.runway_task_id)
        outputs = tuple(
            output
            for entry in found.manifest["files"]
            if (output := self._output(found, entry, address)) is not None
        )
        return Tile(generation, generation.shown, outputs, manifest=manifest)

    def _output(self, found: Found, entry: FileEntry, address: str) -> Output | None:
        file = file_of(found.manifest, entry, "output", found.shelf, self._prefixes)
        if file is None:
            return None
        urls = {
            kind: one_file(address, entry["index"], kind)
            for kind in ("output", *STILLS)
            if kind == "output"
            or (entry.get(kind) and file_of(found.manifest, entry, kind, found.shelf, self._prefixes))
        }
        return Output(entry, file.path, urls["output"], urls.get("poster", ""), urls.get("contact_sheet", ""))

    def _address(self, saver: TaskRecord, runway_task_id: str) -> str:
        """The address of the files of a generation, but for which."""
        return file_address(
            self._base, saver.dag_id, saver.run_id, saver.task_id, saver.map_index, runway_task_id
        )


def ids_of(generation: Generation) -> tuple[str, ...]:
    """Generations that Airflow itself names for the task instance that saves this one.

    :param generation: the generation.
    """
    of_batch = (generation.runway_task_id,) if generation.item is not None else ()
    return (*of_batch, *(generation.landing.ids if generation.landing else ()))


def _is_remote(generation: Generation) -> bool:
    destination = generation.landing.destination if generation.landing else ""
    return "://" in destination and not destination.startswith(("file:", "local:"))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bytes(size: int) -> str:
    if size < 1_000_000:
        return f"{max(1, round(size / 1_000))} kB"
    return f"{size / 1_000_000:.1f} MB"
