"""Ephemeral uploads: the files behind ``runway://`` references (contracts §1.5)."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_runway.emulator.world.clock import DAY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

#: How long an upload can be used, in world seconds (contracts §1.5).
UPLOAD_LIFETIME = DAY
#: Size of a file in bytes.
SMALLEST_UPLOAD, LARGEST_UPLOAD = 512, 200 * 1024 * 1024
#: Extensions of the media formats that Runway takes (contracts §15).
EXTENSIONS = frozenset(
    (
        *("jpg", "jpeg", "png", "webp"),
        *("mp4", "mov", "m4v", "mkv", "webm", "avi", "mpg", "mpeg", "ogv", "3gp"),
        *("mp3", "wav", "aac", "m4a", "flac", "ogg", "oga", "aif", "aiff"),
    )
)


@dataclass(slots=True)
class Upload:
    """A place for one file. The reference works once the file is there."""

    key: str
    uri: str
    #: Form fields that the second step must repeat.
    fields: dict[str, str]
    #: World time from which on it is worthless.
    expires: float
    file: Path | None = None


class UploadStore:
    """All uploads.

    :param folder: an existing folder of its own.
    :param now: world time.
    """

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        self.folder = folder
        self._now = now
        self._uploads: dict[str, Upload] = {}
        self._by_uri: dict[str, Upload] = {}

    def reserve(self, filename: str) -> Upload:
        """A new upload.

        :param filename: name of the file to come; its extension is kept.
        """
        key = secrets.token_hex(16)
        fields = {
            "key": f"ephemeral/{key}/{filename}",
            "policy": secrets.token_urlsafe(48),
            "x-amz-signature": secrets.token_hex(32),
        }
        upload = Upload(key, f"runway://{secrets.token_urlsafe(32)}", fields, self._now() + UPLOAD_LIFETIME)
        self._uploads[key] = self._by_uri[upload.uri] = upload
        return upload

    def of_key(self, key: str) -> Upload | None:
        """The upload that an address names, unless it has expired.

        :param key: last part of the address.
        """
        return self._living(self._uploads.get(key))

    def file_of(self, uri: str) -> Path | None:
        """The file of a reference, if it was uploaded and has not expired.

        :param uri: ``runway://...``.
        """
        upload = self._living(self._by_uri.get(uri))
        return None if upload is None else upload.file

    def clear(self) -> None:
        """Deletes all files."""
        for upload in self._uploads.values():
            if upload.file is not None:
                upload.file.unlink(missing_ok=True)
        self._uploads.clear()
        self._by_uri.clear()

    def _living(self, upload: Upload | None) -> Upload | None:
        return upload if upload is not None and self._now() < upload.expires else None
