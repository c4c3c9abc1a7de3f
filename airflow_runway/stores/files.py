"""Files that are created exclusively and never rewritten: of two workers that create the same one, one succeeds.

On ``file://`` that is a hard link to a complete file; on object storage the library's mode ``x`` (on S3 a conditional
PUT). A store that does not refuse the second is found out by :meth:`Files.prove`. What is old is for the store's own
rules to remove; only the ledgers of budgets remove files, of which others say the same or more.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fsspec import AbstractFileSystem

_LOCAL: Final = frozenset({"file", "local"})
#: Journals that are known, in this process, to refuse a second creation.
_proved: set[str] = set()


class JournalFolderError(Exception):
    """The journal folder cannot be used now, or holds what is not ours; a sentence."""


class TakenError(Exception):
    """Somebody else has created that file."""


def is_local(fs: AbstractFileSystem) -> bool:
    """Whether a file system is this machine's.

    :param fs: the file system.
    """
    return not _LOCAL.isdisjoint({fs.protocol} if isinstance(fs.protocol, str) else fs.protocol)


@dataclass(frozen=True, slots=True)
class Files:
    """The files below a folder; names are relative to it."""

    fs: AbstractFileSystem
    #: The folder, as the file system knows it.
    path: str
    #: The same, for messages.
    url: str
    #: Whether a store that does not refuse a second creation is used all the same.
    is_unsafe: bool = False

    def below(self, folder: str) -> list[str]:
        """Names of all files in a folder and in those below it; none where it is not there.

        :param folder: its name.
        :raises JournalFolderError: it cannot be listed now.
        """
        return self._listed(folder, deep=True)

    def within(self, folder: str) -> list[str]:
        """Names of the files in a folder; none where it is not there.

        :param folder: its name.
        :raises JournalFolderError: it cannot be listed now.
        """
        return self._listed(folder, deep=False)

    def _listed(self, folder: str, *, deep: bool) -> list[str]:
        path = f"{self.path}/{folder}"
        # Object storage libraries remember what they have listed before.
        options = {} if is_local(self.fs) else {"refresh": True}
        try:
            if deep:
                self.fs.invalidate_cache()
                paths = self.fs.find(path)
            else:
                paths = self.fs.ls(path, detail=False, **options)
        except FileNotFoundError:
            return []
        except Exception as error:
            raise self._unreadable(folder, error) from None
        names = [str(one)[len(self.path) + 1 :] for one in paths]
        # What a writer has not finished yet, or a proof.
        return sorted(name for name in names if not name.rpartition("/")[2].startswith("."))

    def contents(self, names: Iterable[str]) -> dict[str, bytes]:
        """What files hold, by name.

        :param names: of the files.
        :raises JournalFolderError: one cannot be read now.
        """
        paths = {f"{self.path}/{name}": name for name in names}
        if not paths:
            return {}
        try:
            found = self.fs.cat(list(paths))
        except Exception as error:
            raise self._unreadable(next(iter(paths.values())), error) from None
        return {name: bytes(found[path]) for path, name in paths.items()}

    def _unreadable(self, name: str, error: Exception) -> JournalFolderError:
        return JournalFolderError(
            f"the journal folder {self.url}/{name} could not be read ({type(error).__name__}: "
            f"{redact(error, limit=200)})"
        )

    def found(self, name: str) -> bytes | None:
        """What a file holds now; ``None`` where it is not there.

        :param name: of the file.
        """
        path = f"{self.path}/{name}"
        self.fs.invalidate_cache(path.rpartition("/")[0])
        try:
            return bytes(self.fs.cat_file(path))
        except FileNotFoundError:
            return None

    def create(self, name: str, content: bytes) -> None:
        """Create a file that is not there. Anything may be raised where that is not known to have worked.

        :param name: of the file.
        :param content: with something in it that no other writer has.
        :raises TakenError: it is there, and somebody else's.
        """
        try:
            self._create(f"{self.path}/{name}", content)
        except Exception:
            # The answer to our own may have been lost, and its repetition refused: what stands there decides.
            found = self.found(name)
            if found == content:
                return
            if found is not None:
                raise TakenError(name) from None
            raise

    def _create(self, path: str, content: bytes) -> None:
        if is_local(self.fs):
            _link(path, content)
        else:
            with self.fs.open(path, "xb") as file:
                file.write(content)

    def removed(self, name: str) -> bool:
        """Remove a file of which another one says the same, or more.

        :param name: its name.
        :returns: whether it is known to be gone.
        """
        try:
            self.fs.rm_file(f"{self.path}/{name}")
        except FileNotFoundError:
            return True
        except Exception:  # a journal needs no right to delete
            return False
        return True

    def prove(self) -> None:
        """Make sure, once per process, that the store refuses to create what is there.

        :raises RunwayConfigurationError: it does not.
        """
        if is_local(self.fs) or self.is_unsafe or self.path in _proved:
            return
        name = f".proof-{secrets.token_hex(12)}"
        self.create(name, b"1")
        try:
            self.create(name, b"2")
        except TakenError:
            _proved.add(self.path)
        else:
            raise RunwayConfigurationError(
                f"The store of [runway] journal ({self.url}) created the same file twice, where a journal needs it "
                "to refuse: two workers could both submit. Nothing was sent. Use another store, a newer version of "
                "its library (s3fs from 2025.2), or, where never two workers run one task, [runway] journal_unsafe "
                "= True.",
                summary="The journal's store creates one file twice",
                next_step="Use another store, then clear this task",
            )
        finally:
            # A journal needs no right to delete; what is left then is one byte.
            with contextlib.suppress(Exception):
                self.fs.rm_file(f"{self.path}/{name}")


def _link(path: str, content: bytes) -> None:
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
