"""Saving generations: what each file and each generation goes through, several files at once."""

from __future__ import annotations

import threading
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Protocol

from airflow_runway._probing.prober import Prober
from airflow_runway.core.limits import READ_ATTEMPTS
from airflow_runway.core.media.types import EXTENSIONS
from airflow_runway.core.models import TaskStatus
from airflow_runway.core.protocol.endings import Cancelled, Failed, NotFound, Succeeded, ending_of
from airflow_runway.core.saving.manifest import complete_manifest, manifest_of
from airflow_runway.exceptions import (
    RunwayError,
    RunwayTaskLostError,
    RunwayTransferError,
    error_of,
    runway_errors,
)
from airflow_runway.hooks._ports import HasSettings
from airflow_runway.transfers._saving.fetching import Fetcher
from airflow_runway.transfers._saving.outcome import SaveOutcome
from airflow_runway.transfers._saving.output import OutputJob, save_output

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_runway.core.models import RunwayTask
    from airflow_runway.core.owner import Owner
    from airflow_runway.core.saving.manifest import FileEntry, Manifest
    from airflow_runway.core.saving.naming import FileName
    from airflow_runway.hooks._ports import ReadsTasks
    from airflow_runway.telemetry import Log
    from airflow_runway.transfers._saving.destination import Destination

#: Threads at most, whatever was asked for.
_MOST_THREADS = 32


class SaverHook(HasSettings, Protocol):
    """Knows the connection, and gives each thread something of its own to read generations with."""

    def detached(self, timeout: float) -> ReadsTasks:
        """The same connection over a session of its own."""


@dataclass(frozen=True, slots=True)
class SaverOptions:
    """How generations are saved."""

    #: How files are named.
    file_name: FileName
    #: For the manifest: the route that the generations were submitted to; ``None`` if unknown.
    route: str | None
    #: Larger files are refused.
    max_bytes: int
    #: How many reads or downloads run at once, at most 32.
    max_concurrency: int
    #: Seconds to wait after so many tries in vain, from 1, before one file is tried again.
    pause: Callable[[int], float]
    #: Of a clip's contact sheet; 0 = posters only, ``None`` = neither is made.
    contact_sheet_frames: int | None = None
    #: For the manifest: the model of each generation, by its id, where known.
    models: Mapping[str, str] = field(default_factory=dict)
    #: For the manifest: the task that saves; ``None`` if unknown.
    owner: Owner | None = None


