"""Saved files as the api-server can read them: from its own disk, or from object storage, in pieces."""

from __future__ import annotations

import json
import os
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from airflow_runway._local_files import opened_below
from airflow_runway.core.media.places import Place, place_of
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from airflow_runway.core.gallery.saved import SavedFile

#: Seconds for which a store is kept: its credentials may have been renewed since.
_STORE_SECONDS: Final = 300.0
#: Seconds for which a manifest that was read is believed, and how many are kept.
_DOCUMENT_SECONDS: Final = 30.0
_MOST_DOCUMENTS: Final = 5_000
#: A manifest is some kilobytes; what is larger is not ours.
_LARGEST_DOCUMENT: Final = 4 * 2**20
#: Bytes that are asked of object storage at once.
_BLOCK: Final = 2**20


class UnavailableError(Exception):
    """A file cannot be had here and now; a sentence for the page."""


class Storage:
    """Opens files below folders that are believed. Several threads may use it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stores: dict[tuple[str, str | None], tuple[float, Any]] = {}
        self._documents: OrderedDict[SavedFile, tuple[float, object]] = OrderedDict()

    def opened(self, file: SavedFile) -> tuple[BinaryIO, int]:
        """A file, opened for reading, seekable, and its size in bytes.

        :param file: which.
        :raises UnavailableError: it is not there, or not to be read from here.
        """
        folder = place_of(file.folder.rstrip("/") or "/")
        if folder is None or {".", ".."} & set(file.name.split("/")):
            raise UnavailableError(f"{redact(file.folder, limit=200)} is no folder that is read.")
        if folder.is_local:
            return _local(folder, file)
        try:
            return self._remote(file, folder)
        except FileNotFoundError:
            raise UnavailableError(f"{redact(file.path, limit=300)} is not there (any more).") from None
        except Exception as error:
            self._forget(folder)
            raise UnavailableError(
                f"{redact(folder, limit=200)} cannot be read by the api-server ({type(error).__name__}: "
                f"{redact(error, limit=160)}). Has it the connection, and the provider, of that store?"
            ) from None

    def document(self, file: SavedFile) -> object:
        """A JSON document; ``None`` where what is there is none.

        :param file: which.
        :raises UnavailableError: it is not there, or not to be read from here.
        """
        now = time.monotonic()
        with self._lock:
            kept = self._documents.get(file)
        if kept is not None and kept[0] > now:
            return kept[1]
        opened, size = self.opened(file)
        with opened:
            content = opened.read(_LARGEST_DOCUMENT + 1) if size <= _LARGEST_DOCUMENT else b""
        try:
            found: object = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        with self._lock:
            self._documents[file] = (now + _DOCUMENT_SECONDS, found)
            while len(self._documents) > _MOST_DOCUMENTS:
                self._documents.popitem(last=False)
        return found

    def _remote(self, file: SavedFile, folder: Place) -> tuple[BinaryIO, int]:
        conn_id, _, container = folder.authority.rpartition("@")
        fs = self._store(folder.scheme, conn_id or None)
        path = str(fs._strip_protocol(f"{folder.scheme}://{container}{folder.path.rstrip('/')}/{file.name}"))
        # Storage libraries remember what they have listed before.
        fs.invalidate_cache(path.rpartition("/")[0])
        found = fs.info(path)
        if found.get("type") != "file":
            raise FileNotFoundError
        opened = fs.open(path, "rb", block_size=_BLOCK, size=found["size"], cache_type="readahead")
        return cast("BinaryIO", opened), int(found["size"])

    def _store(self, scheme: str, conn_id: str | None) -> Any:
        """A store, made anew every five minutes; Airflow's own paths would keep it for ever."""
        from airflow.sdk.io import get_fs

        key, now = (scheme, conn_id), time.monotonic()
        with self._lock:
            until, fs = self._stores.get(key, (0.0, None))
        if until < now:
            fs = get_fs(scheme, conn_id)
            names = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
            if "file" in names or "local" in names:
                raise PermissionError("it leads to the api-server's own disk")
            with self._lock:
                self._stores[key] = (now + _STORE_SECONDS, fs)
        return fs

    def _forget(self, folder: Place) -> None:
        with self._lock:
            for key in [one for one in self._stores if one[0] == folder.scheme]:
                del self._stores[key]


def _local(folder: Place, file: SavedFile) -> tuple[BinaryIO, int]:
    try:
        opened, size, _ = opened_below(f"{folder.path.rstrip('/')}/{file.name}", [[folder.path]])
    except PermissionError:
        if not os.path.isdir(folder.path):
            raise UnavailableError(
                f"The api-server does not see {redact(file.folder, limit=200)}: it is a folder of the worker's."
            ) from None
        raise UnavailableError(f"{redact(file.path, limit=300)} is not there (any more).") from None
    return opened, size
