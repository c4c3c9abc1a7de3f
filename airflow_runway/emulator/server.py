"""Runs the application under uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import signal
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import uvicorn

from airflow_runway.emulator.app import make_app
from airflow_runway.emulator.faults.connection import ConnectionProtocol
from airflow_runway.emulator.state import Emulator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

#: Real seconds that open requests get when the emulator stops.
_GRACE = 1
_BACKLOG = 2048


class _Server(uvicorn.Server):
    """Announces itself when it really listens, can refuse connections for a while, and ends with status 0."""

    def __init__(self, config: uvicorn.Config, ready: str, reopen: Callable[[], socket.socket]) -> None:
        super().__init__(config)
        self._ready = ready
        self._reopen = reopen
        self._refusing: asyncio.Task[None] | None = None

    def refuse(self, seconds: float) -> None:
        """Refuses connections for a while, beginning when the request in hand has been answered.

        :param seconds: real seconds.
        """
        if self._refusing is None or self._refusing.done():
            self._refusing = asyncio.get_running_loop().create_task(self._refuse(seconds))

    async def _refuse(self, seconds: float) -> None:
        for server in self.servers:
            server.close()
        # Kept-alive connections would go on being served.
        for connection in list(self.server_state.connections):
            connection.shutdown()
        await asyncio.sleep(seconds)
        protocol = functools.partial(
            ConnectionProtocol,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        loop = asyncio.get_running_loop()
        self.servers = [await loop.create_server(protocol, sock=self._reopen())]

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        sys.stdout.write(f"{self._ready}\n")
        sys.stdout.flush()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn's own version raises the signal again afterwards, and the process would die of it.
        earlier = {sig: signal.signal(sig, self.handle_exit) for sig in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for sig, handler in earlier.items():
                signal.signal(sig, handler)


def run(
    *,
    host: str,
    port: int,
    speed: float,
    seconds: float,
    lenient: bool,
    api_keys: Collection[str],
    hosts: Collection[str] = (),
    until_stdin_closes: bool,
) -> None:
    """Serves until SIGTERM, SIGINT or, if asked, the end of standard input.

    :param host: address to listen on.
    :param port: port to listen on; 0 = any free one.
    :param speed: world seconds per real second.
    :param seconds: length of a generation in world seconds.
    :param lenient: accept models, fields and values that the catalogue does not know.
    :param api_keys: the keys that are let in; none = any.
    :param hosts: further names that control requests may be sent to.
    :param until_stdin_closes: stop when standard input ends, that is when a parent holding it is gone.
    :raises OSError: if the address cannot be used.
    """
    with (
        listen(host, port) as listener,
        tempfile.TemporaryDirectory(prefix="runway-emulator-") as folder,
    ):
        emulator = Emulator(
            Path(folder), speed=speed, seconds=seconds, lenient=lenient, api_keys=api_keys, hosts=hosts
        )
        config = uvicorn.Config(
            make_app(emulator, calling_back=True),
            http=ConnectionProtocol,
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_GRACE,
        )
        shown = f"[{host}]" if ":" in host else host
        bound = listener.getsockname()[1]
        ready = f"runway emulator listening on http://{shown}:{bound}"
        server = _Server(config, ready, lambda: listen(host, bound))
        emulator.listener.refuse = server.refuse
        if until_stdin_closes:
            threading.Thread(target=_watch_stdin, args=(server,), daemon=True).start()
        asyncio.run(server.serve(sockets=[listener]))


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    :param host: address to listen on.
    :param port: port to listen on; 0 = any free one.
    :raises OSError: if the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=_BACKLOG)


def _watch_stdin(server: uvicorn.Server) -> None:
    # os.read and not sys.stdin: a thread inside a buffered reader makes the interpreter's exit fail.
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    # Looked at ten times a second by uvicorn's main loop.
    server.should_exit = True
