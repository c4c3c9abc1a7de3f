"""The reverse format's callbacks: a POST to ``callback_url`` when a task has ended (contracts §3.5).

They are hints and may get lost: a receiver that fails is not asked again, and nothing waits for it.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import urllib.error
import urllib.request
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict
from urllib.parse import urlsplit

import anyio
from anyio import to_thread

from airflow_runway.emulator.api.request_log import without_user
from airflow_runway.emulator.dialects.cometapi import callback
from airflow_runway.emulator.files.web_fetch import NoRedirects

if TYPE_CHECKING:
    from airflow_runway.core.models import TaskStatus
    from airflow_runway.emulator.files.outputs import Outputs
    from airflow_runway.emulator.world.settings import SettingsStore
    from airflow_runway.emulator.world.task import WorldTask
    from airflow_runway.emulator.world.world import World

#: Real seconds between two looks at the tasks, and the most that a receiver gets.
_INTERVAL = 0.05
_TIMEOUT = 5.0
_KEPT = 1000
_AT_ONCE = 8


class SentCallback(TypedDict):
    """One callback, as the control surface shows it. ``status`` is that of the receiver's answer, if it came."""

    runway_task_id: str
    url: str
    body: dict[str, object]
    status: int | None
    error: str | None


@dataclass(slots=True)
class _Watched:
    task: WorldTask
    url: str
    #: The address by which its creator reached the emulator, for the links.
    base: str
    last: TaskStatus


class Callbacks:
    """Tasks whose end somebody wants to hear of, and what was sent.

    :param world: where the tasks are.
    :param settings: tell when a callback is sent, and whereto.
    :param outputs: give links to results.
    """

    def __init__(self, world: World, settings: SettingsStore, outputs: Outputs) -> None:
        self._world = world
        self._settings = settings
        self._outputs = outputs
        self._watched: list[_Watched] = []
        self._sent: deque[SentCallback] = deque(maxlen=_KEPT)

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

    def as_json(self) -> list[SentCallback]:
        """What was sent, or not sent, oldest first."""
        return list(self._sent)

    async def run(self) -> None:
        """Calls back for ever."""
        while True:
            await anyio.sleep(_INTERVAL)
            await self.pump()

    async def pump(self) -> None:
        """Calls back for every change since the last time; ends when all receivers have had their chance."""
        when = self._settings.current.callbacks
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        now = self._world.now()
        async with anyio.create_task_group() as group:
            for watched in list(self._watched):
                # Thousands may be waiting: a task whose end is known is left alone until then.
                if when != "every_change" and watched.task.admitted is not None and now < watched.task.ends:
                    continue
                snapshot = self._world.observe(watched.task)
                if snapshot.status is watched.last:
                    continue
                watched.last = snapshot.status
                if snapshot.status.is_final and watched in self._watched:
                    self._watched.remove(watched)
                if when == "every_change" or (when == "completion" and snapshot.status.is_final):
                    body = callback(snapshot, [self._outputs.link(watched.base, watched.task)])
                    group.start_soon(self._send, watched, body, limiter)

    async def _send(self, watched: _Watched, body: dict[str, object], limiter: anyio.CapacityLimiter) -> None:
        sent: SentCallback = {
            "runway_task_id": watched.task.id,
            "url": without_user(watched.url),
            "body": body,
            "status": None,
            "error": "still being sent",
        }
        self._sent.append(sent)
        if self._settings.current.callback_hosts != "any" and not _is_loopback(watched.url):
            sent["error"] = "not sent: no loopback host (setting callback_hosts)"
            return
        sent["status"], sent["error"] = await to_thread.run_sync(_post, watched.url, body, limiter=limiter)


def _post(url: str, body: dict[str, object]) -> tuple[int | None, str | None]:
    """Sends one callback. Blocking; never raises.

    :returns: HTTP status and what went wrong.
    """
    # Neither a proxy of the environment nor a redirect may lead it to another host.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), NoRedirects())
    try:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https"):
            return None, "not sent: no http address"
        if "@" in parts.netloc:
            return None, "not sent: the address names a user"
        data = json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(url, data, headers, method="POST")  # noqa: S310 - checked above
        with opener.open(request, timeout=_TIMEOUT) as answer:
            return answer.status, None
    except urllib.error.HTTPError as error:
        return error.code, None
    except (OSError, ValueError, http.client.HTTPException) as error:
        return None, without_user(str(error))


def _is_loopback(url: str) -> bool:
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
