"""A server that drips: whatever part it is, a read ends with its time-out, with requests and with aiohttp.

Each would go on for ever; that the call ends at all, with an error that says so, is what is tested.
"""

from __future__ import annotations

import asyncio
import socket
import threading

import pytest

from airflow_runway.exceptions import RunwayReadError
from airflow_runway.hooks.runway import RunwayHook

PATIENCE = 0.3
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
ANSWER = b'{"id": "t1", "status": "RUNNING"}'
#: What comes at once, and what comes for ever.
DRIPS = {
    "nothing": (b"", b""),
    "status line": (b"HTTP/1.1 2", b"0"),
    "header": (HEAD + b"X-Odd: ", b"x"),
    "headers": (HEAD, b"X-Odd: 1\r\n"),
    "100 Continue": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "102 Processing": (b"", b"HTTP/1.1 102 Processing\r\n\r\n"),
    "body": (HEAD + b"Content-Length: 100000\r\n\r\n", b" "),
    "chunk": (HEAD + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n", b" "),
    "chunk size": (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
    "body without end": (HEAD + b"\r\n", b" "),
}


class Dripping:
    """Answers so many requests of a connection properly, and then drips for ever."""

    def __init__(self, begin, drop, *, proper=0, before=b""):
        self._begin, self._drop, self._proper, self._before = begin, drop, proper, before
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._over = threading.Event()
        self._connections = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while not self._over.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        try:
            for _ in range(self._proper):
                if not connection.recv(65_536):
                    return
                length = f"Content-Length: {len(ANSWER)}\r\n\r\n".encode()
                connection.sendall(HEAD + length + ANSWER)
            connection.recv(65_536)
            connection.sendall(self._begin)
            while not self._over.wait(0.02):
                if self._drop:
                    connection.sendall(self._drop)
        except OSError:
            return

    def close(self):
        self._over.set()
        self._socket.close()
        for connection in self._connections:
            connection.close()


@pytest.fixture
def dripping():
    servers = []

    def made(*args, **fields):
        servers.append(Dripping(*args, **fields))
        return servers[-1]

    yield made
    for server in servers:
        server.close()


@pytest.fixture
def hook(set_connection):
    def made(url, **extra):
        set_connection(url, allow_insecure_http=True, **extra)
        return RunwayHook().detached(PATIENCE)

    return made


def read(hook, library):
    if library == "requests":
        return hook.get_task("t1")

    async def impatient():
        return hook.settings

    # An event loop looks the connection up anew.
    hook.asettings = impatient
    return asyncio.run(hook.aget_task("t1"))


LIBRARIES = pytest.mark.parametrize("library", ["requests", "aiohttp"])


@LIBRARIES
@pytest.mark.parametrize("drip", DRIPS)
def test_it_ends(dripping, hook, drip, library):
    server = dripping(*DRIPS[drip])
    with pytest.raises(RunwayReadError):
        read(hook(f"http://127.0.0.1:{server.port}"), library)


@LIBRARIES
def test_it_says_why(dripping, hook, library):
    server = dripping(*DRIPS["header"])
    with pytest.raises(RunwayReadError, match=r"not there within 0\.3 s"):
        read(hook(f"http://127.0.0.1:{server.port}"), library)


def test_on_a_connection_that_was_used_before(dripping, hook):
    server = dripping(*DRIPS["body"], proper=2)
    one = hook(f"http://127.0.0.1:{server.port}")
    assert one.get_task("t1").status == one.get_task("t1").status == "RUNNING"
    with pytest.raises(RunwayReadError):
        one.get_task("t1")


@LIBRARIES
@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 Connection established\r\nX: "])
def test_through_a_proxy(dripping, hook, library, answer):
    proxy = dripping(answer, b"x")
    with pytest.raises(RunwayReadError):
        read(hook("https://gateway.example", proxies={"https": f"http://127.0.0.1:{proxy.port}"}), library)


@LIBRARIES
@pytest.mark.parametrize("answer", [b"", b"\x16\x03\x03\x40\x00\x02", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_in_the_handshake(dripping, hook, library, answer):
    """Silence, a ServerHello without end, and no TLS at all."""
    server = dripping(answer, b"\x00" if answer[:1] == b"\x16" else b"")
    with pytest.raises(RunwayReadError):
        read(hook(f"https://127.0.0.1:{server.port}"), library)


def test_no_thread_is_left(dripping, hook):
    server = dripping(*DRIPS["body"])
    with pytest.raises(RunwayReadError):
        hook(f"http://127.0.0.1:{server.port}").get_task("t1")
    assert not [one for one in threading.enumerate() if one.name == "runway-deadline"]
