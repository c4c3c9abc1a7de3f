"""Files of boxes: MP4, QuickTime, M4A, AVIF, HEIC (ISO/IEC 14496-12, and QuickTime's own format from before it)."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Brands that are something else than an MP4 video; ``None``: nothing that anybody makes clips with.
_BRANDS: Final[dict[bytes, str | None]] = {
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
    b"crx ": None,
    b"jp2 ": None,
    b"jpx ": None,
    b"jpm ": None,
}
_BRAND: Final = re.compile(rb"[ -~]{4}")
_KIND: Final = re.compile(rb"[A-Za-z0-9 ]{4}")
#: First boxes of QuickTime files from before ``ftyp``, and what may stand first in them.
_OLD_QUICKTIME: Final = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"})
#: What may come behind a box that only fills.
_BEHIND_FILLING: Final = _OLD_QUICKTIME | {b"ftyp", b"uuid", b"PICT"}
_INSIDE_MOOV: Final = frozenset(
    {b"mvhd", b"cmov", b"rmra", b"trak", b"udta", b"iods", b"free", b"prfl", b"meta"}
)
#: Bytes of the largest list of brands, and of the largest filling, that is taken for one.
_LONGEST_FTYP: Final = 1024
_LONGEST_FILLING: Final = 2**24
_LONGEST_BOX: Final = 2**29
_TO_THE_END: Final = 2**64


def iso_media(head: bytes) -> str | None:
    """The media type of a file of boxes; ``None`` if it is none.

    :param head: the file's first bytes.
    """
    boxes = _boxes(head)
    first = next(boxes, None)
    if first is None:
        return None
    kind, content, size = first
    if kind == b"ftyp":
        return _by_brands(content) if 16 <= size <= _LONGEST_FTYP and _is_likely(next(boxes, None)) else None
    return "video/quicktime" if _is_old_quicktime(kind, content, size, next(boxes, None)) else None


def _boxes(head: bytes) -> Iterator[tuple[bytes, bytes, int] | None]:
    """Kind, content and size of each box; ``None`` for what is no box. Ends where the head does."""
    at = 0
    while len(head) - at >= 8:
        size, kind = struct.unpack_from("!I4s", head, at)
        begin = at + 8
        if size == 1 and len(head) - at >= 16:
            (size,) = struct.unpack_from("!Q", head, begin)
            begin += 8
        elif size == 0:
            size = _TO_THE_END
        if size < begin - at or not _KIND.fullmatch(kind):
            yield None
            return
        yield kind, head[begin : at + size], size
        at += size


def _is_likely(box: tuple[bytes, bytes, int] | None) -> bool:
    """Whether a box may follow the brands: a length made of letters is none, where it is not a film's."""
    return box is not None and (box[0] == b"mdat" or box[2] < _LONGEST_BOX or box[2] == _TO_THE_END)


def _by_brands(content: bytes) -> str | None:
    major, minor, others = content[:4], content[4:8], content[8:]
    if len(minor) < 4 or len(others) % 4 or not _BRAND.fullmatch(major):
        return None
    if not all(
        _BRAND.fullmatch(others[at : at + 4]) or not any(others[at : at + 4])
        for at in range(0, len(others), 4)
    ):
        return None
    return _BRANDS.get(major, "video/mp4")


def _is_old_quicktime(
    kind: bytes, content: bytes, size: int, following: tuple[bytes, bytes, int] | None
) -> bool:
    if kind not in _OLD_QUICKTIME:
        return False
    if kind == b"mdat":
        return True
    if kind == b"moov":
        return content[4:8] in _INSIDE_MOOV
    if kind == b"wide" and size != 8:
        return False
    # It only fills: what comes behind it tells, if that is near enough to be seen.
    seen = following is not None and following[0] in _BEHIND_FILLING
    return seen or (size > len(content) + 8 and size <= _LONGEST_FILLING and not any(content))
