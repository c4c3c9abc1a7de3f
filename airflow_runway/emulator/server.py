"""Runs the application under uvicorn."""

from __future__ import annotations

import asyncio
import contextlib
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
from airflow_runway.emulator.connection import OpenHandedProtocol
from airflow_runway.emulator.state import Emulator

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

#: Real seconds that open requests get when the emulator stops.
_GRACE = 1
_BACKLOG = 2048


class _Server(uvicorn.Server):
    """Announces itself when it really listens, and ends with status 0 on a signal."""

    def __init__(self, config: uvicorn.Config, ready: str) -> None:
        super().__init__(config)
        self._ready = ready

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
    api_keys: Collection[str],
    until_stdin_closes: bool,
) -> None:
    """Serves until SIGTERM, SIGINT or, if asked, the end of standard input.

    :param host: address to listen on.
    :param port: port to listen on; 0 = any free one.
    :param speed: world seconds per real second.
    :param seconds: length of a generation in world seconds.
    :param api_keys: the keys that are let in; none = any.
    :param until_stdin_closes: stop when standard input ends, that is when a parent holding it is gone.
    :raises OSError: if the address cannot be used.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with (
        socket.create_server((host, port), family=family, backlog=_BACKLOG) as listener,
        tempfile.TemporaryDirectory(prefix="runway-emulator-") as folder,
    ):
        emulator = Emulator(Path(folder), speed=speed, seconds=seconds, api_keys=api_keys)
        config = uvicorn.Config(
            make_app(emulator),
            http=OpenHandedProtocol,
            ws="none",
            lifespan="off",
            log_level="warning",
            access_log=False,
            timeout_graceful_shutdown=_GRACE,
        )
        shown = f"[{host}]" if family == socket.AF_INET6 else host
        address = f"http://{shown}:{listener.getsockname()[1]}"
        server = _Server(config, f"runway emulator listening on {address}")
        if until_stdin_closes:
            threading.Thread(target=_watch_stdin, args=(server,), daemon=True).start()
        asyncio.run(server.serve(sockets=[listener]))


def _watch_stdin(server: uvicorn.Server) -> None:
    # os.read and not sys.stdin: a thread inside a buffered reader makes the interpreter's exit fail.
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            pass
    # Looked at ten times a second by uvicorn's main loop.
    server.should_exit = True
