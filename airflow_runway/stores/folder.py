"""The journal folder: ``[runway] journal`` in Airflow's configuration, a folder of files that are never rewritten.

``<journal>/<namespace>/<dag>/<run>/<task>/<index>/0001-intent.json`` and so on, see
:mod:`airflow_runway.core.journal.entries`. Everything rests on a file being created *exclusively*: of two workers
that create the same one, exactly one succeeds. On ``file://`` that is a hard link to a complete file; on object
storage the library's mode ``x`` (on S3 a conditional PUT). A store that does not refuse the second is found out
before the first intent. Nothing here ever removes a file: what is old is for the store's own rules to remove.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.journal.entries import (
    Entry,
    number_in,
    read_entry,
)
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Context, ObjectStoragePath
    from fsspec import AbstractFileSystem

_LOCAL: Final = frozenset({"file", "local"})
#: Characters of a folder's name that mean nothing else anywhere, and how many of them are kept.
_ODD = re.compile(r"[^A-Za-z0-9._=-]")
_PART_LENGTH: Final = 120
#: Journals that are known, in this process, to refuse a second creation.
_proved: set[str] = set()


class JournalFolderError(Exception):
    """The journal folder cannot be used now, or holds what is not ours; a sentence."""


class TakenError(Exception):
    """Somebody else has created that file."""


def folder_of(context: Context) -> TaskFolder | None:
    """The folder of a task instance; ``None`` where no journal is configured.

    :param context: of the task that runs.
    :raises RunwayConfigurationError: the configuration is wrong; nothing was sent.
    """
    from airflow.configuration import conf

    url = str(conf.get("runway", "journal", fallback="") or "").strip()
    if not url:
        return None
    namespace = str(conf.get("runway", "journal_namespace", fallback="") or "").strip()
    root = _root_at(url)
    is_local = bool(_protocols(root.fs) & _LOCAL)
    if not namespace and not is_local:
        raise RunwayConfigurationError(
            f"[runway] journal is {redact(url, limit=200)}, on object storage, and [runway] journal_namespace is "
            'empty. Nothing was sent. Give each Airflow a namespace of its own, e.g. "production": Dags and runs of '
            "the same name must never meet."
        )
    ti = context["ti"]
    map_index = getattr(ti, "map_index", None)
    index = "-" if map_index is None or map_index < 0 else str(map_index)
    parts = [namespace or "-", *(_part(one) for one in (ti.dag_id, ti.run_id, ti.task_id)), index]
    return TaskFolder(
        root.fs,
        str(root.path).rstrip("/"),
        parts,
        url=redact(url, limit=200),
        is_unsafe=conf.getboolean("runway", "journal_unsafe", fallback=False),
    )


def _root_at(url: str) -> ObjectStoragePath:
    from airflow.sdk import ObjectStoragePath

    try:
        root = ObjectStoragePath(url)
        assert root.fs  # noqa: S101 - before Airflow 3.2 only this tells
    except Exception as error:
        raise RunwayConfigurationError(
            f"[runway] journal is {redact(url, limit=200)!r}, which is nothing that ObjectStoragePath understands: "
            f"{redact(error, limit=200)}. Nothing was sent. Is the provider of that storage installed?"
        ) from None
    return root


def _protocols(fs: AbstractFileSystem) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def _part(name: str) -> str:
    """A folder's name: different for any two names, and harmless everywhere."""
    clean = _ODD.sub("_", name)[:_PART_LENGTH]
    if clean == name and set(name) != {"."}:
        return name
    return f"{clean}~{hashlib.sha256(name.encode()).hexdigest()[:10]}"


