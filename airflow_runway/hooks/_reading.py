"""An answer as far as it has come: bounded, and kept when it breaks off, since an id may be in it."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING

from airflow_runway.core.protocol.responses import Response
from airflow_runway.hooks._network import causes_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    import aiohttp
    import requests

    from airflow_runway.core.key_mask import KeyMask

#: Bytes of an answer that are read; Runway's are a few hundred.
LARGEST_ANSWER = 4 * 2**20
_PIECE = 64 * 2**10


class Arriving:
    """One answer, from its status line on.

    :param mask: replaces the connection's key, before anybody makes anything of what has come.
    """

    def __init__(self, mask: KeyMask) -> None:
        self._mask = mask
        self._status: int | None = None
        self._headers: Mapping[str, str] = {}
        self._body = bytearray()
        self._truncated = False

    def read(self, answer: requests.Response) -> None:
        """Read from requests. What is raised on the way leaves what has come.

        :param answer: a streamed answer.
        """
        self._begin(answer.status_code, dict(answer.headers))
        # A short body is noticed below; urllib3 would throw away what did come.
        answer.raw.enforce_content_length = False
        promised = self._headers.get("Content-Length", "")
        try:
            for piece in answer.iter_content(_PIECE):
                self._body += piece
                if len(self._body) > LARGEST_ANSWER:
                    self._truncated = True
                    return
        except Exception as error:
            # The beginning of a chunk whose end never came.
            self._body += next(filter(None, map(_partial, causes_of(error))), b"")
            raise
        if promised.isdigit() and "Content-Encoding" not in self._headers:
            self._truncated = len(self._body) < int(promised)

    async def aread(self, answer: aiohttp.ClientResponse) -> None:
        """Read from aiohttp; see :meth:`read`.

        :param answer: an answer of which nothing has been read.
        """
        self._begin(answer.status, dict(answer.headers))
        if answer.content.is_eof():
            # It came with its headers, as small answers do: no need for a loop.
            self._body += answer.content.read_nowait(LARGEST_ANSWER + 1)
            self._truncated = len(self._body) > LARGEST_ANSWER
            return
        async for piece in answer.content.iter_any():
            self._body += piece
            if len(self._body) > LARGEST_ANSWER:
                self._truncated = True
                return

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self._status, self._headers = status, headers

    def response(self, *, truncated: bool) -> Response | None:
        """What has come; ``None`` if not even a status line has.

        :param truncated: whether it is known to have broken off.
        """
        if self._status is None:
            return None
        truncated = self._truncated or truncated
        body = self._mask.body(bytes(self._body), truncated=truncated)
        return Response(self._status, self._mask.headers(self._headers), body, truncated)


def _partial(cause: BaseException) -> bytes:
    partial = cause.partial if isinstance(cause, http.client.IncompleteRead) else b""
    return partial if isinstance(partial, bytes) else b""
