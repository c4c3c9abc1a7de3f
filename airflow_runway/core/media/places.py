"""From where media may be read: the prefixes that the Dag's author, and Airflow's configuration, allow.

Whoever writes a table, the conf of a run, or an answer of a language model can name any place; only those below an
allowed prefix are opened. There are up to two lists, the configuration's and the author's, and a place must be below
a prefix of each that is given. Without any list, places on object storage are free, and no local file is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from airflow_runway.core.redaction import redact

#: Schemes by which Airflow's ``ObjectStoragePath`` opens files of this machine.
_LOCAL = frozenset({"", "file", "local"})
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_URL = re.compile(r"(?:([A-Za-z][A-Za-z0-9+.-]*)://([^/]*))?(/.*)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Place:
    """A file or folder, as it is named: nothing was looked up."""

    #: Lower case; empty for a local one.
    scheme: str
    #: Connection id and bucket as they stand in the URL; empty for a local one.
    authority: str
    path: str

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}" if self.scheme else self.path

    @property
    def is_local(self) -> bool:
        """Whether it is on the machine that reads it."""
        return not self.scheme

    def is_below(self, prefix: Place) -> bool:
        """Whether it is a prefix or below it, step by step; for places on object storage.

        :param prefix: the prefix; ``s3://aws_default@`` has every bucket of that connection below it.
        """
        if prefix.authority.endswith("@") and not prefix.path:
            return self.scheme == prefix.scheme and self.authority.startswith(prefix.authority)
        steps, of_prefix = _steps(self.path), _steps(prefix.path)
        return (
            (self.scheme, self.authority) == (prefix.scheme, prefix.authority)
            and steps[: len(of_prefix)] == of_prefix
            and not {".", ".."} & set(steps)
        )


def place_of(uri: str) -> Place | None:
    """The place that a reference names; ``None`` if it is of no form that is ever opened.

    :param uri: a URL of ``ObjectStoragePath``, or an absolute local path.
    """
    found = _URL.fullmatch(uri)
    if found is None or _CONTROL.search(uri):
        return None
    scheme, authority, path = (found[1] or "").lower(), found[2] or "", found[3] or ""
    if scheme not in _LOCAL:
        return Place(scheme, authority, path)
    # "file://host/x" and "file:////x" would be read relative to the worker's folder.
    if (
        (authority and not authority.endswith("@"))
        or not path.startswith("/")
        or (scheme and path[1:2] == "/")
    ):
        return None
    return Place("", "", path)


def _steps(path: str) -> list[str]:
    return path.strip("/").split("/") if path.strip("/") else []


def read_prefixes(name: str, given: object) -> tuple[Place, ...]:
    """A list of prefixes, checked.

    :param name: what the list is called, for the error.
    :param given: one or several, as URL, absolute path, or path object; in a text also with commas between.
    :raises ValueError: one of them is none.
    """
    if isinstance(given, str):
        entries: list[object] = [part.strip() for part in given.split(",") if part.strip()]
    elif not isinstance(given, Iterable) or isinstance(given, Mapping) or _is_path(given):
        entries = [given]
    else:
        entries = list(given)
    return tuple(_prefix(name, entry) for entry in entries)


def _is_path(value: object) -> bool:
    """Of ``pathlib``, or an ``ObjectStoragePath``."""
    return hasattr(value, "__fspath__") or hasattr(value, "conn_id")


def _prefix(name: str, entry: object) -> Place:
    place = place_of(str(entry)) if isinstance(entry, str) or _is_path(entry) else None
    if place is None or {".", ".."} & set(_steps(place.path)):
        raise ValueError(
            f"{name} must be prefixes such as 's3://aws_default@briefs/' or 'file:///srv/keyframes/', not "
            f"{redact(entry, limit=120)!r}"
        )
    return place


@dataclass(frozen=True, slots=True)
class AllowedPlaces:
    """The lists that count for one task; see the module.

    :param lists: those that are given.
    """

    lists: tuple[tuple[Place, ...], ...] = ()

    def admits(self, place: Place) -> bool:
        """Whether a place on object storage may be read.

        :param place: the place.
        """
        return all(any(place.is_below(prefix) for prefix in prefixes) for prefixes in self.lists)

    @property
    def local(self) -> tuple[tuple[str, ...], ...]:
        """Each list's local prefixes; a local file must be below one of each. Empty: no local file may be read."""
        return tuple(tuple(prefix.path for prefix in prefixes if prefix.is_local) for prefixes in self.lists)


def not_had(what: str) -> str:
    """The one sentence for a file that is not allowed, not there, or not readable: nobody learns which.

    :param what: the file, as logs may show it.
    """
    return (
        f"{what} cannot be had: it is not below a prefix of media_from, or not there, or no file that can be read. "
        "Nothing was sent and nothing was charged; a retry looks again. Which prefixes are allowed says the argument "
        "media_from of the task, within [runway] media_from of Airflow's configuration; without either, no local file"
    )
