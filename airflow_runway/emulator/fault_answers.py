"""The wrong answers that a fault rule asks for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse, Response

from airflow_runway.emulator.connection import CutShort, Dropped
from airflow_runway.emulator.faults import AFTER_ACCEPT

if TYPE_CHECKING:
    from airflow_runway.emulator.faults import Fault

_PAGE = "<!doctype html><title>Just a moment...</title><h1>Just a moment...</h1>"


def answer_for(fault: Fault, right: Response | None = None) -> Response:
    """The answer that a rule puts in place of the right one.

    :param fault: a rule of :data:`airflow_runway.emulator.faults.ANSWERS`, with or without ``_after_accept``.
    :param right: the right answer, if there is one already: a truncated answer is a part of it.
    """
    kind = fault.kind.removesuffix(AFTER_ACCEPT)
    fields = fault.fields
    if kind == "drop":
        return Dropped()
    if kind == "hang":
        return Dropped(float(fields["seconds"]))
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
        return Response(status_code=int(fields["status"]), headers={"location": str(fields["location"])})
    return _status(fields)


def _status(fields: dict[str, Any]) -> Response:
    status, body, headers = int(fields["status"]), fields["body"], fields["headers"]
    if isinstance(body, str):
        return Response(body, status, headers, media_type="text/plain")
    if body is None:
        body = {"error": f"The emulator was told to answer {status}."}
    return JSONResponse(body, status, headers)
