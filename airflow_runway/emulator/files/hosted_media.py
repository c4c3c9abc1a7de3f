"""Files that the emulator hosts for its user (``PUT /_emulator/media/{name}``)."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from uuid import uuid4

import anyio

if TYPE_CHECKING:
    from collections.abc import AsyncIterable
    from pathlib import Path

#: The largest file that is hosted, in bytes.
LARGEST_HOSTED = 200 * 1024 * 1024


class TooLargeError(Exception):
    """More bytes than the emulator hosts; nothing was kept."""


class HostedMedia:
    """Uploaded files by name.

    :param folder: an existing folder of its own.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[str, Path] = {}

    def get(self, name: str) -> Path | None:
        """The file of a name, if it was put.

        :param name: any text; never used as a file name.
        """
        return self._files.get(name)

    async def put(self, name: str, chunks: AsyncIterable[bytes]) -> None:
        """Stores a file under a name, replacing an earlier one when complete.

        :param name: any text; never used as a file name.
        :param chunks: its bytes, at most 200 MB.
        :raises TooLargeError: beyond that.
        """
        # A name of its own for each content: generations keep the file that they were made from.
        path = self._folder / uuid4().hex
        part = path.with_suffix(".part")
        size = 0
        try:
            async with await anyio.open_file(part, "wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > LARGEST_HOSTED:
                        raise TooLargeError
                    await file.write(chunk)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
        self._files[name] = path

    def clear(self) -> None:
        """Deletes all files."""
        for path in self._folder.iterdir():
            path.unlink(missing_ok=True)
        self._files.clear()
