"""What Runway asks of the files that a request names: size, type, shape (contracts §15)."""

from __future__ import annotations

import base64
import binascii
import io
import re

from PIL import Image

#: The largest picture on the web, in bytes, and the longest data URI, in characters.
LARGEST_PICTURE = 16 * 1024 * 1024
LONGEST_DATA_URI = 5_242_880
#: Limits for width / height and for a side in pixels, as third-party clients met them.
_ASPECTS = (0.5, 2.0)
_MAX_SIDE = 8000

PICTURE_TYPES = ("image/jpeg", "image/png", "image/webp")
_FORMATS = ("JPEG", "PNG", "WEBP")
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w=.+-]+)*;base64,", re.IGNORECASE)


class MediaError(Exception):
    """A media reference that the emulator refuses; its text is the text of the 400."""


def from_data_uri(uri: str, kind: str = "image") -> bytes:
    """The bytes inside a data URI.

    :param uri: ``data:<type>/...;base64,...``, at most 5 MB of text.
    :param kind: ``image``, ``video`` or ``audio``: what it must be; empty = any of them.
    :raises MediaError: if it is too long, of another type or broken.
    """
    if len(uri) > LONGEST_DATA_URI:
        raise MediaError(f"Data URIs must be at most {LONGEST_DATA_URI} characters long.")
    head = _DATA_URI.match(uri)
    if head is None:
        raise MediaError("Invalid data URI. Use data:<content type>;base64,<data>.")
    content_type = head[1].lower()
    if kind == "image" and content_type not in PICTURE_TYPES:
        raise MediaError(f"Unsupported asset type {head[1]!r}. Use one of {', '.join(PICTURE_TYPES)}.")
    if content_type.partition("/")[0] not in ([kind] if kind else ["image", "video", "audio"]):
        raise MediaError(f"Unsupported asset type {head[1]!r}. Expected {kind or 'a media type'}.")
    try:
        return base64.b64decode(uri[head.end() :], validate=True)
    except binascii.Error:
        raise MediaError("Invalid data URI. The data is not base64.") from None


def check_picture(content: bytes) -> None:
    """Refuses what Runway would refuse.

    :param content: an encoded image.
    :raises MediaError: if it is no JPEG, PNG or WebP, broken, or outside the limits.
    """
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            width, height = image.size
            _check_size(width, height)
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise MediaError(f"Failed to decode asset: not a readable JPEG, PNG or WebP ({error}).") from None


def _check_size(width: int, height: int) -> None:
    low, high = _ASPECTS
    aspect = width / height
    if not low <= aspect <= high:
        bound = f"at least {low:g}" if aspect < low else f"at most {high:g}"
        raise MediaError(
            f"Invalid asset aspect ratio. width / height ratio must be {bound}. Got {aspect:.3f}."
        )
    if max(width, height) > _MAX_SIDE:
        raise MediaError(f"Invalid asset dimensions. Sides must be at most {_MAX_SIDE} pixels.")
