"""The body of a create, which knows whether it was ever asked for: the one fact that money rests on (decision 13).

Both libraries ask for a body only when the connection stands, through the proxy and with TLS, and the headers are
written. A body that nobody asked for has not left this machine, whatever was raised; one that was asked for may
have been read to its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import aiohttp

from airflow_runway.core.protocol.verdicts import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiohttp.abc import AbstractStreamWriter

_PIECE = 64 * 2**10


class HandOver:
    """Whether a body was handed over.

    :param then: told the first time.
    """

    def __init__(self, then: Callable[[], None]) -> None:
        self._then = then
        self.begun = False

    def begin(self) -> None:
        """Note that somebody asks for the body, before a byte of it is given."""
        if not self.begun:
            self.begun = True
            self._then()

    @property
    def delivery(self) -> Delivery:
        """How far the request got, if nothing was answered."""
        return Delivery.UNKNOWN if self.begun else Delivery.NOT_SENT


class ReadableBody:
    """A body for requests: a sized file that can be read once, so that no library can send it a second time.

    :param content: all of it.
    :param hand_over: told of the first read.
    """

    def __init__(self, content: bytes, hand_over: HandOver) -> None:
        self._content = memoryview(content)
        self._hand_over = hand_over
        self._at = 0

    def __len__(self) -> int:
        return len(self._content)

    def read(self, size: int = -1) -> bytes:
        """The next bytes.

        :param size: at most so many; all that is left if negative.
        """
        self._hand_over.begin()
        end = len(self._content) if size is None or size < 0 else self._at + size
        piece = bytes(self._content[self._at : end])
        self._at += len(piece)
        return piece


class WrittenBody(aiohttp.Payload):
    """A body for aiohttp, which writes itself once.

    Not a ``BytesPayload``, whose bytes could be taken without asking.

    :param content: all of it, JSON.
    :param hand_over: told when it is asked to write.
    """

    def __init__(self, content: bytes, hand_over: HandOver) -> None:
        super().__init__(content, content_type="application/json")
        self._content: bytes | None = content
        self._size = len(content)
        self._hand_over = hand_over

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """Refuse: whoever reads it without writing it would not be noticed.

        :param encoding: not used.
        :param errors: not used.
        """
        raise TypeError("the body of a create is only written")

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Write it, in pieces, so that a large one does not hold the event loop.

        :param writer: where to.
        """
        self._hand_over.begin()
        content, self._content = self._content, None
        if content is None:
            raise TypeError("the body of a create is written once")
        for start in range(0, len(content), _PIECE):
            await writer.write(content[start : start + _PIECE])

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:
        """What aiohttp asks for since 3.12; the length is that of the whole body.

        :param writer: where to.
        :param content_length: not used.
        """
        await self.write(writer)
