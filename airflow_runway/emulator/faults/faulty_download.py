"""Downloads that go wrong, as a rule of one of :data:`~airflow_runway.emulator.faults.kinds.DOWNLOADS` asks."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING

import anyio
from starlette.responses import FileResponse, Response

from airflow_runway.emulator.faults.connection import drop
from airflow_runway.emulator.faults.wrong_answers import STEP

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.types import Receive, Scope, Send

    from airflow_runway.emulator.faults.rule import Fault

_CHUNK = 1 << 16
_REST = re.compile(r"bytes=(\d{1,15})-")
#: Kinds that end with a closed connection after their field ``bytes``.
_CUT = frozenset({"drop", "stall", "expire"})


class FaultyDownload(Response):
    """A file, sent as far and as truly as a rule lets it.

    :param file: what to send.
    :param content_type: its MIME type.
    :param fault: the rule.
    :param asked: the request's ``Range``; only "from here to the end" is understood.
    """

    def __init__(self, file: Path, content_type: str, fault: Fault, asked: str = "") -> None:
        super().__init__(media_type=content_type)
        self._file, self._fault, self._kind = file, fault, fault.kind
        self._size = file.stat().st_size
        rest = _REST.fullmatch(asked)
        self._start = int(rest[1]) if rest and fault.kind != "ignore_range" else 0
        if self._start >= self._size:
            self._start = 0
        # The very headers of the right answer, entity tag included: a fault does not announce itself.
        right = FileResponse(file, media_type=content_type, stat_result=file.stat())
        for name in ("etag", "last-modified", "accept-ranges"):
            if name in right.headers:
                self.headers[name] = right.headers[name]
        self.status_code = 206 if self._start else 200
        total = self._size + int(fault.number("more"))
        self.headers["content-length"] = str(total - self._start)
        if self._start:
            self.headers["content-range"] = f"bytes {self._start}-{total - 1}/{total}"
        if fault.kind in ("corrupt", "wrong_digest"):
            told = b"something else" if fault.kind == "wrong_digest" else file.read_bytes()
            digest = base64.b64encode(hashlib.sha256(told).digest()).decode()
            self.headers["repr-digest"] = f"sha-256=:{digest}:"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends the file as far as the rule lets it."""
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **head})
        if scope["method"] != "HEAD":
            await self._send_body(send)
        if self._kind == "stall":
            await anyio.sleep(self._fault.number("seconds"))
        if self._kind in _CUT or self._kind == "wrong_length":
            await drop(scope, receive)
        else:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send_body(self, send: Send) -> None:
        sent, left = 0, self._size - self._start
        if self._kind in _CUT:
            left = min(left, int(self._fault.number("bytes")))
        chunk, pause = _CHUNK, 0.0
        if self._kind == "slow":
            chunk, pause = max(1, int(self._fault.number("bytes_per_second") * STEP)), STEP
        async with await anyio.open_file(self._file, "rb") as file:
            await file.seek(self._start)
            while left:
                piece = await file.read(min(chunk, left))
                left -= len(piece)
                if self._kind == "corrupt":
                    piece = _corrupted(piece, int(self._fault.number("bytes")) - sent)
                sent += len(piece)
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                await anyio.sleep(pause)


def _corrupted(piece: bytes, right: int) -> bytes:
    """A piece whose first ``right`` bytes are the right ones."""
    right = min(max(right, 0), len(piece))
    return piece[:right] + bytes(byte ^ 0xFF for byte in piece[right:])