class TaskFolder:
    """The files of one task instance.

    :param fs: the file system.
    :param root: path of the journal in it.
    :param parts: names of the folders below, the namespace first.
    :param url: of the journal, for messages.
    :param is_unsafe: whether a store that does not refuse a second creation is used all the same.
    """

    def __init__(
        self, fs: AbstractFileSystem, root: str, parts: list[str], *, url: str, is_unsafe: bool
    ) -> None:
        self._fs = fs
        self._is_local = bool(_protocols(fs) & _LOCAL)
        self._namespace = f"{root}/{parts[0]}"
        self._path = "/".join([root, *parts])
        self._is_unsafe = is_unsafe
        self.url = "/".join([url.rstrip("/"), *parts])

    def read(self) -> list[Entry]:
        """All files; none where there is no folder.

        :raises JournalFolderError: it cannot be read now, or holds what is not ours.
        """
        try:
            names = [str(path).rpartition("/")[2] for path in self._listed()]
            contents = self._contents([name for name in names if not name.startswith(".")])
        except Exception as error:
            raise JournalFolderError(
                f"the journal folder {self.url} could not be read ({type(error).__name__}: "
                f"{redact(error, limit=200)})"
            ) from None
        return [self._entry(name, content) for name, content in contents.items()]

    def _listed(self) -> list[str]:
        try:
            # Object storage libraries remember what they have listed before.
            options = {} if self._is_local else {"refresh": True}
            return list(self._fs.ls(self._path, detail=False, **options))
        except FileNotFoundError:
            return []

    def _contents(self, names: list[str]) -> dict[str, bytes]:
        if not names:
            return {}
        found = self._fs.cat([f"{self._path}/{name}" for name in names])
        return {str(path).rpartition("/")[2]: content for path, content in found.items()}

    def _entry(self, name: str, content: bytes) -> Entry:
        number = number_in(name)
        if number is None:
            raise JournalFolderError(
                f"the journal folder {self.url} holds {redact(name, limit=80)!r}, which is none of its files: take "
                "it away"
            )
        try:
            return read_entry(number, json.loads(content))
        except (ValueError, RecursionError) as error:
            raise JournalFolderError(
                f"{name} in the journal folder {self.url} cannot be understood ({redact(error, limit=80)})"
            ) from None

    def create(self, name: str, value: dict[str, Any]) -> None:
        """Create a file that is not there.

        :param name: of the file.
        :param value: plain JSON, with something in it that no other writer has.
        :raises TakenError: it is there, and somebody else's.
        """
        path, content = f"{self._path}/{name}", json.dumps(value, sort_keys=True).encode()
        self._create(path, content)

    def _create(self, path: str, content: bytes) -> None:
        try:
            if self._is_local:
                _link_locally(path, content)
            else:
                with self._fs.open(path, "xb") as file:
                    file.write(content)
        except Exception:
            # The answer to our own may have been lost, and its repetition refused: what stands there decides.
            found = self._found(path)
            if found == content:
                return
            if found is not None:
                raise TakenError(path) from None
            raise

    def _found(self, path: str) -> bytes | None:
        self._fs.invalidate_cache(path.rpartition("/")[0])
        try:
            return bytes(self._fs.cat_file(path))
        except FileNotFoundError:
            return None

    def holds(self, name: str, value: dict[str, Any]) -> bool:
        """Whether a file is there as it was created.

        :param name: of the file.
        :param value: what was created.
        """
        return self._found(f"{self._path}/{name}") == json.dumps(value, sort_keys=True).encode()

    def prove(self) -> None:
        """Make sure, once per process, that the store refuses to create what is there.

        :raises RunwayConfigurationError: it does not.
        """
        if self._is_local or self._is_unsafe or self._namespace in _proved:
            return
        path = f"{self._namespace}/.proof-{secrets.token_hex(12)}"
        self._create(path, b"1")
        try:
            self._create(path, b"2")
        except TakenError:
            _proved.add(self._namespace)
        else:
            raise RunwayConfigurationError(
                f"The store of [runway] journal ({self.url}) created the same file twice, where a journal needs it "
                "to refuse: two workers could both submit. Nothing was sent. Use another store, a newer version of "
                "its library (s3fs from 2025.2), or, where never two workers run one task, [runway] journal_unsafe "
                "= True."
            )
        finally:
            self._remove(path)

    def _remove(self, path: str) -> None:
        # A journal needs no right to delete; what is left then is one byte.
        with contextlib.suppress(Exception):
            self._fs.rm_file(path)


def _link_locally(path: str, content: bytes) -> None:
    """Create a local file, complete or not at all.

    :raises FileExistsError: it is there.
    """
    folder, _, name = path.rpartition("/")
    os.makedirs(folder, exist_ok=True)
    unfinished = f"{folder}/.{name}.{secrets.token_hex(6)}"
    with open(unfinished, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(unfinished, path)
    finally:
        os.unlink(unfinished)
    # The name too must outlive a machine that stops.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
