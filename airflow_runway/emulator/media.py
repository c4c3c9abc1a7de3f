"""Files that come in with a request: taken out of a data URI, pictures checked, kept by their digest."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import os
import re
from typing import TYPE_CHECKING
from uuid import uuid4

from PIL import Image

if TYPE_CHECKING:
    from pathlib import Path

#: Limits of the official API (contracts 15: RD/assets/inputs, SDK).
MAX_BYTES = 16 * 1024 * 1024
MAX_DATA_URI = 5_242_880
#: Seen by third parties (contracts 15).
_ASPECTS = (0.5, 2.0)
_MAX_SIDE = 8000

TYPES = ("image/jpeg", "image/png", "image/webp")
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
    if len(uri) > MAX_DATA_URI:
        raise MediaError(f"Data URIs must be at most {MAX_DATA_URI} characters long.")
    head = _DATA_URI.match(uri)
    if head is None:
        raise MediaError("Invalid data URI. Use data:<content type>;base64,<data>.")
    content_type = head[1].lower()
    if kind == "image" and content_type not in TYPES:
        raise MediaError(f"Unsupported asset type {head[1]!r}. Use one of {', '.join(TYPES)}.")
    if content_type.partition("/")[0] not in ([kind] if kind else ["image", "video", "audio"]):
        raise MediaError(f"Unsupported asset type {head[1]!r}. Expected {kind or 'a media type'}.")
    try:
        return base64.b64decode(uri[head.end() :], validate=True)
    except binascii.Error:
        raise MediaError("Invalid data URI. The data is not base64.") from None


class PictureStore:
    """Files of requests on disk: each content once; pictures are decoded for their check once.

    :param folder: an existing folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checked: set[str] = set()

    def keep(self, content: bytes) -> Path:
        """Checks a picture and stores it. Blocking: call it in a thread.

        :param content: an encoded image.
        :returns: its file.
        :raises MediaError: if it is no JPEG, PNG or WebP, broken, or outside the limits.
        """
        digest = hashlib.sha256(content).hexdigest()
        if digest not in self._checked:
            check(content)
            self._checked.add(digest)
        return self._write(digest, content)

    def store(self, content: bytes) -> Path:
        """Stores a file unseen. Blocking: call it in a thread.

        :param content: its bytes.
        :returns: its file.
        """
        return self._write(hashlib.sha256(content).hexdigest(), content)

    def _write(self, digest: str, content: bytes) -> Path:
        path = self._folder / digest
        if not path.exists():
            # Renamed into place: another thread never sees half a file.
            part = path.with_name(f"{uuid4().hex}.part")
            part.write_bytes(content)
            os.replace(part, path)
        return path


def check(content: bytes) -> None:
    """Refuses what Runway would refuse.

    :param content: an encoded image.
    :raises MediaError: see :meth:`PictureStore.keep`.
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
