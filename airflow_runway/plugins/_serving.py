"""A file as an answer to a browser: whole or a range of it, in pieces, and never as anything but media."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, BinaryIO, Final
from urllib.parse import quote

from starlette.responses import Response, StreamingResponse

from airflow_runway.core.media.types import EXTENSIONS, HEAD, sniff

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request

#: Bytes that are in memory at once.
PIECE: Final = 2**18
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
_SAFE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
}


def served(request: Request, file: BinaryIO, size: int, *, tag: str, name: str, download: bool) -> Response:
    """The answer, which closes the file.

    :param request: may ask for a range, or for nothing if the browser has it already.
    :param file: open for reading, seekable.
    :param size: its bytes.
    :param tag: another one whenever the content may be another one.
    :param name: the file's, for who stores it.
    :param download: whether a browser is to store it.
    """
    head = file.read(HEAD)
    media_type = sniff(head)
    if media_type not in EXTENSIONS:
        file.close()
        return Response("This is no picture, clip or sound.", 404, _SAFE, media_type="text/plain")
    etag = f'"{tag}-{size:x}"'
    headers = {
        **_SAFE,
        "Accept-Ranges": "bytes",
        "ETag": etag,
        "Cache-Control": "private, max-age=600",
        "Content-Disposition": f"{'attachment' if download else 'inline'}; filename*=UTF-8''{quote(name)}",
    }
    if etag in [one.strip() for one in request.headers.get("if-none-match", "").split(",")]:
        file.close()
        return Response(None, 304, headers)
    begin, end, status = 0, size, 200
    wanted = request.headers.get("range")
    if (
        wanted
        and request.headers.get("if-range", etag) == etag
        and (found := _RANGE.fullmatch(wanted.strip()))
    ):
        part = _part(found[1], found[2], size)
        if part is None:
            file.close()
            return Response(None, 416, {**headers, "Content-Range": f"bytes */{size}"})
        (begin, end), status = part, 206
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - begin)
    return StreamingResponse(_pieces(file, begin, end), status, headers, media_type=media_type)


def _part(first: str, last: str, size: int) -> tuple[int, int] | None:
    """What a range asks for, from and to; ``None`` if there is nothing of it."""
    if not first:
        length = min(int(last or 0), size)
        return (size - length, size) if length else None
    begin, end = int(first), min(int(last) + 1, size) if last else size
    return (begin, end) if begin < end else None


def _pieces(file: BinaryIO, begin: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(begin)
        while begin < end:
            piece = file.read(min(PIECE, end - begin))
            if not piece:
                return
            begin += len(piece)
            yield piece
