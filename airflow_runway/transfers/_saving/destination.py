"""The folder that files go to: whatever ``ObjectStoragePath`` understands, made atomic.

Two ways lead to a file that nobody ever sees half:

- S3 shows an object only when its multipart upload is completed, and we complete it ourselves, after the last
  check: nothing is written under another name, nothing copied, no right to delete is needed. A killed worker
  leaves an upload that was never completed; it is invisible, and aborted when the same file is saved again.
- Everywhere else a file is written under ``.<name>.<random>.partial`` in the same folder and then renamed (on
  other object stores: copied by the server). A killed worker leaves that, until the same file is saved again.
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import secrets
from typing import IO, TYPE_CHECKING, Final

from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.transfers._saving.file_writer import FileWriter
from airflow_runway.transfers._saving.storage import storage_of, unknown_storage

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from airflow.sdk import ObjectStoragePath

#: Bytes held in memory per file that is being written. S3 takes parts from this size on ...
_BLOCK: Final = 5 * 2**20
#: ... and at most this many of them, with some to spare.
_MOST_PARTS: Final = 9_000
#: Bytes that are read at once when a stored file is looked at.
_READ_BLOCK: Final = 2**20
#: Ends the name of a file that is not complete.
_PARTIAL: Final = ".partial"
#: A manifest is some kilobytes; what is larger is not ours.
_LARGEST_DOCUMENT: Final = 4 * 2**20


def folder_at(destination: object) -> ObjectStoragePath:
    """A folder from an operator's argument.

    :param destination: a URL, or a path object.
    :raises RunwayConfigurationError: it is none; nothing was sent or fetched.
    """
    from airflow.sdk import ObjectStoragePath

    if not isinstance(destination, str | ObjectStoragePath) or not str(destination).strip():
        raise RunwayConfigurationError(
            "destination is empty. Nothing was sent or fetched; give a folder's URL."
        )
    try:
        return ObjectStoragePath(destination)
    except Exception as error:
        raise unknown_storage(destination, error) from None


class Destination:
    """A folder. Several threads may use it at once.

    :param folder: where it is.
    :param largest: bytes of the largest file that may come.
    :raises RunwayConfigurationError: Airflow knows no such storage; nothing was sent or fetched.
    :raises RunwayTransferError: it cannot be reached now.
    """

    def __init__(self, folder: ObjectStoragePath, largest: int) -> None:
        self._folder = folder
        self._root = str(folder.path).rstrip("/")
        self._block = max(_BLOCK, -(-largest // _MOST_PARTS))
        self._storage = storage_of(folder)

    def path(self, name: str) -> ObjectStoragePath:
        """The full path of a file.

        :param name: a checked relative name.
        """
        return self._folder / name

    def size(self, name: str) -> int | None:
        """Bytes of a stored file; ``None`` if there is none.

        :param name: a checked relative name.
        :raises RunwayTransferRefusedError: if a folder is in its place.
        """
        return self._storage.size(self._absolute(name), str(self.path(name)))

    def begins_with(self, name: str, head: bytes) -> bool:
        """Whether a stored file begins so.

        :param name: a checked relative name.
        :param head: its first bytes.
        """
        with self._storage.errors("be read"), self.reading(name) as file:
            return bytes(file.read(len(head))) == head

    def sha256(self, name: str) -> str:
        """The digest of a stored file, hexadecimal; reads all of it.

        :param name: a checked relative name.
        """
        digest = hashlib.sha256()
        with self._storage.errors("be read"), self.reading(name) as file:
            while piece := file.read(_READ_BLOCK):
                digest.update(piece)
        return digest.hexdigest()

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[IO[bytes]]:
        """A stored file, open for reading, seekable.

        :param name: a checked relative name.
        """
        options = {} if self._storage.is_local else {"block_size": _READ_BLOCK}
        with self._storage.fs.open(self._absolute(name), "rb", **options) as file:
            yield file

    def read_document(self, name: str) -> object:
        """A stored JSON document; ``None`` if there is none that can be read as such.

        :param name: a checked relative name.
        """
        size = self.size(name)
        if size is None or size > _LARGEST_DOCUMENT:
            return None
        with self._storage.errors("be read"), self.reading(name) as file:
            content = bytes(file.read())
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            return None

    def write_document(self, name: str, document: object) -> None:
        """Store a JSON document, atomically.

        :param name: a checked relative name.
        :param document: plain JSON values.
        """
        self.write(
            name, (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode(), "application/json"
        )

    def write(self, name: str, content: bytes, media_type: str) -> None:
        """Store a small file, atomically.

        :param name: a checked relative name.
        :param content: all of it.
        :param media_type: told to stores that keep it.
        """
        file = self.open(name, name, media_type)
        try:
            file.write(content)
            file.commit(len(content))
        finally:
            file.discard()

    def open(self, name: str, stem: str, media_type: str) -> FileWriter:
        """A new file, seen by nobody before it is committed.

        :param name: a checked relative name.
        :param stem: the same without the extension, for the temporary name.
        :param media_type: told to stores that keep it.
        """
        path, url = self._absolute(name), str(self.path(name))
        if self._storage.commits:
            options = {"autocommit": False, "ContentType": media_type, "block_size": self._block}
            return FileWriter(self._storage, path, path, url, options)
        folder, _, last = stem.rpartition("/")
        partial = f"{folder}/" * bool(folder) + f".{last}.{secrets.token_hex(6)}{_PARTIAL}"
        options = {} if self._storage.is_local else {"block_size": self._block}
        return FileWriter(self._storage, path, self._absolute(partial), url, options)

    def sweep(self, stems: Collection[str]) -> int:
        """Remove what killed workers left of these files. Trouble on the way is no trouble.

        :param stems: names without extensions.
        :returns: how many leftovers were removed.
        """
        removed = 0
        for folder in sorted({stem.rpartition("/")[0] for stem in stems}):
            lasts = [stem.rpartition("/")[2] for stem in stems if stem.rpartition("/")[0] == folder]
            with contextlib.suppress(Exception):
                removed += self._sweep_folder(self._absolute(folder).rstrip("/"), lasts)
        return removed

    def _sweep_folder(self, folder: str, lasts: Collection[str]) -> int:
        if self._storage.commits:
            return self._abort_uploads(folder, lasts)
        removed = 0
        for path in self._hidden(folder):
            last = path.rpartition("/")[2]
            if last.endswith(_PARTIAL) and last[1:].removesuffix(_PARTIAL).rpartition(".")[0] in lasts:
                self._storage.fs.rm_file(path)
                removed += 1
        return removed

    def _hidden(self, folder: str) -> list[str]:
        """Files of a folder that begin with a dot, at least."""
        # Object stores list by prefix; without one, a folder of a million clips would be listed.
        if (
            "prefix"
            in inspect.signature(getattr(self._storage.fs, "_find", self._storage.fs.find)).parameters
        ):
            return list(self._storage.fs.find(folder, prefix="."))
        return list(self._storage.fs.ls(folder, detail=False))

    def _abort_uploads(self, folder: str, lasts: Collection[str]) -> int:
        bucket, _, key = folder.partition("/")
        prefixes = tuple(f"{key}/{last}".lstrip("/") for last in lasts)
        removed = 0
        for upload in self._storage.fs.list_multipart_uploads(bucket):
            rests = [upload["Key"][len(p) :] for p in prefixes if upload["Key"].startswith(p)]
            if any(not rest or (rest[0] == "." and "/" not in rest) for rest in rests):
                self._storage.fs.abort_mpu(bucket, upload["Key"], upload["UploadId"])
                removed += 1
        return removed

    def _absolute(self, name: str) -> str:
        return f"{self._root}/{name}"
