"""Servers that drip: they say a little, or take a little, and never come to an end."""

from __future__ import annotations

import socket
import threading

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

    def __init__(self, begin, drop, *, proper=0, sip=65_536):
        self._begin, self._drop, self._proper, self._sip = begin, drop, proper, sip
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
            connection.recv(self._sip)
            connection.sendall(self._begin)
            while not self._over.wait(0.02):
                if self._sip == 1:
                    connection.recv(1)
                if self._drop:
                    connection.sendall(self._drop)
        except OSError:
            return

    def close(self):
        self._over.set()
        self._socket.close()
        for connection in self._connections:
            connection.close()
