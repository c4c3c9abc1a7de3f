"""A gateway and its CDN in one process: finished generations whose outputs are files of a folder, by sendfile.

Run as ``python origin.py FOLDER [BYTES_PER_SECOND]``; prints its address, ends with standard input. The task
``a+b`` has the files ``a`` and ``b`` as outputs.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

_REST = re.compile(r"bytes=(\d+)-")


class _Origin(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, folder: Path, pace: int) -> None:
        self.folder, self.pace = folder, pace
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request, client_address) -> None:
        """A caller that hangs up is part of the game."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    server: _Origin

    def do_GET(self) -> None:
        path = unquote(self.path.partition("?")[0])
        if path.startswith("/v1/tasks/"):
            self._task(path.rpartition("/")[2])
        else:
            self._file(self.server.folder / path.rpartition("/")[2])

    def _task(self, name: str) -> None:
        host = self.headers["Host"]
        body = json.dumps(
            {
                "id": name,
                "status": "SUCCEEDED",
                "createdAt": "2026-11-20T12:00:00.000Z",
                "output": [f"http://{host}/files/{part}?_jwt=secret" for part in name.split("+")],
                "cost": {"credits": 25},
            }
        ).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _file(self, path: Path) -> None:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            rest = _REST.fullmatch(self.headers.get("Range", ""))
            start = int(rest[1]) if rest else 0
            self.send_response(206 if rest else 200)
            self.send_header("Content-Type", "video/mp4")
            self.send_header("ETag", f'"{size}"')
            self.send_header("Content-Length", str(size - start))
            if rest:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.end_headers()
            self.wfile.flush()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            piece = max(1, self.server.pace // 20) if self.server.pace else 2**20
            while start < size:
                start += os.sendfile(self.connection.fileno(), file.fileno(), start, min(piece, size - start))
                if self.server.pace:
                    time.sleep(0.05)

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def origin(folder: Path, pace: int = 0):
    """The server as a process of its own; gives its address.

    :param folder: where the files are.
    :param pace: bytes per second of each download; 0 = as fast as it goes.
    """
    process = subprocess.Popen(
        [sys.executable, __file__, str(folder), str(pace)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(10)


if __name__ == "__main__":
    server = _Origin(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdin.read()
