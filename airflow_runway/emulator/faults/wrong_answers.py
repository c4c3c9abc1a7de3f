"""The wrong answers that a fault rule asks for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
from starlette.responses import HTMLResponse, JSONResponse, Response

from airflow_runway.emulator.faults.connection import CutShort, Dropped
from airflow_runway.emulator.faults.kinds import AFTER_ACCEPT

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from airflow_runway.emulator.faults.rule import Fault

#: What is slow is paced in steps of about this many real seconds.
STEP = 0.1
_PAGE = "<!doctype html><title>Just a moment...</title><h1>Just a moment...</h1>"


def answer_for(fault: Fault, right: Response | None = None) -> Response:
    """The answer that a rule puts in place of the right one.

    :param fault: a rule of one of :data:`~airflow_runway.emulator.faults.kinds.ANSWERS`, with or without
        ``_after_accept``, or of :data:`~airflow_runway.emulator.faults.kinds.SLOW`.
    :param right: the right answer, if there is one already: a truncated answer is a part of it.
    """
    kind = fault.kind.removesuffix(AFTER_ACCEPT)
    if kind == "slow" and right is not None:
        return SlowAnswer(right, fault.number("bytes_per_second"))
    if kind == "drop":
        return Dropped()
    if kind == "hang":
        return Dropped(fault.number("seconds"))
    if kind == "html":
        return HTMLResponse(_PAGE)
    if kind == "empty":
        return JSONResponse({})
    if kind == "truncated":
        whole = (
            bytes(right.body) if right is not None and right.body else json.dumps({"id": "0" * 36}).encode()
        )
        return CutShort(whole, media_type="application/json")
    if kind == "redirect":
        return Response(
            status_code=int(fault.number("status")), headers={"location": fault.text("location") or ""}
        )
    return _status(fault)


def _status(fault: Fault) -> Response:
    status, body, headers = int(fault.number("status")), fault.fields["body"], fault.fields["headers"]
    # The rule was refused if they were anything else.
    headers = dict(headers) if isinstance(headers, dict) else {}
    if isinstance(body, str):
        return Response(body, status, headers, media_type="text/plain")
    if body is None:
        body = {"error": f"The emulator was told to answer {status}."}
    return JSONResponse(body, status, headers)


class SlowAnswer(Response):
    """The right answer, some bytes at a time.

    :param right: what to send.
    :param bytes_per_second: how fast, in real time.
    """

    def __init__(self, right: Response, bytes_per_second: float) -> None:
        super().__init__()
        self._right = right
        self._size = max(1, int(bytes_per_second * STEP))
        self._pause = self._size / max(1.0, bytes_per_second)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Sends head and body, pausing after each piece."""
        head = {"status": self._right.status_code, "headers": self._right.raw_headers}
        await send({"type": "http.response.start", **head})
        body = bytes(self._right.body)
        for start in range(0, len(body), self._size):
            piece = body[start : start + self._size]
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await anyio.sleep(self._pause)
        await send({"type": "http.response.body", "body": b"", "more_body": False})
