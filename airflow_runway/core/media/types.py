"""What kind of media a file is, judged by its first bytes: names and headers lie, and error pages come as 200.

Signatures are those of the formats' own specifications (ISO base media, RIFF, EBML, PNG, JFIF, ID3, Ogg).
"""

from __future__ import annotations

from typing import Final

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

_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"II*\x00", "image/tiff"),
    (b"MM\x00*", "image/tiff"),
    (b"\x76\x2f\x31\x01", "image/x-exr"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_IFF = {b"AIFF": "audio/aiff", b"AIFC": "audio/aiff"}
#: Major brands of ISO base media files that are no MP4 video.
_BRANDS = {
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
}
#: First boxes of QuickTime files from before ``ftyp``.
_OLD_QUICKTIME = frozenset({b"moov", b"mdat", b"wide", b"free", b"skip"})


def sniff(head: bytes) -> str | None:
    """The media type of a file, ``None`` if it begins like none that we know.

    :param head: its first bytes, :data:`HEAD` of them where it has so many.
    """
    for beginning, media_type in _BEGINNINGS:
        if head.startswith(beginning):
            return media_type
    container = head[:4]
    if container == b"RIFF":
        return _RIFF.get(head[8:12])
    if container == b"FORM":
        return _IFF.get(head[8:12])
    if container == b"\x1a\x45\xdf\xa3":
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if container == b"OggS":
        return "video/ogg" if b"theora" in head[:64] else "audio/ogg"
    return _iso_media(head) or _bare_audio(head)


def _iso_media(head: bytes) -> str | None:
    box = head[4:8]
    if box == b"ftyp":
        return _BRANDS.get(head[8:12], "video/mp4")
    return "video/quicktime" if box in _OLD_QUICKTIME else None


def _bare_audio(head: bytes) -> str | None:
    """MPEG audio without a tag: eleven bits of sync, then version and layer (layer 0 is AAC's)."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = (head[1] >> 3) & 3, (head[1] >> 1) & 3
    if layer == 0:
        return "audio/aac" if head[1] & 0xF6 == 0xF0 else None
    bit_rate, sampling = head[2] >> 4, (head[2] >> 2) & 3
    return "audio/mpeg" if version != 1 and bit_rate not in {0, 15} and sampling != 3 else None


def family(media_type: str) -> str:
    """``image``, ``video`` or ``audio``: the part before the slash.

    :param media_type: e.g. ``video/mp4``.
    """
    return media_type.partition("/")[0]
