"""A gateway and a proxy on real sockets, which misbehave as told. What is charged is counted here."""

from __future__ import annotations

import json
import re
import socket
import ssl
import struct
import threading
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: Between two bytes, or two answers of an endless row. Nothing waits for it.
_BEAT = 0.01


class Server:
    """Accepts connections, each in a thread of its own. Refuses them all if it is not started."""

    def __init__(self) -> None:
        self._listener = socket.socket()
        self._listener.bind(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._accepting: threading.Thread | None = None
        self.ending = threading.Event()

    def start(self) -> None:
        self._listener.listen(64)
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.add(connection)
            self.run(self._serve_and_close, connection)

    def run(self, work: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve_and_close(self, connection: socket.socket) -> None:
        with suppress(OSError, ssl.SSLError, ValueError):
            self.serve(connection)
        with suppress(OSError):
            connection.close()

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError

    def settle(self) -> None:
        """Wait until every connection has been dealt with: only then is it known what was charged."""
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def close(self) -> None:
        self.ending.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        if self._accepting:
            self._accepting.join()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()


def head_of(connection: socket.socket) -> bytes:
    """The head of a request, and not a byte of its body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = connection.recv(1)
        if not byte:
            raise ConnectionError("no request")
        head += byte
    return head


def body_of(connection: socket.socket, head: bytes) -> bytes:
    found = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    length = int(found[1]) if found else 0
    body = b""
    while len(body) < length:
        piece = connection.recv(length - len(body))
        if not piece:
            raise ConnectionError("the body broke off")
        body += piece
    return body


def reset(connection: socket.socket) -> None:
    """Close with a TCP reset; TLS says nothing either."""
    raw = socket.socket(fileno=connection.detach())
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raw.close()


def says(status: str, body: object = None, *headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(content)}", "Connection: close", "", ""]
    return "\r\n".join(lines).encode() + content


class Gateway(Server):
    """Charges once it has read a whole body that it does not refuse, then does as :attr:`behaviour` says.

    :param tls: what it shows, if it speaks TLS.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._tls = tls
        self.behaviour = "accept"
        self.charges = 0
        #: Set as soon as a connection stands, through TLS, and as soon as a head has been read.
        self.connected, self.addressed = threading.Event(), threading.Event()
        self.charged = threading.Event()
        self._lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True)
        try:
            self.connected.set()
            head = head_of(connection)
            self.addressed.set()
            if self.behaviour == "cut before the body":
                reset(connection)
                return
            assert json.loads(body_of(connection, head))["promptText"]
            self._answer(connection)
        finally:
            connection.close()

    def _charge(self) -> str:
        with self._lock:
            self.charges += 1
            self.charged.set()
            return f"task-{self.charges}"

    def _answer(self, connection: socket.socket) -> None:
        refusal = _REFUSALS.get(self.behaviour)
        if self.behaviour == "429 once":
            self.behaviour = "accept"
            refusal = says("429 Too Many Requests", {"error": "slow down"}, "Retry-After: 0")
        if refusal:
            connection.sendall(refusal)
            return
        accepted = self._charge()
        if self.behaviour == "reset":
            reset(connection)
        elif self.behaviour == "silence":
            connection.recv(1)
        elif self.behaviour in _ENDLESS:
            first, again = _ENDLESS[self.behaviour]
            connection.sendall(first.replace(b"ID", accepted.encode()))
            while not self.ending.wait(_BEAT):
                connection.sendall(again)
        elif self.behaviour != "close":
            connection.sendall(_ANSWERS[self.behaviour].replace(b"ID", accepted.encode()))


_GOOD = b'{"id": "ID"}'
_HINTS = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
#: Answers of a gateway that has charged; ``ID`` stands for the id.
_ANSWERS = {
    "accept": _OK + b"Connection: close\r\n\r\n" + _GOOD,
    "accept behind 103": _HINTS + _OK + b"Connection: close\r\n\r\n" + _GOOD,
    "garbage": b"\x00\x16\x03 this is no HTTP\r\n\r\n",
    "two lengths": _OK + b"Content-Length: 5\r\nContent-Length: 12\r\n\r\n" + _GOOD,
    "bad chunk": _OK + b'Transfer-Encoding: chunked\r\n\r\nzz\r\n{"i',
    "cut behind the id": _OK + b'Content-Length: 999\r\nConnection: close\r\n\r\n{"id": "ID", "st',
    "chunk cut behind the id": _OK + b'Transfer-Encoding: chunked\r\n\r\nfff\r\n{"id": "ID", "st',
    "303": says("303 See Other", None, "Location: /tasks"),
    "502": says("502 Bad Gateway", b"<html>sorry</html>", "Content-Type: text/html"),
    "500 with id": _OK.replace(b"200 OK", b"500 Oops") + b"Connection: close\r\n\r\n" + _GOOD,
}
#: What is sent first, and then for ever.
_ENDLESS = {
    "endless 100": (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless 103": (b"", _HINTS),
    "endless head": (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
    "endless body": (_OK + b"Content-Length: 99999\r\n\r\n", b" "),
    "endless behind the id": (_OK + b'Content-Length: 99999\r\n\r\n{"id": "ID", "slow": "', b"x"),
}
#: Answers of somebody who takes nothing: no charge.
_REFUSALS = {
    "302": says("302 Found", None, "Location: https://127.0.0.1/elsewhere"),
    "302 to nowhere": says("302 Found", None, "Location: http://[bad"),
    "422": says("422 Unprocessable", {"error": "Validation of body failed"}),
}


class Proxy(Server):
    """An HTTP proxy that forwards, and one that tunnels, in one; misbehaves as :attr:`behaviour` says.

    :param charged: set when the gateway behind has charged.
    """

    def __init__(self, charged: threading.Event) -> None:
        super().__init__()
        self._charged = charged
        #: Of every request that arrived.
        self.heads: list[bytes] = []
        self.behaviour = "pass on"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, connection: socket.socket) -> None:
        head = head_of(connection)
        self.heads.append(head)
        method, target, _ = head.split(b" ", 2)
        if self.behaviour in _PROXY_SAYS:
            # A request of more than a head is read first, as a proxy does.
            body_of(connection, head)
            connection.sendall(_PROXY_SAYS[self.behaviour])
            return
        if self.behaviour == "die":
            return
        address = target if method == b"CONNECT" else target.split(b"/")[2]
        port = int(address.rpartition(b":")[2])
        with socket.create_connection(("127.0.0.1", port)) as upstream:
            self._open.add(upstream)
            if method == b"CONNECT":
                connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                upstream.sendall(head)
            back = threading.Thread(target=_pump, args=(upstream, connection), daemon=True)
            back.start()
            if self.behaviour == "die after passing on":
                self.run(self._die_once_charged, connection, upstream)
            _pump(connection, upstream)
            back.join()

    def _die_once_charged(self, *sides: socket.socket) -> None:
        self._charged.wait(10)
        for side in sides:
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)


_PROXY_SAYS = {
    "403": says("403 Forbidden", b"<html>not there</html>", "Content-Type: text/html"),
    "407": says("407 Proxy Authentication Required", None, 'Proxy-Authenticate: Basic realm="x"'),
    "502": says("502 Bad Gateway", b"<html>cannot</html>", "Content-Type: text/html"),
}


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Copy until either side ends, then pass the end on."""
    with suppress(OSError):
        while piece := source.recv(65536):
            target.sendall(piece)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)
