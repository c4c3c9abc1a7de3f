"""Manifests that lie on storage: of saved files, and of batches. Read only."""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.redaction import printable, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fsspec import AbstractFileSystem

#: How the names of manifests end.
_ENDINGS: Final = (".manifest.json", ".manifest.jsonl")
#: Files that are read at a time, and the bytes of one above which it is left out.
_AT_ONCE: Final = 100
_LARGEST: Final = 100 * 1024 * 1024


class ManifestsError(Exception):
    """There are no manifests there, or they cannot be read; a sentence."""


def documents_at(url: str, on_odd: Callable[[ManifestsError], object]) -> Iterator[tuple[str, Any]]:
    """Everything that manifests hold: a document for each generation, with the path of its file.

    :param url: a folder, whose manifests are found by their names, those below it too; or one file.
    :param on_odd: told of files, or lines, that cannot be read or understood; they are left out.
    :raises ManifestsError: there is nothing there, or it cannot be listed.
    """
    fs, sizes = _found(url)
    small = []
    for path, size in sorted(sizes.items()):
        if size > _LARGEST:
            on_odd(ManifestsError(f"{_told(path)} has {size} bytes: no manifest is that large."))
        else:
            small.append(path)
    paths = iter(small)
    while some := list(islice(paths, _AT_ONCE)):
        for path, content in fs.cat(some, on_error="return").items():
            if isinstance(content, BaseException):
                on_odd(ManifestsError(f"{_told(path)} could not be read: {_why(content)}."))
                continue
            for number, line in enumerate(_parts(bytes(content)), 1):
                try:
                    yield path, json.loads(line)
                except (ValueError, RecursionError) as error:
                    on_odd(ManifestsError(f"Line {number} of {_told(path)} is no JSON: {_why(error)}."))


def _parts(content: bytes) -> list[bytes]:
    """A whole document, or the lines of several."""
    try:
        json.loads(content)
    except (ValueError, RecursionError):
        return [line for line in content.split(b"\n") if line.strip()]
    return [content]


def _found(url: str) -> tuple[AbstractFileSystem, dict[str, int]]:
    """The file system, and the size of each manifest by its path."""
    told = redact(url, limit=200)
    try:
        from airflow.sdk import ObjectStoragePath

        root = ObjectStoragePath(url)
        fs, path = root.fs, str(root.path).rstrip("/")
        fs.invalidate_cache()
        if fs.isfile(path):
            found = {path: fs.info(path)}
        else:
            found = {
                name: info
                for name, info in fs.find(path, detail=True).items()
                if str(name).endswith(_ENDINGS)
            }
    except Exception as error:
        raise ManifestsError(
            f"{told} could not be listed: {_why(error)}. Is it a URL that ObjectStoragePath understands, and the "
            "provider of that storage installed?"
        ) from None
    if not found:
        raise ManifestsError(f"There is no manifest at {told}.")
    return fs, {str(name): int(info.get("size") or 0) for name, info in found.items()}


def _told(path: str) -> str:
    return printable(redact(path, limit=200), limit=200)


def _why(error: BaseException) -> str:
    return f"{type(error).__name__}: {redact(error, limit=160)}"
