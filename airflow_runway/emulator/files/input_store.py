"""Files that came with requests, kept on disk under the digest of their content."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING
from uuid import uuid4

from airflow_runway.emulator.files.input_checks import check_picture

if TYPE_CHECKING:
    from pathlib import Path


class InputStore:
    """Files of requests on disk: each content once; pictures are decoded for their check once.

    :param folder: an existing folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._checked: set[str] = set()

    def keep_picture(self, content: bytes) -> Path:
        """Checks a picture and stores it. Blocking: call it in a thread.

        :param content: an encoded image.
        :returns: its file.
        :raises MediaError: if it is no JPEG, PNG or WebP, broken, or outside the limits.
        """
        digest = hashlib.sha256(content).hexdigest()
        if digest not in self._checked:
            check_picture(content)
            self._checked.add(digest)
        return self._write(digest, content)

    def keep(self, content: bytes) -> Path:
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
