"""A scripted gateway on the loopback interface."""

from __future__ import annotations

import json
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "key_0123456789abcdef0123456789abcdef"


@dataclass
class Scripted:
    """One answer of the scripted gateway."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    #: Read the request, then close without a word.
    drop: bool = False
    #: Announce this many bytes more than are sent.
    missing: int = 0

    def payload(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


@dataclass
class Arrived:
    """One request as the scripted gateway saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    #: The usual five let the kernel drop the sixth caller, who tries again after a second, or after many.
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up in the middle is part of many a test."""


class ScriptedGateway:
    """Answers each request with the next of :attr:`script`; the last one is repeated."""

    def __init__(self) -> None:
        self.script: deque[Scripted] = deque()
        self.arrived: list[Arrived] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            # Head and body in one packet: two would wait for each other 40 ms.
            wbufsize = -1

            def _answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                raw = self.rfile.read(length)
                headers = {key.lower(): value for key, value in self.headers.items()}
                outer.arrived.append(
                    Arrived(self.command, self.path, headers, json.loads(raw) if raw else None)
                )
                scripted = outer.script.popleft() if len(outer.script) > 1 else outer.script[0]
                if scripted.drop:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                payload = scripted.payload()
                self.send_response(scripted.status)
                for name, value in {"Content-Type": "application/json", **scripted.headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(payload) + scripted.missing))
                self.end_headers()
                self.wfile.write(payload)
                if scripted.missing:
                    self.close_connection = True

            do_GET = do_POST = do_DELETE = _answer  # noqa: N815

            def log_message(self, *args: Any) -> None:
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answers(self, *script: Scripted) -> None:
        self.script = deque(script)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
