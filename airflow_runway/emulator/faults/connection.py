"""TCP connections: answers at once, and ends from inside an ASGI application, which ASGI itself cannot do."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
from starlette.responses import Response
from uvicorn.protocols.http.auto import AutoHTTPProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from starlette.types import Message, Receive, Scope, Send

#: Where a request finds the transport of its connection: ``scope["state"]``, which uvicorn copies from the
#: connection's ``app_state``.
_KEY = "emulator.transport"


class ConnectionProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """uvicorn's own HTTP/1.1 protocol (httptools where installed), whose requests can reach their connection.

    It also turns off Nagle's algorithm. uvicorn sends the head of an answer and its body separately, so that
    the body would wait until the client's delayed acknowledgement of the head: 40 ms per request on a
    kept-alive connection. asyncio turns it off by itself, but only for sockets whose protocol number is TCP's;
    connections of a listener made by :func:`socket.create_server` have the number 0.
    """

    app_state: dict[str, Any]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop for every new connection."""
        connection = transport.get_extra_info("socket")
        if connection is not None:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.app_state = {**self.app_state, _KEY: transport}
        super().connection_made(transport)


async def drop(scope: Scope, receive: Receive) -> None:
    """Closes the connection: bytes already sent are delivered, nothing follows.

    :param scope: ASGI scope of the request in hand.
    :param receive: its ASGI channel.
    :raises ConnectionAbortedError: where no transport is known, that is in tests without a server.
    """
    transport: asyncio.Transport | None = scope.get("state", {}).get(_KEY)
    if transport is None:
        raise ConnectionAbortedError("The emulator drops this connection.")
    transport.close()
    # uvicorn answers 500 for an application that returns before it has noticed the loss.
    message: Message = {"type": ""}
    while message["type"] != "http.disconnect":
        message = await receive()


@dataclass(slots=True)
class ListenerSwitch:
    """How to stop listening for a while.

    :param refuse: does so for some real seconds; set by the server, ``None`` where none runs (tests).
    """

    refuse: Callable[[float], None] | None = None


class Dropped(Response):
    """No answer at all: the connection closes, at once or after a while.

    :param seconds: real seconds to wait first.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__()
        self.seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Waits, then closes the connection."""
        await anyio.sleep(self.seconds)
        await drop(scope, receive)


class CutShort(Response):
    """An answer that declares more bytes than it sends before the connection closes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the first half, then closes the connection."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        half = bytes(self.body[: max(1, len(self.body) // 2)])
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await drop(scope, receive)
