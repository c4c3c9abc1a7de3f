"""All that one running emulator holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.emulator.faults import FaultBook
from airflow_runway.emulator.hosting import MediaHost
from airflow_runway.emulator.links import LIFETIME, LinkSigner
from airflow_runway.emulator.media import PictureStore
from airflow_runway.emulator.rendered import RenderedFiles
from airflow_runway.emulator.requestlog import RequestLog
from airflow_runway.emulator.settings import Settings
from airflow_runway.emulator.world import World, steady_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from starlette.requests import Request

    from airflow_runway.emulator.world import WorldTask


class Emulator:
    """The state behind the application.

    :param folder: an existing empty folder for pictures, media and rendered files; the caller deletes it.
    :param speed: world seconds per real second.
    :param seconds: length of a generation in world seconds.
    :param api_keys: the keys that are let in; none = any.
    :param clock: epoch seconds, never running backwards.
    """

    def __init__(
        self,
        folder: Path,
        *,
        speed: float = 1.0,
        seconds: float = 30.0,
        api_keys: Collection[str] = (),
        clock: Callable[[], float] | None = None,
    ) -> None:
        for name in ("pictures", "media", "rendered"):
            (folder / name).mkdir()
        self.api_keys = frozenset(api_keys)
        self.world = World(clock or steady_clock(), speed)
        self.faults = FaultBook()
        self.log = RequestLog()
        self.links = LinkSigner()
        self.pictures = PictureStore(folder / "pictures")
        self.hosted = MediaHost(folder / "media")
        self.rendered = RenderedFiles(folder / "rendered")
        self._first_settings = Settings(seconds=seconds)
        self.settings = self._first_settings

    def reset(self) -> None:
        """Back to the beginning: no tasks, charges, faults, requests or media, the first settings.

        Rendered files stay: they depend on nothing but their job.
        """
        self.world.clear()
        self.faults.clear()
        self.log.clear()
        self.hosted.clear()
        self.settings = self._first_settings

    def output_link(self, request: Request, task: WorldTask) -> str:
        """A fresh link to a task's result, at the address by which the caller reached the emulator.

        :param request: the request in hand.
        :param task: any task; whether it has a result is checked when the link is used.
        """
        lifetime = self.settings.link_lifetime
        if lifetime is None:
            lifetime = LIFETIME / self.world.speed
        path = f"/_outputs/{task.id}/0.{task.job.extension}"
        return str(request.base_url).rstrip("/") + self.links.sign(path, self.world.clock() + lifetime)
