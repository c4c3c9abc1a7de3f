"""Saving generations: what each file and each generation goes through, several files at once."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import tenacity

from airflow_runway.core.media.types import EXTENSIONS
from airflow_runway.core.models import TaskStatus
from airflow_runway.core.protocol.errors import unhappy_ending
from airflow_runway.core.saving.manifest import complete_files, file_entry, manifest_of
from airflow_runway.exceptions import RunwayError, RunwayTaskLostError, RunwayTransferError
from airflow_runway.transfers._saving.download import AlreadyThereError, Download, media_type_of
from airflow_runway.transfers._saving.fetching import Fetcher
from airflow_runway.transfers._saving.outcome import Generation
from airflow_runway.transfers._saving.probe import measure

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tenacity.wait import wait_base

    from airflow_runway.core.models import RunwayTask
    from airflow_runway.core.saving.naming import FileName
    from airflow_runway.core.saving.promises import Promise
    from airflow_runway.hooks.runway import RunwayHook
    from airflow_runway.transfers._saving.destination import Destination, StoredFile

#: Tries of a read.
READS: Final = 3


class Saving:
    """Saves generations, at most some files at a time.

    :param hook: of the connection; each thread works with one of its own.
    :param destination: the folder.
    :param file_name: how files are named.
    :param route: for the manifest.
    :param max_bytes: refuse larger files.
    :param max_concurrency: how many reads or downloads run at once.
    :param pauses: between the tries of one file.
    :param log: the task's.
    """

    def __init__(
        self,
        hook: RunwayHook,
        destination: Destination,
        file_name: FileName,
        *,
        route: str | None,
        max_bytes: int,
        max_concurrency: int,
        pauses: wait_base,
        log: Any,
    ) -> None:
        self._hook = hook
        self._settings = hook.settings
        self._destination = destination
        self._file_name = file_name
        self._route = route
        self._max_bytes = max_bytes
        self._max_concurrency = max_concurrency
        self._pauses = pauses
        self._log = log
        self._local = threading.local()
        self._fetchers: list[Fetcher] = []
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let all threads end soon, leaving no half file."""
        self._stopped.set()

    def run(self, runway_task_ids: Sequence[str]) -> list[Generation]:
        """Save all outputs of some generations.

        :param runway_task_ids: different ones.
        :returns: how each came out, in the order of the ids; our errors are in there.
        """
        generations = [Generation(runway_task_id) for runway_task_id in runway_task_ids]
        with ThreadPoolExecutor(min(self._max_concurrency, 32), "runway-transfer") as pool:
            try:
                self._all(pool, [partial(self._prepare, one) for one in generations])
                self._destination.sweep([stem for one in generations for stem in self._stems(one)])
                self._all(pool, [job for one in generations for job in self._jobs(one)])
                self._all(pool, [partial(self._finish, one) for one in generations])
            finally:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                for fetcher in self._fetchers:
                    fetcher.close()
        return generations

    def record_failure(self, generation: Generation) -> dict[str, Any]:
        """Write the manifest of a generation that could not be saved, or not completely.

        :param generation: one with an error.
        :returns: the manifest.
        """
        generation.manifest = self._manifest(generation)
        self._destination.write_document(self.manifest_name(generation), generation.manifest)
        return generation.manifest

    def manifest_name(self, generation: Generation) -> str:
        """Where the manifest of a generation lies, relative to the destination.

        :param generation: any.
        """
        return self._file_name.manifest(generation.id)

    @staticmethod
    def _all(pool: ThreadPoolExecutor, jobs: Sequence[Callable[[], None]]) -> None:
        left = {pool.submit(job) for job in jobs}
        while left:
            done, left = wait(left, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()

    def _prepare(self, generation: Generation) -> None:
        try:
            generation.manifest = self._manifest_of_before(generation)
            if generation.manifest is None:
                generation.task = self._read(generation)
                self._file_name.check_outputs(len(generation.task.output))
        except RunwayError as error:
            generation.errors.append(error)

    def _stems(self, generation: Generation) -> list[str]:
        """What is about to be written, so may have been left half by a killed worker. Looked at once per run:
        what another worker begins meanwhile is its own business.
        """
        if generation.task is None:
            return []
        stems = [self._file_name.stem(generation.id, index) for index in range(len(generation.task.output))]
        return [*stems, self.manifest_name(generation)]

    def _jobs(self, generation: Generation) -> list[Callable[[], None]]:
        if generation.manifest is not None or generation.task is None or generation.errors:
            return []
        return [partial(self._save, generation, index) for index in range(len(generation.task.output))]

    def _save(self, generation: Generation, index: int) -> None:
        try:
            generation.files[index] = _Output(self, generation, index).save()
        except RunwayError as error:
            generation.errors.append(error)

    def _finish(self, generation: Generation) -> None:
        if generation.manifest is not None or generation.errors:
            return
        try:
            manifest = self._manifest(generation)
            self._destination.write_document(self.manifest_name(generation), manifest)
            generation.manifest = manifest
        except RunwayError as error:
            generation.errors.append(error)

    def _manifest(self, generation: Generation) -> dict[str, Any]:
        return manifest_of(
            generation.id,
            generation.task,
            [generation.files[index] for index in sorted(generation.files)],
            gateway=self._settings.gateway.name,
            route=self._route,
            saved_at=datetime.now(UTC).isoformat(timespec="seconds"),
            error=generation.error,
        )

    def _manifest_of_before(self, generation: Generation) -> dict[str, Any] | None:
        """The manifest of an earlier run, if everything that it tells of is still there."""
        document = self._destination.read_document(self.manifest_name(generation))
        files = complete_files(document, generation.id)
        if files is None or not all(self._is_there(generation, entry) for entry in files):
            return None
        self._log.info("Runway task %s is saved already: nothing is downloaded.", generation.id)
        manifest: dict[str, Any] = document
        return manifest

    def _is_there(self, generation: Generation, entry: dict[str, Any]) -> bool:
        if entry["media_type"] not in EXTENSIONS:
            return False
        name = self._file_name.name(generation.id, entry["index"], entry["media_type"])
        here = bool(entry["path"] == str(self._destination.path(name)))
        return here and self._destination.size(name) == int(entry["bytes"])

    def _read(self, generation: Generation) -> RunwayTask:
        """The generation, read anew, with fresh links."""
        task = self._own_hook().get_task(generation.id, attempts=READS)
        generation.task = task
        if (error := unhappy_ending(task)) is not None:
            raise error
        if task.status is TaskStatus.GONE:
            raise RunwayTaskLostError(
                f"The gateway does not know Runway task {task.id} (any more): it was deleted or cancelled, or is "
                "another account's. Nothing could be saved. It may have been charged.",
                task=task,
            )
        if task.status is not TaskStatus.SUCCEEDED:
            raise RunwayTransferError(
                f"Runway task {task.id} has no result to save: it is {task.status}. Put a RunwayTaskSensor before "
                "this task; a retry reads it again."
            )
        return task

    def _own_hook(self) -> RunwayHook:
        hook: RunwayHook | None = getattr(self._local, "hook", None)
        if hook is None:
            hook = self._local.hook = self._hook.detached(self._settings.timeout)
        return hook

    def _own_fetcher(self) -> Fetcher:
        fetcher: Fetcher | None = getattr(self._local, "fetcher", None)
        if fetcher is None:
            fetcher = self._local.fetcher = Fetcher(self._settings, self._check)
            self._fetchers.append(fetcher)
        return fetcher

    def _check(self) -> None:
        if self._stopped.is_set():
            raise RunwayTransferError(
                "The transfer was stopped. What was complete is saved, the rest left no file, and the generations "
                "themselves are untouched."
            )

    def _pause(self, tries: int) -> None:
        state = tenacity.RetryCallState(retry_object=None, fn=None, args=(), kwargs={})  # type: ignore[arg-type]
        state.attempt_number = max(1, tries)
        self._stopped.wait(self._pauses(state))
        self._check()


class _Output:
    """One output of a generation on its way."""

    def __init__(self, saving: Saving, generation: Generation, index: int) -> None:
        self._saving = saving
        self._generation = generation
        self._index = index
        self._what = f"Output {index} of Runway task {generation.id}"
        self._name = self._media_type = ""

    def save(self) -> dict[str, Any]:
        """Save it, unless it is there; returns its entry in the manifest."""
        saving = self._saving
        size, sha256 = Download(
            self._what,
            saving._own_fetcher(),
            self._link,
            self._open,
            max_bytes=saving._max_bytes,
            pause=saving._pause,
        ).run()
        path = str(saving._destination.path(self._name))
        saving._log.info("%s: %s, %d bytes.", self._what, path, size)
        try:
            with saving._destination.reading(self._name) as file:
                measures = measure(file, self._media_type)
        except OSError:
            measures = {}
        return file_entry(self._index, path, size, sha256, self._media_type, measures)

    def _link(self, dead: bool) -> str:
        task = self._saving._read(self._generation) if dead else self._generation.task
        if task is None or self._index >= len(task.output):
            raise RunwayTransferError(f"{self._what} is no longer shown by the gateway. A retry looks again.")
        return task.output[self._index]

    def _open(self, head: bytes, promise: Promise) -> StoredFile:
        saving = self._saving
        self._media_type = media_type_of(head, self._what)
        self._name = saving._file_name.name(self._generation.id, self._index, self._media_type)
        if (digest := self._digest_of_before(head, promise)) is not None:
            saving._log.info("%s is saved already: it is not downloaded again.", self._what)
            raise AlreadyThereError(promise.size or 0, digest)
        stem = saving._file_name.stem(self._generation.id, self._index)
        return saving._destination.open(self._name, stem, self._media_type)

    def _digest_of_before(self, head: bytes, promise: Promise) -> str | None:
        """The digest of a file that an earlier try has saved before it was killed."""
        destination = self._saving._destination
        if promise.size is None or destination.size(self._name) != promise.size:
            return None
        # Under a name that only this output can have, size and beginning are enough: files appear whole.
        ours_alone = "runway_task_id" in self._saving._file_name.fields
        if (promise.sha256 is None and not ours_alone) or not destination.begins_with(self._name, head):
            return None
        digest = destination.sha256(self._name)
        return digest if promise.sha256 in (None, bytes.fromhex(digest)) else None
