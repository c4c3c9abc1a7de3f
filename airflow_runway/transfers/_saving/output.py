"""One output's way from its link to its entry in the manifest."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from airflow_runway._probing.prober import UnmeasuredError
from airflow_runway.core.saving.manifest import Measures, file_entry
from airflow_runway.exceptions import RunwayTransferError, runway_errors
from airflow_runway.transfers._saving.download import AlreadyThereError, Download, media_type_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_runway._probing.prober import Prober, Stills
    from airflow_runway.core.models import RunwayTask
    from airflow_runway.core.saving.manifest import FileEntry, StillPaths
    from airflow_runway.core.saving.naming import FileName
    from airflow_runway.core.saving.promises import Promise
    from airflow_runway.telemetry import Log
    from airflow_runway.transfers._saving.destination import Destination
    from airflow_runway.transfers._saving.fetching import Fetcher
    from airflow_runway.transfers._saving.file_writer import FileWriter


@dataclass(frozen=True, slots=True)
class OutputJob:
    """One output, and all that it takes to save it."""

    runway_task_id: str
    #: Which of the generation's outputs, from 0.
    index: int
    destination: Destination
    file_name: FileName
    #: Not used by another thread at the same time.
    fetcher: Fetcher
    #: Gives the generation: its last reading, or a new one if told that the last one's link is dead.
    read: Callable[[bool], RunwayTask | None]
    #: Waits before another try; see :class:`~airflow_runway.transfers._saving.download.Download`.
    wait: Callable[[int], None]
    #: A larger file is refused.
    max_bytes: int
    #: Finds out width, height and duration, and makes poster and contact sheet.
    prober: Prober
    #: Of a clip's contact sheet; 0 = a poster only, ``None`` = neither.
    contact_sheet_frames: int | None
    log: Log


@runway_errors()
def save_output(job: OutputJob) -> FileEntry:
    """Save an output, unless storage holds it already.

    :param job: which, and how.
    :returns: its entry in the manifest.
    :raises RunwayTransferError: it did not come whole, or could not be stored; a retry may do better.
    :raises RunwayTransferRefusedError: it is nothing that may be saved.
    :raises RunwayConfigurationError: ``file_name`` gives no safe name for it.
    """
    return _Output(job).save()


class _Output:
    """What is found out about an output on its way."""

    def __init__(self, job: OutputJob) -> None:
        self._job = job
        self._what = f"Output {job.index} of Runway task {job.runway_task_id}"
        # Known once the first bytes have come.
        self._name = self._media_type = ""

    def save(self) -> FileEntry:
        job = self._job
        size, sha256 = Download(
            self._what, job.fetcher, self._link, self._open, max_bytes=job.max_bytes, wait=job.wait
        ).run()
        path = str(job.destination.path(self._name))
        job.log.info("%s: %s, %d bytes.", self._what, path, size)
        return file_entry(
            job.index, path, size, sha256, self._media_type, self._measures(size), self._stills(size)
        )

    def _stills(self, size: int) -> StillPaths:
        if self._job.contact_sheet_frames is None:
            return {}
        with self._read_again("a poster") as file:
            stills = self._job.prober.stills(file, size, self._media_type, self._job.contact_sheet_frames)
            return {} if stills is None else self._stored(stills)
        return {}

    def _stored(self, stills: Stills) -> StillPaths:
        pictures = {"poster": stills.poster, "sheet": stills.contact_sheet}
        paths: dict[str, str] = {}
        for kind, content in pictures.items():
            if content is not None:
                name = self._job.file_name.still(self._job.runway_task_id, self._job.index, kind)
                self._job.destination.write(name, content, "image/jpeg")
                paths[kind] = str(self._job.destination.path(name))
        return {"poster": paths.get("poster"), "contact_sheet": paths.get("sheet")}

    def _measures(self, size: int) -> Measures:
        with self._read_again("width and duration") as file:
            return self._job.prober.measure(file, size, self._media_type)
        return {}

    @contextlib.contextmanager
    def _read_again(self, without: str) -> Iterator[IO[bytes]]:
        """What was saved, to be looked into. A file of which that fails is none the worse for it."""
        why: object
        try:
            with self._job.destination.reading(self._name) as file:
                yield file
            return
        except UnmeasuredError as unmeasured:
            why = unmeasured
        except Exception as error:
            why = f"it could not be read again ({type(error).__name__})"
        self._job.log.warning("%s is saved without %s: %s.", self._what, without, why)

    def _link(self, dead: bool) -> str:
        task = self._job.read(dead)
        if task is None or self._job.index >= len(task.output):
            raise RunwayTransferError(f"{self._what} is no longer shown by the gateway. A retry looks again.")
        return task.output[self._job.index]

    def _open(self, head: bytes, promise: Promise) -> FileWriter:
        job = self._job
        self._media_type = media_type_of(head, self._what)
        self._name = job.file_name.name(job.runway_task_id, job.index, self._media_type)
        if (digest := self._stored_digest(head, promise)) is not None:
            job.log.info("%s is saved already: it is not downloaded again.", self._what)
            raise AlreadyThereError(promise.size or 0, digest)
        stem = job.file_name.stem(job.runway_task_id, job.index)
        return job.destination.open(self._name, stem, self._media_type)

    def _stored_digest(self, head: bytes, promise: Promise) -> str | None:
        """The digest of a stored file that is this very output, saved by an earlier try that was killed."""
        destination = self._job.destination
        if promise.size is None or destination.size(self._name) != promise.size:
            return None
        # Under a name that only this output can have, size and beginning are enough: files appear whole.
        has_own_name = "runway_task_id" in self._job.file_name.fields
        if (promise.sha256 is None and not has_own_name) or not destination.begins_with(self._name, head):
            return None
        digest = destination.sha256(self._name)
        return digest if promise.sha256 in (None, bytes.fromhex(digest)) else None
