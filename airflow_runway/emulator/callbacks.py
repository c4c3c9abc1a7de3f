"""The reverse format's callbacks: a POST to ``callback_url`` when a task has ended (contracts 3.5).

They are hints and may get lost: a receiver that fails is not asked again, and nothing waits for it.
"""

from __future__ import annotations

import ipaddress
import json
import urllib.error
import urllib.request
from collections import deque
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio
from anyio import to_thread

from airflow_runway.emulator.dialects_cometapi import callback

if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import Message

    from airflow_runway.emulator.settings import Settings
    from airflow_runway.emulator.world import World, WorldTask
    from airflow_runway.models import TaskStatus

#: Real seconds between two looks at the tasks, and the most that a receiver gets.
_INTERVAL = 0.05
_TIMEOUT = 5.0
_KEPT = 1000
_AT_ONCE = 8


@dataclass(slots=True)
class _Watched:
    task: WorldTask
    url: str
    #: The address by which its creator reached the emulator, for the links.
    base: str
    last: TaskStatus


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        return None


class Callbacks:
    """Tasks whose end somebody wants to hear of, and what was sent.

    :param world: where the tasks are.
    :param settings: gives the settings in force.
    :param link: gives a link to a task's result, below a base address.
    """

    def __init__(
        self, world: World, settings: Callable[[], Settings], link: Callable[[str, WorldTask], str]
    ) -> None:
        self._world = world
        self._settings = settings
        self._link = link
        self._watched: list[_Watched] = []
        self._sent: deque[dict[str, Any]] = deque(maxlen=_KEPT)

    def watch(self, task: WorldTask, url: str, base: str) -> None:
        """Remembers to call back.

        :param task: one that was just accepted.
        :param url: its ``callback_url``.
        :param base: the address by which its creator reached the emulator.
        """
        self._watched.append(_Watched(task, url, base, self._world.observe(task).status))

    def clear(self) -> None:
        """Forgets everything."""
        self._watched.clear()
        self._sent.clear()

    def as_json(self) -> list[dict[str, Any]]:
        """What was sent, or not sent, oldest first."""
        return list(self._sent)

    async def run(self) -> None:
        """Calls back for ever."""
        while True:
            await anyio.sleep(_INTERVAL)
            await self.pump()

    async def pump(self) -> None:
        """Calls back for every change since the last time; ends when all receivers have had their chance."""
        when = self._settings().callbacks
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        now = self._world.now()
        async with anyio.create_task_group() as group:
            for watched in list(self._watched):
                # Thousands may be waiting: a task whose end is known is left alone until then.
                if when != "every_change" and watched.task.admitted is not None and now < watched.task.ends:
                    continue
                shot = self._world.observe(watched.task)
                if shot.status is watched.last:
                    continue
                watched.last = shot.status
                if shot.status.is_final and watched in self._watched:
                    self._watched.remove(watched)
                if when == "every_change" or (when == "completion" and shot.status.is_final):
                    body = callback(shot, [self._link(watched.base, watched.task)])
                    group.start_soon(self._send, watched, body, limiter)

    async def _send(self, watched: _Watched, body: dict[str, Any], limiter: anyio.CapacityLimiter) -> None:
        record = {"runway_task_id": watched.task.id, "url": watched.url, "body": body}
        self._sent.append(record | {"status": None, "error": "still being sent"})
        index = self._sent[-1]
        if self._settings().callback_hosts != "any" and not _is_loopback(watched.url):
            index["error"] = "not sent: no loopback host (setting callback_hosts)"
            return
        index["status"], index["error"] = await to_thread.run_sync(_post, watched.url, body, limiter=limiter)


def _post(url: str, body: dict[str, Any]) -> tuple[int | None, str | None]:
    """Sends one callback. Blocking; never raises.

    :returns: HTTP status and what went wrong.
    """
    # Neither a proxy of the environment nor a redirect may lead it to another host.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirects())
    try:
        if urlsplit(url).scheme not in ("http", "https"):
            return None, "not sent: no http address"
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, data, headers, method="POST")  # noqa: S310 - checked above
        with opener.open(request, timeout=_TIMEOUT) as answer:
            return answer.status, None
    except urllib.error.HTTPError as error:
        return error.code, None
    except (OSError, ValueError) as error:
        return None, str(error)


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
