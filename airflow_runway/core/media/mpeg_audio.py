"""MPEG audio and AAC in ADTS: frames that follow each other, with or without an ID3 tag before them.

Tables and layouts are those of ISO/IEC 11172-3, 13818-3 and 13818-7, and of ID3v2.2 to 2.4 (id3.org).
"""

from __future__ import annotations

import re
from typing import Final

#: Kilobits per second by (MPEG 1 or not, layer), from index 1 to 14.
_BIT_RATES: Final = {
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
#: Samples per second of MPEG 1; MPEG 2 has half, MPEG 2.5 a quarter.
_SAMPLING: Final = (44_100, 48_000, 32_000)
_HALVED: Final = {3: 1, 2: 2, 0: 4}
_TAG_FRAME: Final = re.compile(rb"[A-Z0-9]{3}[A-Z0-9\x00]|\x00{3}")


def mpeg_audio(head: bytes) -> str | None:
    """``audio/mpeg`` or ``audio/aac``; ``None`` if it is neither.

    :param head: the file's first bytes.
    """
    if not head.startswith(b"ID3"):
        return _frames(head)
    end = _end_of_tag(head)
    if end is None:
        return None
    rest = head[end:].lstrip(b"\x00")
    # A tag with a cover is longer than what is looked at.
    return _frames(rest) if len(rest) >= 4 else "audio/mpeg"


def _end_of_tag(head: bytes) -> int | None:
    """Where an ID3 tag ends; ``None`` if it is none."""
    if len(head) < 14:
        return None
    version, revision, flags, size = head[3], head[4], head[5], head[6:10]
    if version not in {2, 3, 4} or revision == 0xFF or flags & 0x0F or any(byte & 0x80 for byte in size):
        return None
    has_extended_header = version > 2 and flags & 0x40
    if not has_extended_header and not _TAG_FRAME.match(head, 10):
        return None
    length = 0
    for byte in size:
        length = length << 7 | byte
    return 10 + length + (10 if flags & 0x10 else 0)


def _frames(head: bytes) -> str | None:
    """The type of a frame that another like it follows."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    is_aac = head[1] & 0x06 == 0
    length = _adts_length(head) if is_aac else _mpeg_length(head)
    if length is None:
        return None
    following = head[length : length + 4]
    # The same version, layer and sampling; padding, bit rate and the like may differ.
    is_followed = len(head) == length or (
        len(following) == 4
        and following[0] == 0xFF
        and following[1] & 0xFE == head[1] & 0xFE
        and not (following[2] ^ head[2]) & 0x0C
    )
    return ("audio/aac" if is_aac else "audio/mpeg") if is_followed else None


def _mpeg_length(head: bytes) -> int | None:
    """Bytes of an MPEG audio frame."""
    version, layer = (head[1] >> 3) & 3, 4 - ((head[1] >> 1) & 3)
    bit_rate, sampling, padding = head[2] >> 4, (head[2] >> 2) & 3, (head[2] >> 1) & 1
    if version == 1 or bit_rate in {0, 15} or sampling == 3:
        return None
    bits = _BIT_RATES[version == 3, layer][bit_rate - 1] * 1000
    rate = _SAMPLING[sampling] // _HALVED[version]
    if layer == 1:
        return (12 * bits // rate + padding) * 4
    return (72 if layer == 3 and version != 3 else 144) * bits // rate + padding


def _adts_length(head: bytes) -> int | None:
    """Bytes of an ADTS frame."""
    if len(head) < 7 or head[1] & 0xF0 != 0xF0 or (head[2] >> 2) & 0x0F > 12:
        return None
    length = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    return length if length > 7 else None
