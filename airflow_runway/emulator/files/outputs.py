"""The outputs of tasks: who may have which, under which links, and the files behind them (contracts §16)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.emulator.world.clock import DAY

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_runway.emulator.files.signed_links import LinkSigner
    from airflow_runway.emulator.rendering.render_cache import RenderCache
    from airflow_runway.emulator.world.job import Job
    from airflow_runway.emulator.world.settings import SettingsStore
    from airflow_runway.emulator.world.task import WorldTask
    from airflow_runway.emulator.world.world import World

#: Where outputs are served: ``/_outputs/<task id>/<number>.<extension>``.
OUTPUTS_PATH = "/_outputs/"


class Outputs:
    """All outputs that there are.

    :param world: where the tasks are.
    :param settings: tells how long a link lives.
    :param signer: makes the links.
    :param cache: makes the files.
    """

    def __init__(self, world: World, settings: SettingsStore, signer: LinkSigner, cache: RenderCache) -> None:
        self._world = world
        self._settings = settings
        self._signer = signer
        self._cache = cache

    def link(self, base: str, task: WorldTask, index: int = 0) -> str:
        """A fresh link to one output; whether it can be had is checked again when the link is used.

        :param base: the address by which the caller reached the emulator.
        :param task: any task.
        :param index: which of its outputs.
        """
        lifetime = self._settings.current.link_lifetime
        if lifetime is None:
            lifetime = DAY / self._world.speed
        path = f"{OUTPUTS_PATH}{task.id}/{index}.{task.jobs[index].extension}"
        return base + self._signer.sign(path, self._world.clock() + lifetime)

    def links(self, base: str, task: WorldTask, count: int) -> list[str]:
        """Fresh links to a task's first outputs.

        :param base: see :meth:`link`.
        :param task: any task.
        :param count: how many.
        """
        return [self.link(base, task, index) for index in range(count)]

    def allows(self, path: str, token: str) -> bool:
        """Whether a token opens a path now.

        :param path: the path that was asked for.
        :param token: the value of ``_jwt``.
        """
        return path.startswith(OUTPUTS_PATH) and self._signer.allows(path, token, self._world.clock())

    def revoke(self, token: str) -> None:
        """Lets a link die before its time.

        :param token: the value of ``_jwt``.
        """
        self._signer.revoke(token)

    def job_at(self, path: str) -> Job | None:
        """What an output shows; ``None`` unless there is one (any more).

        :param path: see :data:`OUTPUTS_PATH`.
        """
        runway_task_id, _, name = path.removeprefix(OUTPUTS_PATH).partition("/")
        task = self._world.get(runway_task_id)
        if task is None:
            return None
        ready = task.jobs[: self._world.observe(task).outputs_ready]
        names = {f"{index}.{job.extension}": job for index, job in enumerate(ready)}
        return names.get(name)

    async def file_of(self, job: Job) -> Path:
        """The file of a job, rendered if need be.

        :param job: from :meth:`job_at`.
        """
        return await self._cache.get(job)

    async def file_at(self, path: str) -> Path | None:
        """The file of an output, rendered if need be; ``None`` unless there is one (any more).

        :param path: see :data:`OUTPUTS_PATH`.
        """
        job = self.job_at(path)
        return None if job is None else await self._cache.get(job)
