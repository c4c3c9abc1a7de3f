"""Rendered files: made at the first request for them, each once, at most two at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from airflow_runway.emulator.rendering.render import render

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_runway.emulator.world.job import Job

_AT_ONCE = 2


class RenderCache:
    """The files of all jobs that somebody asked for.

    :param folder: an existing folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._locks: dict[str, anyio.Lock] = {}
        self._limiter: anyio.CapacityLimiter | None = None

    async def get(self, job: Job) -> Path:
        """The file of a job; rendered in a thread if nobody asked for it before.

        :param job: equal jobs share a file, and callers that ask at once share the work.
        """
        path = self._folder / f"{job.digest}.{job.extension}"
        if path.exists():
            return path
        # A limiter belongs to an event loop, and none need be running when this object is made.
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        async with self._locks.setdefault(job.digest, anyio.Lock()):
            if not path.exists():
                await to_thread.run_sync(render, job, path, limiter=self._limiter)
        return path
