"""A key in what comes back: replaced before anything is made of it, in whatever form a server repeats it. Pure."""

from __future__ import annotations

import base64
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What stands in its place.
MASK: Final = "***"
#: Characters of a key below which it is too short to be told from other text.
SHORTEST: Final = 8


@lru_cache(maxsize=64)
def mask_of(key: str) -> KeyMask:
    """The mask of a key: made once, since every answer goes through it.

    :param key: of a connection.
    """
    return KeyMask(key)


class KeyMask:
    """Replaces one key.

    :param key: the connection's; short ones are left, as they may stand for anything.
    """

    def __init__(self, key: str) -> None:
        forms = _forms_of(key) if len(key) >= SHORTEST else []
        self._texts = tuple(forms)
        self._bytes = tuple(form.encode() for form in forms)

    def body(self, body: bytes, *, truncated: bool) -> bytes:
        """A body without the key.

        :param body: as it came.
        :param truncated: whether it broke off, so that the beginning of the key may be its end.
        """
        for form in self._bytes:
            if form in body:
                body = body.replace(form, MASK.encode())
        return self._without_beginning(body) if truncated else body

    def _without_beginning(self, body: bytes) -> bytes:
        for form in self._bytes:
            for length in range(len(form) - 1, SHORTEST - 1, -1):
                if body.endswith(form[:length]):
                    return body[:-length] + MASK.encode()
        return body

    def headers(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Headers without the key.

        :param headers: as they came.
        """
        # One text for all: every read comes through here.
        together = "\n".join(headers.values())
        if not any(form in together for form in self._texts):
            return headers
        return {name: self._text(value) for name, value in headers.items()}

    def _text(self, text: str) -> str:
        for form in self._texts:
            text = text.replace(form, MASK)
        return text


def _forms_of(key: str) -> list[str]:
    """As it is, in a URL, in JSON, and in base64 by itself and after ``Bearer``; the longest first."""
    forms = [key, quote(key, safe=""), quote_plus(key), key.replace("/", "\\/")]
    for text in (key, f"Bearer {key}"):
        coded = base64.b64encode(text.encode()).decode().rstrip("=")
        forms += [coded, coded.replace("+", "-").replace("/", "_")]
    return sorted(dict.fromkeys(forms), key=len, reverse=True)
