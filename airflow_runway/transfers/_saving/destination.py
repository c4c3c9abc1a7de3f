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
import os
import secrets
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import (
    RunwayConfigurationError,
    RunwayTransferError,
    RunwayTransferRefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from airflow.sdk import ObjectStoragePath
    from fsspec import AbstractFileSystem

#: Bytes held in memory per file that is being written. S3 takes parts from this size on ...
_BLOCK: Final = 5 * 2**20
#: ... and at most this many of them, with some to spare.
_MOST_PARTS: Final = 9_000
#: Bytes that are read at once when a stored file is looked at.
_READ: Final = 2**20
#: File systems whose files appear when, and only when, they are committed.
_COMMITTING: Final = frozenset({"s3", "s3a", "s3n"})
_SUFFIX: Final = ".partial"
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
        raise _no_storage(destination, error) from None


def _no_storage(destination: object, error: Exception) -> RunwayConfigurationError:
    return RunwayConfigurationError(
        f"destination {redact(destination, limit=200)!r} is nothing that ObjectStoragePath understands: "
        f"{redact(error, limit=200)}. Nothing was sent or fetched. Is the provider of that storage installed?"
    )


class Destination:
    """A folder. Several threads may use it at once.

    :param folder: where it is.
    :param largest: bytes of the largest file that may come.
    """

    def __init__(self, folder: ObjectStoragePath, largest: int) -> None:
        self._folder = folder
        self._root = str(folder.path).rstrip("/")
        self._block = max(_BLOCK, -(-largest // _MOST_PARTS))
        try:
            self._fs: AbstractFileSystem = folder.fs
        except (ValueError, ImportError) as error:
            # Where the path itself does not tell (before Airflow 3.2).
            raise _no_storage(folder, error) from None
        except Exception as error:
            raise self._told("be reached", error) from None
        protocol = self._fs.protocol
        names = {protocol} if isinstance(protocol, str) else set(protocol)
        self._commits = bool(names & _COMMITTING)
        self._is_local = bool(names & {"file", "local"})

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
        with self._trouble("be read"):
            self._fs.invalidate_cache(self._at(name).rpartition("/")[0])
            try:
                info = self._fs.info(self._at(name))
            except (FileNotFoundError, NotADirectoryError):
                return None
        if info["type"] != "file":
            raise RunwayTransferRefusedError(
                f"{self.path(name)} is a folder. Nothing was saved there, and the generation itself is untouched. "
                "Give another destination or file_name, then clear this task."
            )
        return int(info["size"])

    def begins_with(self, name: str, head: bytes) -> bool:
        """Whether a stored file begins so.

        :param name: a checked relative name.
        :param head: its first bytes.
        """
        with self._trouble("be read"), self.reading(name) as file:
            return bytes(file.read(len(head))) == head

    def sha256(self, name: str) -> str:
        """The digest of a stored file, hexadecimal; reads all of it.

        :param name: a checked relative name.
        """
        digest = hashlib.sha256()
        with self._trouble("be read"), self.reading(name) as file:
            while piece := file.read(_READ):
                digest.update(piece)
        return digest.hexdigest()

    @contextlib.contextmanager
    def reading(self, name: str) -> Iterator[Any]:
        """A stored file, open for reading, seekable.

        :param name: a checked relative name.
        """
        options = {} if self._is_local else {"block_size": _READ}
        with self._fs.open(self._at(name), "rb", **options) as file:
            yield file

    def read_document(self, name: str) -> Any:
        """A stored JSON document; ``None`` if there is none that can be read as such.

        :param name: a checked relative name.
        """
        size = self.size(name)
        if size is None or size > _LARGEST_DOCUMENT:
            return None
        with self._trouble("be read"), self.reading(name) as file:
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
        sink = self.open(name, name, media_type)
        try:
            sink.write(content)
            sink.commit(len(content))
        finally:
            sink.discard()

    def open(self, name: str, stem: str, media_type: str) -> StoredFile:
        """A new file, seen by nobody before it is committed.

        :param name: a checked relative name.
        :param stem: the same without the extension, for the temporary name.
        :param media_type: told to stores that keep it.
        """
        if self._commits:
            options = {"autocommit": False, "ContentType": media_type, "block_size": self._block}
            return StoredFile(self, name, self._at(name), options)
        folder, _, last = stem.rpartition("/")
        partial = f"{folder}/" * bool(folder) + f".{last}.{secrets.token_hex(6)}{_SUFFIX}"
        options = {} if self._is_local else {"block_size": self._block}
        return StoredFile(self, name, self._at(partial), options)

    def sweep(self, stems: Collection[str]) -> int:
        """Remove what killed workers left of these files. Trouble on the way is no trouble.

        :param stems: names without extensions.
        :returns: how many leftovers were removed.
        """
        removed = 0
        for folder in sorted({stem.rpartition("/")[0] for stem in stems}):
            lasts = [stem.rpartition("/")[2] for stem in stems if stem.rpartition("/")[0] == folder]
            with contextlib.suppress(Exception):
                removed += self._sweep_folder(self._at(folder).rstrip("/"), lasts)
        return removed

    def _sweep_folder(self, folder: str, lasts: Collection[str]) -> int:
        if self._commits:
            return self._abort_uploads(folder, lasts)
        removed = 0
        for path in self._hidden(folder):
            last = path.rpartition("/")[2]
            if last.endswith(_SUFFIX) and last[1:].removesuffix(_SUFFIX).rpartition(".")[0] in lasts:
                self._fs.rm_file(path)
                removed += 1
        return removed

    def _hidden(self, folder: str) -> list[str]:
        """Files of a folder that begin with a dot, at least."""
        # Object stores list by prefix; without one, a folder of a million clips would be listed.
        if "prefix" in inspect.signature(getattr(self._fs, "_find", self._fs.find)).parameters:
            return list(self._fs.find(folder, prefix="."))
        return list(self._fs.ls(folder, detail=False))

    def _abort_uploads(self, folder: str, lasts: Collection[str]) -> int:
        bucket, _, key = folder.partition("/")
        prefixes = tuple(f"{key}/{last}".lstrip("/") for last in lasts)
        removed = 0
        for upload in self._fs.list_multipart_uploads(bucket):
            rests = [upload["Key"][len(p) :] for p in prefixes if upload["Key"].startswith(p)]
            if any(not rest or (rest[0] == "." and "/" not in rest) for rest in rests):
                self._fs.abort_mpu(bucket, upload["Key"], upload["UploadId"])
                removed += 1
        return removed

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    @contextlib.contextmanager
    def _trouble(self, what: str) -> Iterator[None]:
        try:
            yield
        except (RunwayTransferError, RunwayTransferRefusedError):
            raise
        except Exception as error:
            raise self._told(what, error) from None

    def _told(self, what: str, error: Exception) -> RunwayTransferError:
        return RunwayTransferError(
            f"The destination {redact(self._folder, limit=200)} could not {what}: {type(error).__name__}: "
            f"{redact(error, limit=200)}. The generation itself is untouched; a retry tries again."
        )


class StoredFile:
    """A file that is being written; see :class:`airflow_runway.transfers._saving.download.Sink`.

    :param destination: the folder.
    :param name: its final name.
    :param at: where the bytes go until it is committed.
    :param options: for the storage library.
    """

    def __init__(self, destination: Destination, name: str, at: str, options: dict[str, Any]) -> None:
        self._destination = destination
        self._fs = destination._fs
        self._name = name
        self._at = at
        self._final = destination._at(name)
        self._done = False
        with destination._trouble("be written"):
            try:
                self._file = self._fs.open(at, "wb", **options)
            except FileNotFoundError:
                # Where folders are real. Object stores never come here, so no bucket is made by a slip.
                self._fs.makedirs(at.rpartition("/")[0], exist_ok=True)
                self._file = self._fs.open(at, "wb", **options)

    def write(self, piece: bytes) -> None:
        """Take the next bytes.

        :param piece: some bytes.
        """
        with self._destination._trouble("be written"):
            self._file.write(piece)

    def commit(self, size: int) -> None:
        """Show the file to readers.

        :param size: bytes that storage must have.
        :raises RunwayTransferError: if it has not; nothing stays behind then.
        """
        with self._destination._trouble("be written"):
            self._file.close()
            if self._at == self._final:
                self._file.commit()
            else:
                self._check(self._fs.info(self._at)["size"], size)
                self._move()
            self._done = True
        try:
            self._check(self._destination.size(self._name), size)
        except RunwayTransferError:
            with contextlib.suppress(Exception):
                self._fs.rm_file(self._final)
            raise

    def _move(self) -> None:
        if self._destination._is_local:
            # Not the library's move, which falls back to copying under the final name.
            os.replace(self._at, self._final)
        else:
            self._fs.mv(self._at, self._final)

    def _check(self, stored: int | None, size: int) -> None:
        if stored != size:
            raise RunwayTransferError(
                f"Storage shows {stored} of {size} bytes that were written to {self._destination.path(self._name)}. "
                "The generation itself is untouched; a retry saves it anew."
            )

    def discard(self) -> None:
        """Leave nothing behind, unless committed. Trouble on the way is no trouble."""
        if self._done:
            return
        self._done = True
        with contextlib.suppress(Exception):
            if self._at == self._final:
                self._file.discard()
            else:
                self._file.close()
        # A file that is merely dropped would be finished by the library's destructor.
        with contextlib.suppress(Exception):
            self._file.closed = True
        if self._at != self._final:
            with contextlib.suppress(Exception):
                self._fs.rm_file(self._at)
