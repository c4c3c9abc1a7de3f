"""The file system behind a destination: how its files come to be seen, and what its errors are told as."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import (
    RunwayConfigurationError,
    RunwayTransferError,
    RunwayTransferRefusedError,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import ObjectStoragePath
    from fsspec import AbstractFileSystem

#: File systems whose files appear when, and only when, they are committed.
_COMMITTING: Final = frozenset({"s3", "s3a", "s3n"})
_LOCAL: Final = frozenset({"file", "local"})


@dataclass(frozen=True, slots=True)
class Storage:
    """A file system; make it with :func:`storage_of`. Several threads may use it at once."""

    fs: AbstractFileSystem
    #: The destination's URL, for messages.
    url: str
    #: Whether a file appears only when it is committed, so that it needs no temporary name.
    commits: bool
    #: Whether it is a folder of this machine.
    is_local: bool

    def size(self, path: str, url: str) -> int | None:
        """Bytes of a stored file; ``None`` if there is none.

        :param path: as the file system knows it.
        :param url: the same, for messages.
        :raises RunwayTransferRefusedError: if a folder is in its place.
        """
        with self.errors("be read"):
            self.fs.invalidate_cache(path.rpartition("/")[0])
            try:
                info = self.fs.info(path)
            except (FileNotFoundError, NotADirectoryError):
                return None
        if info["type"] != "file":
            raise RunwayTransferRefusedError(
                f"{url} is a folder. Nothing was saved there, and the generation itself is untouched. "
                "Give another destination or file_name, then clear this task.",
                summary="The destination of an output is a folder",
                next_step="Give another file_name, then clear",
            )
        return int(info["size"])

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Around calls into the storage library: whatever it raises becomes an error of ours.

        :param what: what could not be done, e.g. ``be written``.
        """
        try:
            yield
        except (RunwayTransferError, RunwayTransferRefusedError):
            raise
        except Exception as error:
            raise _transfer_error(self.url, what, error) from None


def storage_of(folder: ObjectStoragePath) -> Storage:
    """The file system of a folder.

    :param folder: the destination.
    :raises RunwayConfigurationError: Airflow knows no such storage; nothing was sent or fetched.
    :raises RunwayTransferError: it cannot be reached now.
    """
    url = redact(folder, limit=200)
    try:
        fs = folder.fs
    except (ValueError, ImportError) as error:
        # Where the path itself does not tell (before Airflow 3.2).
        raise unknown_storage(folder, error) from None
    except Exception as error:
        raise _transfer_error(url, "be reached", error) from None
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)
    return Storage(fs, url, commits=bool(protocols & _COMMITTING), is_local=bool(protocols & _LOCAL))


def unknown_storage(destination: object, error: Exception) -> RunwayConfigurationError:
    """The error of a destination that Airflow knows no storage for.

    :param destination: what was given.
    :param error: Airflow's own.
    """
    return RunwayConfigurationError(
        f"destination {redact(destination, limit=200)!r} is nothing that ObjectStoragePath understands: "
        f"{redact(error, limit=200)}. Nothing was sent or fetched. Is the provider of that storage installed?"
    )


def _transfer_error(url: str, what: str, error: Exception) -> RunwayTransferError:
    return RunwayTransferError(
        f"The destination {url} could not {what}: {type(error).__name__}: "
        f"{redact(error, limit=200)}. The generation itself is untouched; a retry tries again.",
        summary=f"The destination could not {what}",
    )
