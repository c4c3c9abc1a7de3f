"""Lands the outputs of a generation in the team's own storage, before their links die."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import tenacity
from airflow.sdk import BaseOperator, ObjectStoragePath

from airflow_runway.conversations import checked_task_id
from airflow_runway.exceptions import (
    RunwayReadError,
    RunwayReadRefusedError,
    RunwayTransferError,
    RunwayTransferRefusedError,
)
from airflow_runway.models import TaskStatus
from airflow_runway.reporting import unhappy_ending

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context
    from tenacity.wait import wait_base

    from airflow_runway.hooks.runway import RunwayHook
    from airflow_runway.models import RunwayTask

#: Tries per output; each reads the task for a fresh link and starts anew.
ATTEMPTS = 3

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


class RunwayToObjectStorageOperator(BaseOperator):
    """Copies every output of a finished generation to object storage and returns a manifest.

    The task is read anew for fresh links, so this works however long ago the generation ended, as long as the
    gateway keeps it. Files stream through in constant memory under a temporary name and are moved to their
    final one when complete. The API key never travels to the output's host. Free; a retry downloads again.

    :param runway_task_id: the finished generation, e.g. ``submit.output``; templated.
    :param destination: a folder, as any URL that ``ObjectStoragePath`` understands
        (``s3://conn_id@bucket/key``, ``file:///data/clips``); templated. Files in it are named
        ``<runway task id>-<index>.<extension>``.
    :param runway_conn_id: id of a connection of type ``runway``; templated.
    :returns: ``{"runway_task_id", "status", "cost_credits", "files": [{"path", "bytes", "sha256",
        "content_type"}]}``.
    """

    template_fields: Sequence[str] = ("runway_task_id", "destination", "runway_conn_id")
    ui_color = "#d1fae5"
    #: Tests put ``wait_none`` here.
    pause_between_tries: ClassVar[wait_base] = tenacity.wait_random_exponential(multiplier=1, max=10)

    def __init__(
        self,
        *,
        runway_task_id: str,
        destination: str,
        runway_conn_id: str = "runway_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.runway_task_id = runway_task_id
        self.destination = destination
        self.runway_conn_id = runway_conn_id

    @cached_property
    def hook(self) -> RunwayHook:
        """The hook of this task's connection."""
        from airflow_runway.hooks.runway import RunwayHook

        return RunwayHook(self.runway_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Save every output.

        :param context: Airflow's.
        :raises RunwayTransferError: it could not be fetched or stored, or the generation has not ended yet.
        :raises RunwayTransferRefusedError: what the link gives is no media file.
        """
        folder = ObjectStoragePath(self.destination)
        task = self._finished_task(checked_task_id(self.runway_task_id))
        files = [self._save(task, index, folder) for index in range(len(task.output))]
        return {
            "runway_task_id": task.id,
            "status": task.status.value,
            "cost_credits": task.cost_credits,
            "files": files,
        }

    def _finished_task(self, runway_task_id: str) -> RunwayTask:
        task = self.hook.get_task(runway_task_id, attempts=ATTEMPTS)
        if (error := unhappy_ending(task)) is not None:
            raise error
        if task.status is not TaskStatus.SUCCEEDED:
            raise RunwayTransferError(
                f"Runway task {task.id} has no result to save: it is {task.status}. Put a RunwayTaskSensor before "
                "this task; a retry reads it again."
            )
        return task

    def _save(self, task: RunwayTask, index: int, folder: ObjectStoragePath) -> dict[str, Any]:
        attempts = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=self.pause_between_tries,
            retry=tenacity.retry_if_exception(_may_pass),
            reraise=True,
        )
        for attempt in attempts:
            with attempt:
                if attempt.retry_state.attempt_number > 1:
                    task = self._finished_task(task.id)
                saved = self._save_once(task, index, folder)
        return saved

    def _save_once(self, task: RunwayTask, index: int, folder: ObjectStoragePath) -> dict[str, Any]:
        # Imported when work starts: Dag files are parsed all the time, and HTTP libraries are heavy.
        from airflow_runway.transfers.download import open_download

        if index >= len(task.output):
            raise RunwayTransferError(f"Runway task {task.id} no longer shows its output {index}.")
        with open_download(task.output[index], self.hook.settings) as download:
            name = f"{_UNSAFE.sub('_', task.id)}-{index}{download.extension}"
            folder.mkdir(parents=True, exist_ok=True)
            partial, path = folder / f".{name}.partial", folder / name
            try:
                with partial.open("wb") as file:
                    for piece in download:
                        file.write(piece)
                partial.move(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        self.log.info(
            "Saved output %d of Runway task %s: %s, %d bytes.", index, task.id, path, download.bytes
        )
        return {
            "path": str(path),
            "bytes": download.bytes,
            "sha256": download.sha256,
            "content_type": download.content_type,
        }


def _may_pass(error: BaseException) -> bool:
    passing = isinstance(error, RunwayTransferError | RunwayReadError)
    return passing and not isinstance(error, RunwayTransferRefusedError | RunwayReadRefusedError)
