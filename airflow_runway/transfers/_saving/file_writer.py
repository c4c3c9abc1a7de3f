"""A file that is being written to storage; readers see nothing of it before it is committed."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from airflow_runway.exceptions import RunwayTransferError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.transfers._saving.storage import Storage


class FileWriter:
    """Writes one file; a :class:`airflow_runway.transfers._saving.download.Sink`.

    :param storage: the file system.
    :param path: where the file appears when it is committed.
    :param temporary: where its bytes go until then; the same on storage that commits.
    :param url: the path, for messages.
    :param options: for the storage library.
    """

    def __init__(
        self, storage: Storage, path: str, temporary: str, url: str, options: Mapping[str, object]
    ) -> None:
        self._storage = storage
        self._path = path
        self._temporary = temporary
        self._url = url
        self._closed = False
        fs = storage.fs
        with storage.errors("be written"):
            try:
                self._file = fs.open(temporary, "wb", **options)
            except FileNotFoundError:
                # Where folders are real. Object stores never come here, so no bucket is made by a slip.
                fs.makedirs(temporary.rpartition("/")[0], exist_ok=True)
                self._file = fs.open(temporary, "wb", **options)

    def write(self, piece: bytes) -> None:
        """Take the next bytes.

        :param piece: some bytes.
        """
        with self._storage.errors("be written"):
            self._file.write(piece)

    def commit(self, size: int) -> None:
        """Show the file to readers.

        :param size: bytes that storage must have.
        :raises RunwayTransferError: if it has not; nothing stays behind then.
        """
        with self._storage.errors("be written"):
            self._file.close()
            if self._has_temporary:
                self._check_size(self._storage.fs.info(self._temporary)["size"], size)
                self._rename()
            else:
                self._file.commit()
            self._closed = True
        try:
            self._check_size(self._storage.size(self._path, self._url), size)
        except RunwayTransferError:
            with contextlib.suppress(Exception):
                self._storage.fs.rm_file(self._path)
            raise

    def discard(self) -> None:
        """Leave nothing behind, unless committed. Trouble on the way is no trouble."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(Exception):
            if self._has_temporary:
                self._file.close()
            else:
                self._file.discard()
        # A file that is merely dropped would be finished by the library's destructor.
        with contextlib.suppress(Exception):
            self._file.closed = True
        if self._has_temporary:
            with contextlib.suppress(Exception):
                self._storage.fs.rm_file(self._temporary)

    @property
    def _has_temporary(self) -> bool:
        return self._temporary != self._path

    def _rename(self) -> None:
        if self._storage.is_local:
            # Not the library's move, which falls back to copying under the final name.
            os.replace(self._temporary, self._path)
        else:
            self._storage.fs.mv(self._temporary, self._path)

    def _check_size(self, stored: int | None, size: int) -> None:
        if stored != size:
            raise RunwayTransferError(
                f"Storage shows {stored} of {size} bytes that were written to {self._url}. "
                "The generation itself is untouched; a retry saves it anew.",
                summary="Storage shows fewer bytes than were written",
            )
