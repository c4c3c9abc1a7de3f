"""The list of a batch: given as a list, or as a JSON-lines file on object storage. One bad entry spoils no other."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

from airflow.sdk import ObjectStoragePath

from airflow_runway.core.facts import CoreError
from airflow_runway.core.gallery.labels import label_of
from airflow_runway.core.journal.pin import named
from airflow_runway.core.protocol.bodies import checked_body
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.hooks._media_from import unreadable
from airflow_runway.hooks._request_media import is_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_runway.hooks._media_from import MediaFrom

#: Bytes of one line: a body with inline media may be large.
_LONGEST_LINE = 64 * 2**20


@dataclass(slots=True)
class Request:
    """One entry of the list."""

    #: Its place in the list, from 0.
    index: int
    #: The JSON body; ``None`` for an entry that is none.
    payload: Mapping[str, Any] | None
    #: Why it is none.
    error: str = ""
    #: The key that its author gave it, as :func:`airflow_runway.core.journal.pin.named` has it; empty = none.
    name: str = ""
    #: What people may call it; empty = nothing.
    label: str = ""


def read_requests(
    given: object, media_from: MediaFrom, item_key: str | None = None, label_field: str | bool | None = None
) -> list[Request]:
    """The entries of a list.

    :param given: JSON bodies, or the URL of a JSON-lines file.
    :param media_from: opens the file.
    :param item_key: the member of each body that is its stable key; it is taken out of the body.
    :param label_field: see :func:`airflow_runway.core.gallery.labels.label_of`.
    :raises RunwayConfigurationError: it is neither, or empty, or keys are missing or not unique; nothing was sent.
    :raises RunwayMediaError: the file is not allowed, not there, or cannot be read now; nothing was sent.
    """
    if isinstance(given, str | ObjectStoragePath):
        requests = [_parsed(index, line) for index, line in enumerate(_lines(str(given), media_from))]
    elif isinstance(given, Iterable) and not isinstance(given, Mapping | bytes):
        requests = [_checked(index, entry) for index, entry in enumerate(given)]
    else:
        raise RunwayConfigurationError(
            f"requests is {type(given).__name__}, neither a list of JSON objects nor the URL of a JSON-lines file. "
            "Nothing was sent."
        )
    if not requests:
        raise RunwayConfigurationError("requests is empty. Nothing was sent.")
    for request in requests:
        request.label = label_of(request.payload or {}, label_field, item_key)
    if item_key is None:
        return requests
    if not isinstance(item_key, str):
        raise RunwayConfigurationError(
            f"item_key is {redact(item_key, limit=60)!r}, which is no name of a member. Nothing was sent."
        )
    return _with_names(requests, item_key)


def _with_names(requests: list[Request], item_key: str) -> list[Request]:
    first: dict[str, int] = {}
    told = repr(redact(item_key, limit=60))
    for request in requests:
        if request.payload is None:
            continue
        value = request.payload.get(item_key)
        if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
            raise RunwayConfigurationError(
                f"Entry {request.index} of requests has no {told} that is a text or a whole number, and "
                "item_key says that each has. Nothing was sent."
            )
        request.name = named(str(value))
        if first.setdefault(request.name, request.index) != request.index:
            raise RunwayConfigurationError(
                f"Entries {first[request.name]} and {request.index} of requests have the same {told}, and "
                "item_key says that each has its own. Nothing was sent."
            )
        request.payload = {name: part for name, part in request.payload.items() if name != item_key}
    return requests


def _checked(index: int, entry: object) -> Request:
    if not isinstance(entry, Mapping):
        return Request(index, None, f"It is {type(entry).__name__}, not a JSON object.")
    try:
        return Request(index, checked_body(entry, "entry", is_path))
    except CoreError as error:
        return Request(index, None, str(error))


def _parsed(index: int, line: bytes) -> Request:
    try:
        return _checked(index, json.loads(line))
    except (ValueError, RecursionError):
        return Request(index, None, f"Line {index + 1} that is not empty is not JSON.")


def _lines(uri: str, media_from: MediaFrom) -> Iterator[bytes]:
    what = f"The list of requests ({redact(uri, limit=200)})"
    file, _ = media_from.opened(uri, what)
    with file:
        while line := _next_line(file, what):
            if line.strip():
                yield line


def _next_line(file: BinaryIO, what: str) -> bytes:
    try:
        return file.readline(_LONGEST_LINE)
    except Exception as error:
        raise unreadable(what, error) from None
