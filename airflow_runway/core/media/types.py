"""What kind of media a file is, judged by its first bytes: names and headers lie, and error pages come as 200.

Signatures are those of the formats' own specifications (ISO base media, RIFF, EBML, PNG, JFIF, ID3, Ogg).
"""

from __future__ import annotations

import re
from typing import Final

from airflow_runway.core.media.iso_media import iso_media
from airflow_runway.core.media.mpeg_audio import mpeg_audio

#: Bytes from the beginning of a file that are enough for :func:`sniff`.
HEAD: Final = 4096

#: Media type → the extension that files of it get.
EXTENSIONS: Final = {
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "video/x-matroska": ".mkv",
    "video/ogg": ".ogv",
    "video/x-msvideo": ".avi",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "image/gif": ".gif",
    "image/avif": ".avif",
    "image/heic": ".heic",
    "image/tiff": ".tiff",
    "image/x-exr": ".exr",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/flac": ".flac",
    "audio/aac": ".aac",
    "audio/mp4": ".m4a",
    "audio/ogg": ".ogg",
    "audio/aiff": ".aiff",
}

_CONTROL: Final = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")


def sniff(head: bytes) -> str | None:
    """The media type of a file, ``None`` if it begins like none that we know.

    Not the first four bytes count but the structure behind them. No text passes, whatever it begins with: each of
    these formats has bytes within its header that no text has.

    :param head: its first bytes, :data:`HEAD` of them where it has so many.
    """
    if not _CONTROL.search(head) or head.startswith(_BYTE_ORDER_MARKS):
        return None
    return _by_signature(head) or iso_media(head) or mpeg_audio(head)


#: Of texts in UTF-16 and UTF-32, which have zeros.
_BYTE_ORDER_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
#: A chunk's name in RIFF and IFF. Its length, like other numbers here, has a highest byte that no letter has.
_NAME = rb"[A-Za-z0-9 _]{4}"
_SIGNATURES: tuple[tuple[re.Pattern[bytes], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), media_type)
    for pattern, media_type in (
        (rb"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", "image/png"),
        (rb"\xff\xd8\xff[\xc0-\xcf\xda-\xfe]", "image/jpeg"),
        (rb"GIF8[79]a(?!\x00\x00)..(?!\x00\x00)..", "image/gif"),
        (
            rb"II\*\x00(?![\x00-\x07]\x00\x00)...[\x00-\x1f]|MM\x00\*(?!\x00\x00\x00[\x00-\x07])[\x00-\x1f]",
            "image/tiff",
        ),
        (rb"\x76\x2f\x31\x01\x02.\x00\x00", "image/x-exr"),
        (rb"fLaC[\x00\x80]\x00\x00\x22", "audio/flac"),
        (rb"RIFF....WEBPVP8[ LX]", "image/webp"),
        (rb"RIFF....WAVE" + _NAME + rb"...[\x00-\x1f]", "audio/wav"),
        (rb"RIFF....AVI (LIST|JUNK)", "video/x-msvideo"),
        (rb"FORM....AIF[FC]" + _NAME + rb"[\x00-\x1f]", "audio/aiff"),
        (rb"\x1a\x45\xdf\xa3.{0,56}\x42\x82.{1,8}?webm", "video/webm"),
        (rb"\x1a\x45\xdf\xa3.{0,56}\x42\x82.{1,8}?matroska", "video/x-matroska"),
        # The first page of a stream, of the format's only version.
        (rb"OggS\x00[\x02\x06].{0,100}theora", "video/ogg"),
        (rb"OggS\x00[\x02\x06]", "audio/ogg"),
    )
)


def _by_signature(head: bytes) -> str | None:
    return next((media_type for pattern, media_type in _SIGNATURES if pattern.match(head)), None)


def family(media_type: str) -> str:
    """``image``, ``video`` or ``audio``: the part before the slash.

    :param media_type: e.g. ``video/mp4``.
    """
    return media_type.partition("/")[0]
