"""Signed output links that expire, as a CDN makes them (contracts §16: a ``_jwt`` query, 24 to 48 hours)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import itertools
import json
import secrets
from urllib.parse import quote


class LinkSigner:
    """Makes and checks links. The secret lives and dies with the object.

    :param secret: for tests; random by default.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        self._secret = secret or secrets.token_bytes(32)
        self._serial = itertools.count(1)
        self._revoked: set[str] = set()

    def sign(self, path: str, expires: float) -> str:
        """A path with a signature, different at every call.

        :param path: absolute path of the output.
        :param expires: epoch seconds from which on the link is refused.
        """
        claims = {"path": path, "exp": expires, "n": next(self._serial)}
        payload = _encode(json.dumps(claims, separators=(",", ":")).encode())
        return f"{quote(path)}?_jwt={payload}.{self._mac(payload)}"

    def revoke(self, token: str) -> None:
        """Lets a link die before its time.

        :param token: the value of ``_jwt``.
        """
        self._revoked.add(token)

    def allows(self, path: str, token: str, now: float) -> bool:
        """Whether a token opens a path now.

        :param path: the path that was asked for.
        :param token: the value of ``_jwt``.
        :param now: epoch seconds.
        """
        payload, _, mac = token.partition(".")
        if token in self._revoked:
            return False
        if not hmac.compare_digest(mac.encode(), self._mac(payload).encode()):
            return False
        try:
            claims = json.loads(_decode(payload))
        except (binascii.Error, ValueError):
            return False
        return bool(claims["path"] == path and now < claims["exp"])

    def _mac(self, payload: str) -> str:
        return _encode(hmac.new(self._secret, payload.encode(), hashlib.sha256).digest())


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
