"""Ephemeral uploads: the files behind ``runway://`` references (contracts 1.5)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: How long an upload can be used, in world seconds (RG).
LIFETIME = 24 * 3600.0
#: Size of a file (RG).
SMALLEST, LARGEST = 512, 200 * 1024 * 1024
#: Extensions of the media formats that Runway takes (RG).
EXTENSIONS = frozenset(
    (
        *("jpg", "jpeg", "png", "webp"),
        *("mp4", "mov", "m4v", "mkv", "webm", "avi", "mpg", "mpeg", "ogv", "3gp"),
        *("mp3", "wav", "aac", "m4a", "flac", "ogg", "oga", "aif", "aiff"),
    )
)


@dataclass(slots=True)
class Slot:
    """A place for one file. The reference works once the file is there."""

    key: str
    uri: str
    #: Form fields that the second step must repeat.
    fields: dict[str, str]
    #: World time from which on it is worthless.
    expires: float
    file: Path | None = None


class UploadStore:
    """All slots.

    :param folder: an existing folder of its own.
    :param now: world time.
    """

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        self.folder = folder
        self._now = now
        self._slots: dict[str, Slot] = {}
        self._by_uri: dict[str, Slot] = {}

    def reserve(self, filename: str) -> Slot:
        """A new slot.

        :param filename: name of the file to come; its extension is kept.
        """
        key = secrets.token_hex(16)
        fields = {
            "key": f"ephemeral/{key}/{filename}",
            "policy": secrets.token_urlsafe(48),
            "x-amz-signature": secrets.token_hex(32),
        }
        slot = Slot(key, f"runway://{secrets.token_urlsafe(32)}", fields, self._now() + LIFETIME)
        self._slots[key] = self._by_uri[slot.uri] = slot
        return slot

    def slot(self, key: str) -> Slot | None:
        """The slot of an upload address, unless it has expired.

        :param key: last part of its path.
        """
        return self._living(self._slots.get(key))

    def open(self, uri: str) -> Path | None:
        """The file of a reference, if it was uploaded and has not expired.

        :param uri: ``runway://...``.
        """
        slot = self._living(self._by_uri.get(uri))
        return None if slot is None else slot.file

    def clear(self) -> None:
        """Deletes all files."""
        for slot in self._slots.values():
            if slot.file is not None:
                slot.file.unlink(missing_ok=True)
        self._slots.clear()
        self._by_uri.clear()

    def _living(self, slot: Slot | None) -> Slot | None:
        return slot if slot is not None and self._now() < slot.expires else None
