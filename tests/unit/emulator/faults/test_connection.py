"""What the emulator does with its TCP connections."""

from __future__ import annotations

import asyncio
import functools
import socket

import uvicorn
from uvicorn.server import ServerState

from airflow_runway.emulator.faults.connection import ConnectionProtocol
from airflow_runway.emulator.server import listen


async def test_no_answer_waits_for_the_acknowledgement_of_its_head() -> None:
    """Nagle's algorithm is off on accepted connections: 44 ms per request otherwise."""
    options: list[int] = []
    noted = asyncio.Event()

    class Noting(ConnectionProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(transport)
            accepted = transport.get_extra_info("socket")
            options.append(accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            transport.close()
            noted.set()

    async def application(scope: object, receive: object, send: object) -> None:
        raise AssertionError("nobody asks anything")

    config = uvicorn.Config(application, ws="none", log_config=None)
    config.load()
    protocol = functools.partial(Noting, config=config, server_state=ServerState(), app_state={})
    loop = asyncio.get_running_loop()
    async with await loop.create_server(protocol, sock=listen("127.0.0.1", 0)) as server:
        _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
        await asyncio.wait_for(noted.wait(), 5)
        writer.close()
        await writer.wait_closed()
    assert options[0] != 0
