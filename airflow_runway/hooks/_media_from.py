"""Files of the team's own, opened where it is allowed: see :mod:`airflow_runway.core.media.places` for the rule.

A local file is judged where its path really leads, see :mod:`airflow_runway._local_files`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow.providers.common.compat.lineage.hook import get_hook_lineage_collector
from airflow.sdk import ObjectStoragePath

from airflow_runway._local_files import opened_below
from airflow_runway.core.media.places import AllowedPlaces, Place, not_had, place_of, read_prefixes
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayConfigurationError, RunwayMediaError, RunwayMediaRefusedError

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What tells whether a file is there, and whether it could be read.
_TELLING = (FileNotFoundError, PermissionError, IsADirectoryError, NotADirectoryError)


class MediaFrom:
    """Opens what the configuration and the author of a task allow.

    :param prefixes: the author's argument ``media_from``; ``None`` = none was given.
    """

    def __init__(self, prefixes: Sequence[str] | str | None = None) -> None:
        self._prefixes = prefixes

    @cached_property
    def allowed(self) -> AllowedPlaces:
        """The lists that count.

        :raises RunwayConfigurationError: one of them is wrong; nothing was sent.
        """
        from airflow.configuration import conf

        configured = str(conf.get("runway", "media_from", fallback="") or "").strip()
        given = {"[runway] media_from": configured or None, "media_from": self._prefixes}
        try:
            return AllowedPlaces(
                tuple(read_prefixes(name, value) for name, value in given.items() if value is not None)
            )
        except ValueError as error:
            raise RunwayConfigurationError(
                f"{redact(error)}. Nothing was sent.", summary="media_from names what is no prefix"
            ) from None

    def opened(self, uri: str, what: str) -> tuple[BinaryIO, int]:
        """A file, opened for reading, and its size in bytes.

        :param uri: a URL of ``ObjectStoragePath``, or an absolute local path.
        :param what: the file as errors begin with it.
        :raises RunwayMediaError: it is not allowed, not there, or cannot be read now; nothing was sent.
        :raises RunwayMediaRefusedError: no storage goes by that name.
        """
        place = place_of(uri)
        try:
            if place is None:
                raise PermissionError
            return self._local(place) if place.is_local else self._remote(uri, place, what)
        except _TELLING:
            raise RunwayMediaError(f"{not_had(what)}.", next_step="Check the file and media_from") from None
        except (RunwayMediaError, RunwayConfigurationError):
            raise
        except Exception as error:
            raise unreadable(what, error) from None

    def _local(self, place: Place) -> tuple[BinaryIO, int]:
        file, size, real = opened_below(place.path, self.allowed.local)
        # Airflow's own paths tell of what is read by themselves.
        get_hook_lineage_collector().add_input_asset(context=self, uri=f"file://{real}")  # type: ignore[no-untyped-call]
        return file, size

    def _remote(self, uri: str, place: Place, what: str) -> tuple[BinaryIO, int]:
        if not self.allowed.admits(place):
            raise PermissionError
        try:
            path: Any = ObjectStoragePath(uri)
            filesystem = path.fs
        except Exception as error:
            raise _no_storage(what, error) from None
        if "file" in _protocols(filesystem):
            raise PermissionError
        try:
            size = int(path.stat().st_size)
            file: BinaryIO = path.open("rb")
        except (ValueError, ImportError) as error:
            # Where the path itself does not tell (before Airflow 3.2).
            raise _no_storage(what, error) from None
        return file, size


def _protocols(filesystem: object) -> Sequence[str]:
    """What a filesystem of fsspec calls itself: one name, or several."""
    names = getattr(filesystem, "protocol", ())
    return (names,) if isinstance(names, str) else tuple(names)


def _no_storage(what: str, error: Exception) -> RunwayMediaRefusedError:
    return RunwayMediaRefusedError(
        f"{what} cannot be opened: {type(error).__name__}: {redact(error, limit=160)}. Is the provider of that "
        "storage installed? Nothing was sent and nothing was charged."
    )


def unreadable(what: str, error: Exception) -> RunwayMediaError:
    """The error for a storage that does not answer now.

    :param what: the file as errors begin with it.
    :param error: what its library raised.
    """
    return RunwayMediaError(
        f"{what} could not be read: {type(error).__name__}: {redact(error, limit=160)}. Nothing was sent and nothing "
        "was charged; a retry reads it again."
    )
