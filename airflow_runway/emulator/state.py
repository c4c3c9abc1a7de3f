"""All that one running emulator holds: one object of each kind, wired to each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.emulator.api.callbacks import Callbacks
from airflow_runway.emulator.api.request_log import RequestLog
from airflow_runway.emulator.faults.book import FaultBook
from airflow_runway.emulator.faults.connection import ListenerSwitch
from airflow_runway.emulator.files.hosted_media import HostedMedia
from airflow_runway.emulator.files.input_loader import InputLoader
from airflow_runway.emulator.files.input_store import InputStore
from airflow_runway.emulator.files.outputs import Outputs
from airflow_runway.emulator.files.signed_links import LinkSigner
from airflow_runway.emulator.files.upload_store import UploadStore
from airflow_runway.emulator.rendering.render_cache import RenderCache
from airflow_runway.emulator.world.clock import steady_clock
from airflow_runway.emulator.world.routers import RouterBook
from airflow_runway.emulator.world.settings import Settings, SettingsStore
from airflow_runway.emulator.world.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path


class Emulator:
    """The state behind the application.

    :param folder: an existing empty folder for pictures, media and rendered files; the caller deletes it.
    :param speed: world seconds per real second.
    :param seconds: length of a generation in world seconds.
    :param lenient: accept models, fields and values that the catalogue does not know.
    :param api_keys: the keys that are let in; none = any.
    :param hosts: names that stand for this machine, beside loopback ones, for control requests.
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
        hosts: Collection[str] = (),
        clock: Callable[[], float] | None = None,
    ) -> None:
        for name in ("inputs", "media", "rendered", "uploads"):
            (folder / name).mkdir()
        self.api_keys, self.hosts = frozenset(api_keys), frozenset(hosts)
        self.world = World(clock or steady_clock(), speed)
        self.routers = RouterBook(self.world)
        first = Settings(seconds=seconds, lenient=lenient)
        self.settings = SettingsStore(first, lambda settings: self.world.limit(settings.max_concurrent))
        self.faults = FaultBook()
        self.log = RequestLog()
        #: Filled by the server.
        self.listener = ListenerSwitch()
        self.hosted = HostedMedia(folder / "media")
        self.uploads = UploadStore(folder / "uploads", self.world.now)
        cache = RenderCache(folder / "rendered")
        self.outputs = Outputs(self.world, self.settings, LinkSigner(), cache)
        self.inputs = InputLoader(InputStore(folder / "inputs"), self.uploads, self.hosted, self.outputs)
        self.callbacks = Callbacks(self.world, self.settings, self.outputs)

    def reset(self) -> None:
        """Back to the beginning: no tasks, charges, faults, requests or files, the first settings.

        Rendered files stay: they depend on nothing but their job.
        """
        self.world.clear()
        self.routers.clear()
        self.callbacks.clear()
        self.faults.clear()
        self.log.clear()
        self.hosted.clear()
        self.uploads.clear()
        self.settings.reset()