class Saver:
    """Saves generations, at most some files at a time. Call :meth:`run` once.

    :param hook: of the connection; each thread works with one of its own.
    :param destination: the folder.
    :param options: how.
    :param log: the task's.
    """

    def __init__(self, hook: SaverHook, destination: Destination, options: SaverOptions, log: Log) -> None:
        self._hook = hook
        self._settings = hook.settings
        self._destination = destination
        self._options = options
        self._log = log
        self._local = threading.local()
        self._fetchers: list[Fetcher] = []
        self._stopped = threading.Event()
        self._prober = Prober()

    def stop(self) -> None:
        """Let all threads end soon, leaving no half file."""
        self._stopped.set()

    def run(self, runway_task_ids: Sequence[str]) -> list[SaveOutcome]:
        """Save all outputs of some generations.

        :param runway_task_ids: different ones.
        :returns: how each came out, in the order of the ids; our errors are in there.
        """
        outcomes = [SaveOutcome(runway_task_id) for runway_task_id in runway_task_ids]
        with ThreadPoolExecutor(min(self._options.max_concurrency, _MOST_THREADS), "runway-transfer") as pool:
            try:
                _run_all(pool, [partial(self._prepare, one) for one in outcomes])
                self._tell_of_earlier([one.id for one in outcomes if one.manifest is not None])
                # Looked at once per run: what another worker begins meanwhile is its own business.
                self._destination.sweep([stem for one in outcomes for stem in self._stems(one)])
                _run_all(pool, [job for one in outcomes for job in self._jobs(one)])
                _run_all(pool, [partial(self._finish, one) for one in outcomes])
            finally:
                self._stopped.set()
                self._prober.close()
                pool.shutdown(cancel_futures=True)
                for fetcher in self._fetchers:
                    fetcher.close()
        return outcomes

    @runway_errors()
    def record_failure(self, outcome: SaveOutcome) -> Manifest:
        """Write the manifest of a generation that could not be saved, or not completely.

        :param outcome: one with an error.
        :returns: the manifest.
        :raises RunwayTransferError: it could not be stored.
        """
        outcome.manifest = self._manifest(outcome)
        self._destination.write_document(self.manifest_name(outcome), outcome.manifest)
        return outcome.manifest

    @runway_errors()
    def manifest_name(self, outcome: SaveOutcome) -> str:
        """Where the manifest of a generation lies, relative to the destination.

        :param outcome: any.
        """
        return self._options.file_name.manifest(outcome.id)

    def _prepare(self, outcome: SaveOutcome) -> None:
        """Find what is saved already, or read the generation for its links."""
        with _errors_into(outcome):
            outcome.manifest = self._earlier_manifest(outcome)
            if outcome.manifest is None:
                outputs = len(self._read(outcome).output)
                self._options.file_name.check_outputs(outputs)
                # A name that is too long, say, is found out before the first byte.
                self._output_stems(outcome.id, outputs)

    def _stems(self, outcome: SaveOutcome) -> list[str]:
        """What is about to be written, so may have been left half by a killed worker."""
        if outcome.task is None:
            return []
        # What has failed gets a manifest at most, and may have no names for its outputs.
        outputs = 0 if outcome.errors else len(outcome.task.output)
        stems = self._output_stems(outcome.id, outputs)
        stills = [
            self._options.file_name.still(outcome.id, index, kind)
            for index in range(outputs)
            for kind in ("poster", "sheet")
        ]
        return [*stems, *stills, self.manifest_name(outcome)]

    def _output_stems(self, runway_task_id: str, outputs: int) -> list[str]:
        return [self._options.file_name.stem(runway_task_id, index) for index in range(outputs)]

    def _jobs(self, outcome: SaveOutcome) -> list[Callable[[], None]]:
        if outcome.manifest is not None or outcome.task is None or outcome.errors:
            return []
        return [partial(self._save, outcome, index) for index in range(len(outcome.task.output))]

    def _save(self, outcome: SaveOutcome, index: int) -> None:
        with _errors_into(outcome):
            outcome.files[index] = save_output(
                OutputJob(
                    outcome.id,
                    index,
                    self._destination,
                    self._options.file_name,
                    self._own_fetcher(),
                    read=lambda dead: self._read(outcome) if dead else outcome.task,
                    wait=self._wait,
                    max_bytes=self._options.max_bytes,
                    prober=self._prober,
                    contact_sheet_frames=self._options.contact_sheet_frames,
                    log=self._log,
                )
            )

    def _finish(self, outcome: SaveOutcome) -> None:
        if outcome.manifest is not None or outcome.errors:
            return
        with _errors_into(outcome):
            manifest = self._manifest(outcome)
            self._destination.write_document(self.manifest_name(outcome), manifest)
            outcome.manifest = manifest

    def _manifest(self, outcome: SaveOutcome) -> Manifest:
        return manifest_of(
            outcome.id,
            outcome.task,
            [outcome.files[index] for index in sorted(outcome.files)],
            gateway=self._settings.gateway.name,
            route=self._options.route,
            model=self._options.models.get(outcome.id),
            owner=self._options.owner,
            saved_at=datetime.now(UTC).isoformat(timespec="seconds"),
            error=outcome.error,
        )

    def _earlier_manifest(self, outcome: SaveOutcome) -> Manifest | None:
        """The manifest of an earlier run, if everything that it tells of is still there."""
        document = self._destination.read_document(self.manifest_name(outcome))
        manifest = complete_manifest(document, outcome.id)
        if manifest is None or not all(self._is_there(outcome, entry) for entry in manifest["files"]):
            return None
        return manifest

    def _tell_of_earlier(self, runway_task_ids: Sequence[str]) -> None:
        """One line, however many they are."""
        if len(runway_task_ids) == 1:
            self._log.info("Runway task %s is saved already: nothing is downloaded.", *runway_task_ids)
        elif runway_task_ids:
            self._log.info(
                "%d generations are saved already: nothing of them is downloaded.", len(runway_task_ids)
            )

    def _is_there(self, outcome: SaveOutcome, entry: FileEntry) -> bool:
        if entry["media_type"] not in EXTENSIONS:
            return False
        name = self._options.file_name.name(outcome.id, entry["index"], entry["media_type"])
        here = entry["path"] == str(self._destination.path(name))
        return here and self._destination.size(name) == entry["bytes"]

    def _read(self, outcome: SaveOutcome) -> RunwayTask:
        """The generation, read anew, with fresh links."""
        task = outcome.task = self._own_hook().get_task(outcome.id, attempts=READ_ATTEMPTS)
        ending = ending_of(task)
        if isinstance(ending, Succeeded):
            return task
        if isinstance(ending, Failed | Cancelled):
            raise error_of(ending.error)
        if isinstance(ending, NotFound) and task.status is TaskStatus.GONE:
            raise RunwayTaskLostError(
                f"The gateway does not know Runway task {task.id} (any more): it was deleted or cancelled, or is "
                "another account's. Nothing could be saved. It may have been charged.",
                task=task,
            )
        raise RunwayTransferError(
            f"Runway task {task.id} is {task.status}: no result to save. Put a RunwayTaskSensor before this task.",
            task=task,
            summary=f"Runway task {task.id} is {task.status}",
            next_step="Put a RunwayTaskSensor before this task",
        )

    def _own_hook(self) -> ReadsTasks:
        """The hook of the thread that asks."""
        hook: ReadsTasks | None = getattr(self._local, "hook", None)
        if hook is None:
            hook = self._local.hook = self._hook.detached(self._settings.timeout)
        return hook

    def _own_fetcher(self) -> Fetcher:
        """The fetcher of the thread that asks."""
        fetcher: Fetcher | None = getattr(self._local, "fetcher", None)
        if fetcher is None:
            fetcher = self._local.fetcher = Fetcher(self._settings, self._check_not_stopped)
            self._fetchers.append(fetcher)
        return fetcher

    def _check_not_stopped(self) -> None:
        if self._stopped.is_set():
            raise RunwayTransferError(
                "The transfer was stopped. What was complete is saved, the rest left no file, and the generations "
                "themselves are untouched."
            )

    def _wait(self, tries: int) -> None:
        self._stopped.wait(self._options.pause(max(1, tries)))
        self._check_not_stopped()


def _run_all(pool: ThreadPoolExecutor, jobs: Sequence[Callable[[], None]]) -> None:
    left = {pool.submit(job) for job in jobs}
    while left:
        done, left = wait(left, return_when=FIRST_COMPLETED)
        for future in done:
            future.result()


@contextmanager
def _errors_into(outcome: SaveOutcome) -> Iterator[None]:
    """Around what is done for one generation: our errors are noted there, and do not stop the others."""
    try:
        with runway_errors():
            yield
    except RunwayError as error:
        outcome.errors.append(error)
