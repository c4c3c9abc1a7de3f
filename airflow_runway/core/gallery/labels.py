"""What a person calls an item of a batch: seen by everybody who may read the Dag, so nothing is told unasked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from airflow_runway.core.redaction import redact

#: Characters of a label, and its bytes as JSON: an entry of the task state store has room for 25 items.
LONGEST: Final = 60
_MOST_BYTES: Final = 300
_WORDS: Final = 8


def label_of(body: Mapping[str, Any], field: str | bool | None, item_key: str | None) -> str:
    """The label of an item; empty where its author asked for none.

    :param body: the request as its author wrote it, with its item key.
    :param field: a member's name; ``True`` = the name of the first file, else the first words of the prompt;
        ``None`` = the item key, where there is one; ``False`` = none.
    :param item_key: the member that says which item it is; ``None`` = there is none.
    """
    if field is True:
        return _short(_of_file(body) or _first_words(body))
    name = item_key if field is None else field
    value = body.get(name) if isinstance(name, str) else None
    return _short(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _short(value: object) -> str:
    text = redact(value, limit=LONGEST)
    while len(json.dumps(text)) > _MOST_BYTES:
        text = text[:-1]
    return text


def _of_file(body: Mapping[str, Any]) -> str:
    """The name of the first file that a body names, in the order of its members."""
    for text in _texts(body):
        if "/" in text[:2000] and not text.startswith("data:") and " " not in text.strip():
            name = unquote(urlsplit(text[:2000].strip()).path).rpartition("/")[2]
            if "." in name.strip("."):
                return name
    return ""


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)


def _first_words(body: Mapping[str, Any]) -> str:
    prompt = next(
        (text for name, text in body.items() if "prompt" in name.lower() and isinstance(text, str)), ""
    )
    words = prompt[:2000].split()
    return " ".join(words[:_WORDS]) + ("…" if len(words) > _WORDS else "")
