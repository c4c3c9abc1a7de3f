"""One aiohttp session and one connection look-up for everybody who uses a connection in an event loop.

In a triggerer a look-up takes some 20 ms and is served one after another, and a session of one's own costs
six times the CPU per read: a thousand waiting clips must share both. Clients are kept per event loop,
because ``dag.test()`` and tests make a new loop each time, and closed with their last user.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from airflow_runway.hooks import transport

if TYPE_CHECKING:
    import aiohttp

    from airflow_runway.connection_settings import ConnectionSettings
    from airflow_runway.conversations import Call
    from airflow_runway.envelopes import Answer

LookUp = Callable[[], Coroutine[Any, Any, "ConnectionSettings"]]


class SharedClient:
    """Opened by its first call, by whoever comes first; all others wait for that.

    :param look_up: reads the connection.
    """

    def __init__(self, look_up: LookUp) -> None:
        self.users = 0
        self._look_up = look_up
        self._opening: asyncio.Task[tuple[ConnectionSettings, aiohttp.ClientSession]] | None = None
        self._outdated: list[aiohttp.ClientSession] = []

    async def settings(self) -> ConnectionSettings:
        """The connection, looked up once."""
        return (await self._opened())[0]

    async def send(self, call: Call) -> Answer:
        """Send a call over the shared session.

        :param call: what to send.
        :raises NoAnswerError: if no answer came.
        """
        settings, session = await self._opened()
        return await transport.asend(session, settings, call)

    def renew(self, outdated: ConnectionSettings) -> None:
        """Look the connection up again before the next call, since its key was refused.

        :param outdated: what the refused call used; if that is no longer current, somebody was quicker.
        """
        opening = self._opening
        if (
            opening is None
            or not opening.done()
            or _has_failed(opening)
            or opening.result()[0] is not outdated
        ):
            return
        # Others may be in the middle of a call on it: closed with the last user.
        self._outdated.append(opening.result()[1])
        self._opening = None

    async def _opened(self) -> tuple[ConnectionSettings, aiohttp.ClientSession]:
        failed = self._opening is not None and self._opening.done() and _has_failed(self._opening)
        if self._opening is None or failed:
            self._opening = asyncio.create_task(self._open())
        # One waiter that is cancelled must not take the others' look-up with it.
        return await asyncio.shield(self._opening)

    async def _open(self) -> tuple[ConnectionSettings, aiohttp.ClientSession]:
        settings = await self._look_up()
        tls = await asyncio.to_thread(transport.tls_context, settings)
        return settings, transport.open_session(settings, tls)

    async def close(self) -> None:
        """Close the session; an opening under way is given up."""
        opening, self._opening = self._opening, None
        sessions, self._outdated = self._outdated, []
        if opening is not None and not opening.done():
            opening.cancel()
        elif opening is not None and not _has_failed(opening):
            sessions.append(opening.result()[1])
        for session in sessions:
            await session.close()


def _has_failed(task: asyncio.Task[Any]) -> bool:
    return task.cancelled() or task.exception() is not None


_clients: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, SharedClient]] = (
    weakref.WeakKeyDictionary()
)


@asynccontextmanager
async def shared_client(conn_id: str, look_up: LookUp) -> AsyncIterator[SharedClient]:
    """The client of a connection in the running event loop; closed when its last user leaves.

    :param conn_id: the connection's id.
    :param look_up: reads the connection, if this is the first user.
    """
    of_loop = _clients.setdefault(asyncio.get_running_loop(), {})
    client = of_loop.setdefault(conn_id, SharedClient(look_up))
    client.users += 1
    try:
        yield client
    finally:
        client.users -= 1
        if not client.users:
            if of_loop.get(conn_id) is client:
                del of_loop[conn_id]
            await client.close()
