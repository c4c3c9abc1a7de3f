"""One aiohttp session and one connection look-up for everybody who uses a connection in an event loop.

In a triggerer a look-up takes some 20 ms and is served one after another, and a session of one's own costs
six times the CPU per read: a thousand waiting clips must share both. Sessions are kept per event loop,
because ``dag.test()`` and tests make a new loop each time, and closed with their last user.

A look-up is good for ten minutes, or until the key is refused. It is then repeated once for all, behind their
backs where the old one still works; a session whose connection has changed is closed after its last call.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_runway.core.facts import CoreError
from airflow_runway.core.protocol.calls import NoAnswerError
from airflow_runway.exceptions import error_of, runway_errors
from airflow_runway.hooks import _network, _transport

if TYPE_CHECKING:
    import aiohttp

    from airflow_runway.core.protocol.calls import Call, Exchange
    from airflow_runway.core.protocol.connection import ConnectionSettings
    from airflow_runway.core.protocol.responses import Response

T = TypeVar("T")

LookUp = Callable[[], Coroutine[Any, Any, "ConnectionSettings"]]

#: Seconds for which a connection that was looked up is used without asking again.
LOOK_UP_LIFETIME = 600.0
#: Seconds until it is asked again, if that failed.
LOOK_UP_PAUSE = 60.0


@dataclass(slots=True, eq=False)
class _Opened:
    """A session, and the connection that it was opened for."""

    settings: ConnectionSettings
    session: aiohttp.ClientSession
    #: Time of the event loop.
    fresh_until: float
    calls: int = 0
    outdated: bool = False


class SharedSession:
    """Opened by its first call, by whoever comes first; all others wait for that.

    :param look_up: reads the connection.
    """

    def __init__(self, look_up: LookUp) -> None:
        self.users = 0
        self._look_up = look_up
        self._current: _Opened | None = None
        self._outdated: set[_Opened] = set()
        self._opening: asyncio.Task[_Opened] | None = None
        self._refreshing: asyncio.Task[None] | None = None
        self._closings: set[asyncio.Task[None]] = set()

    async def settings(self) -> ConnectionSettings:
        """The connection, looked up once."""
        return (await self._opened()).settings

    async def send(self, call: Call) -> Response:
        """Send a call over the shared session.

        :param call: what to send.
        :raises NoAnswerError: if no answer came.
        """
        return await self._send(await self._opened(), call)

    async def run(self, begin: Callable[[ConnectionSettings], Exchange[T]]) -> T:
        """Run an exchange over the shared session. A refused key has the connection looked up anew.

        :param begin: makes the exchange, once the connection is known.
        :raises Exception: what the exchange comes to, or what kept the connection from being looked up.
        """
        opened = await self._opened()
        exchange = begin(opened.settings)
        try:
            call = next(exchange)
            while True:
                try:
                    response = await self._send(opened, call)
                except NoAnswerError as silence:
                    call = exchange.throw(silence)
                else:
                    call = exchange.send(response)
        except StopIteration as end:
            result: T = end.value
            return result
        except CoreError as error:
            # Not ``runway_errors``: a thousand clips are read through here.
            if error.facts.key_refused:
                self.renew(opened.settings)
            raise error_of(error.facts) from None

    def renew(self, outdated: ConnectionSettings) -> None:
        """Look the connection up again before the next call, since its key was refused.

        :param outdated: what the refused call used; if that is no longer current, somebody was quicker.
        """
        if self._current is not None and self._current.settings is outdated:
            opened, self._current = self._current, None
            self._retire(opened)

    async def _send(self, opened: _Opened, call: Call) -> Response:
        opened.calls += 1
        try:
            return await _transport.asend(opened.session, opened.settings, call)
        finally:
            opened.calls -= 1
            if opened.outdated and not opened.calls:
                self._retire(opened)

    async def _opened(self) -> _Opened:
        current = self._current
        if current is None:
            if self._opening is None or self._opening.done():
                self._opening = asyncio.create_task(self._open())
                self._opening.add_done_callback(_look_at_error)
            # One waiter that is cancelled must not take the others' look-up with it.
            return await asyncio.shield(self._opening)
        if asyncio.get_running_loop().time() >= current.fresh_until and self._refreshing is None:
            self._refreshing = asyncio.create_task(self._refresh(current))
        return current

    async def _open(self) -> _Opened:
        return await self._opened_for(await self._look_up())

    async def _opened_for(self, settings: ConnectionSettings) -> _Opened:
        with runway_errors():
            tls = await asyncio.to_thread(_network.tls_context, settings)
            session = _transport.open_session(settings, tls)
        fresh_until = asyncio.get_running_loop().time() + LOOK_UP_LIFETIME
        self._current = _Opened(settings, session, fresh_until)
        return self._current

    async def _refresh(self, current: _Opened) -> None:
        current.fresh_until = asyncio.get_running_loop().time() + LOOK_UP_PAUSE
        try:
            settings = await self._look_up()
            if settings == current.settings:
                current.fresh_until = asyncio.get_running_loop().time() + LOOK_UP_LIFETIME
            elif self._current is current:
                await self._opened_for(settings)
                self._retire(current)
        except Exception:  # noqa: S110 - the old one still works; it is asked again in a minute
            pass
        finally:
            self._refreshing = None

    def _retire(self, opened: _Opened) -> None:
        """Close a session, but not under the calls of others."""
        opened.outdated = True
        if opened.calls:
            self._outdated.add(opened)
            return
        self._outdated.discard(opened)
        closing = asyncio.create_task(opened.session.close())
        self._closings.add(closing)
        closing.add_done_callback(self._closings.discard)

    async def close(self) -> None:
        """Close all sessions; an opening under way is given up."""
        begun = [task for task in (self._opening, self._refreshing) if task is not None and not task.done()]
        for task in begun:
            task.cancel()
        await asyncio.gather(*begun, return_exceptions=True)
        left = [*self._outdated, *([self._current] if self._current else [])]
        self._current = None
        self._outdated.clear()
        for opened in left:
            await opened.session.close()
        await asyncio.gather(*self._closings, return_exceptions=True)


def _look_at_error(task: asyncio.Task[Any]) -> None:
    """Keep asyncio from complaining where every waiter has gone meanwhile."""
    if not task.cancelled():
        task.exception()


_sessions: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, SharedSession]] = (
    weakref.WeakKeyDictionary()
)
_closings: set[asyncio.Task[None]] = set()


@asynccontextmanager
async def shared_session(conn_id: str, look_up: LookUp) -> AsyncIterator[SharedSession]:
    """The session of a connection in the running event loop; closed when its last user leaves.

    :param conn_id: the connection's id.
    :param look_up: reads the connection, if this is the first user.
    """
    of_loop = _sessions.setdefault(asyncio.get_running_loop(), {})
    session = of_loop.setdefault(conn_id, SharedSession(look_up))
    session.users += 1
    try:
        yield session
    finally:
        session.users -= 1
        if not session.users:
            if of_loop.get(conn_id) is session:
                del of_loop[conn_id]
            await finish_despite_cancellation(session.close())


async def finish_despite_cancellation(work: Coroutine[Any, Any, None]) -> None:
    """Wait for work that goes on to its end even if the waiting is cancelled.

    :param work: e.g. closing a session: Airflow cancels a trigger again every second.
    """
    task = asyncio.create_task(work)
    _closings.add(task)
    task.add_done_callback(_closings.discard)
    await asyncio.shield(task)
