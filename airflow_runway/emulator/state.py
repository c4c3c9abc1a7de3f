"""All that one running emulator holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.emulator.callbacks import Callbacks
from airflow_runway.emulator.faults import FaultBook
from airflow_runway.emulator.hosting import MediaHost
from airflow_runway.emulator.links import LIFETIME, LinkSigner
from airflow_runway.emulator.media import PictureStore
from airflow_runway.emulator.rendered import RenderedFiles
from airflow_runway.emulator.requestlog import RequestLog
from airflow_runway.emulator.settings import Settings
from airflow_runway.emulator.uploads import UploadStore
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
    :param lenient: accept models, fields and values that the catalogue does not know.
    :param api_keys: the keys that are let in; none = any.
    :param clock: epoch seconds, never running backwards.
    """

    def __init__(
        self,
        folder: Path,
        *,
        speed: float = 1.0,
        seconds: float = 30.0,
        lenient: bool = False,
        api_keys: Collection[str] = (),
        clock: Callable[[], float] | None = None,
    ) -> None:
        for name in ("pictures", "media", "rendered", "uploads"):
            (folder / name).mkdir()
        self.api_keys = frozenset(api_keys)
        self.world = World(clock or steady_clock(), speed)
        self.faults = FaultBook()
        self.log = RequestLog()
        self.links = LinkSigner()
        self.pictures = PictureStore(folder / "pictures")
        self.hosted = MediaHost(folder / "media")
        self.rendered = RenderedFiles(folder / "rendered")
        self.uploads = UploadStore(folder / "uploads", self.world.now)
        self.callbacks = Callbacks(self.world, lambda: self.settings, self._link)
        #: Stops listening for some real seconds; set by the server.
        self.refuse: Callable[[float], None] | None = None
        self._first_settings = Settings(seconds=seconds, lenient=lenient)
        self.settings = self._first_settings

    def change(self, settings: Settings) -> None:
        """Puts settings in force.

        :param settings: the whole set.
        """
        self.settings = settings
        self.world.limit(settings.max_concurrent)

    def reset(self) -> None:
        """Back to the beginning: no tasks, charges, faults, requests or files, the first settings.

        Rendered files stay: they depend on nothing but their job.
        """
        self.world.clear()
        self.callbacks.clear()
        self.faults.clear()
        self.log.clear()
        self.hosted.clear()
        self.uploads.clear()
        self.change(self._first_settings)

    def output_links(self, request: Request, task: WorldTask, count: int) -> list[str]:
        """Fresh links to a task's first outputs, at the address by which the caller reached the emulator.

        :param request: the request in hand.
        :param task: any task; whether an output can be had is checked again when its link is used.
        :param count: how many.
        """
        return [self._link(base_of(request), task, index) for index in range(count)]

    def _link(self, base: str, task: WorldTask, index: int = 0) -> str:
        lifetime = self.settings.link_lifetime
        if lifetime is None:
            lifetime = LIFETIME / self.world.speed
        path = f"/_outputs/{task.id}/{index}.{task.jobs[index].extension}"
        return base + self.links.sign(path, self.world.clock() + lifetime)


def base_of(request: Request) -> str:
    """The address by which a caller reached the emulator, without a slash at the end.

    :param request: the request in hand.
    """
    return str(request.base_url).rstrip("/")
