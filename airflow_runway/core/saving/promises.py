"""What a host of output files says about one: status and headers, read."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_CONTENT_RANGE = re.compile(r"bytes\s+(\d{1,18})-(\d{1,18})/(\d{1,18}|\*)", re.ASCII | re.IGNORECASE)
_DIGEST = re.compile(r"\bsha-256\s*=\s*:?([A-Za-z0-9+/_-]{43}=?):?", re.ASCII | re.IGNORECASE)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
#: Statuses that another try may not meet; the link is not to blame.
_PASSING = frozenset({408, 425, 429})


class Step(Enum):
    """What to do with a response."""

    #: The body is the file from the offset that was asked for.
    APPEND = "append"
    #: The body is the file from its beginning.
    WHOLE = "whole"
    #: It does not go on from where we are: the file must be begun anew.
    RESTART = "restart"
    #: Look elsewhere.
    REDIRECT = "redirect"
    #: This link does not open the file (any more).
    FRESH_LINK = "fresh link"
    #: The host has trouble.
    AGAIN = "again"


@dataclass(frozen=True, slots=True)
class Promise:
    """What a host promised about a whole file; ``None`` where it promised nothing."""

    size: int | None = None
    #: A strong entity tag.
    etag: str | None = None
    #: 32 bytes.
    sha256: bytes | None = None
    #: Whether the end of the body is marked, so that a body cut short is noticed.
    has_end: bool = False

    def contradicts(self, other: Promise) -> bool:
        """Whether both cannot be about the same file.

        :param other: an earlier or later promise.
        """
        pairs = ((self.size, other.size), (self.etag, other.etag), (self.sha256, other.sha256))
        return any(ours is not None and theirs is not None and ours != theirs for ours, theirs in pairs)

    def with_more(self, other: Promise) -> Promise:
        """The same promise, completed where it is silent.

        :param other: one that does not contradict it.
        """
        return Promise(
            self.size if self.size is not None else other.size,
            self.etag or other.etag,
            self.sha256 or other.sha256,
            self.has_end or other.has_end,
        )


def request_headers(offset: int, etag: str | None) -> dict[str, str]:
    """The headers that ask for the rest of a file.

    :param offset: bytes that are there; 0 asks for all of it.
    :param etag: the strong entity tag of the file that they are of, where known.
    """
    if not offset:
        return {}
    return {"Range": f"bytes={offset}-", **({"If-Range": etag} if etag else {})}


def read_response(status: int, headers: Mapping[str, str], offset: int) -> tuple[Step, Promise]:
    """What a response is good for, and what it promises.

    :param status: HTTP status.
    :param headers: names in lower case.
    :param offset: where the bytes that were asked for begin.
    """
    if status in _REDIRECTS and headers.get("location"):
        return Step.REDIRECT, Promise()
    if status in _PASSING or status >= 500:
        return Step.AGAIN, Promise()
    # We asked for the bytes as they are: of a compressed body neither length nor digest tells anything.
    if status in (200, 206) and headers.get("content-encoding", "identity").strip().lower() != "identity":
        return Step.AGAIN, Promise()
    if status == 200:
        return Step.WHOLE, _promise(headers, _number(headers.get("content-length")), whole=True)
    if status == 206:
        return _part(headers, offset)
    if status == 416:
        return Step.RESTART, Promise()
    return Step.FRESH_LINK, Promise()


def _part(headers: Mapping[str, str], offset: int) -> tuple[Step, Promise]:
    found = _CONTENT_RANGE.fullmatch(headers.get("content-range", "").strip())
    if not found or int(found[1]) != offset or int(found[2]) < offset:
        return Step.RESTART, Promise()
    total = None if found[3] == "*" else int(found[3])
    if total is not None and int(found[2]) >= total:
        return Step.RESTART, Promise()
    return Step.APPEND, _promise(headers, total, whole=False)


def _promise(headers: Mapping[str, str], size: int | None, *, whole: bool) -> Promise:
    chunked = "chunked" in headers.get("transfer-encoding", "").lower()
    etag = headers.get("etag", "").strip()
    strong = len(etag) > 2 and etag.startswith('"') and etag.endswith('"') and etag.isascii()
    return Promise(
        size=None if chunked and whole else size,
        etag=etag if strong else None,
        sha256=_sha256(headers, whole=whole),
        has_end=chunked or size is not None,
    )


def _sha256(headers: Mapping[str, str], *, whole: bool) -> bytes | None:
    """The digest of the whole file. ``Content-Digest`` is about the body at hand, so only of use if that is all."""
    names = ("repr-digest", "digest", *(("content-digest",) if whole else ()))
    for name in names:
        found = _DIGEST.search(headers.get(name, ""))
        if found and (digest := _decoded(found[1])):
            return digest
    # S3 also has checksums of checksums, with "-<parts>" behind.
    return _decoded(headers.get("x-amz-checksum-sha256", "").strip()) if whole else None


def _decoded(text: str) -> bytes | None:
    try:
        digest = base64.b64decode(text.rstrip("=").translate({45: "+", 95: "/"}) + "=", validate=True)
    except (binascii.Error, ValueError):
        return None
    return digest if len(digest) == 32 else None


def _number(text: str | None) -> int | None:
    clean = (text or "").strip()
    return int(clean) if clean.isascii() and clean.isdigit() and len(clean) <= 18 else None
