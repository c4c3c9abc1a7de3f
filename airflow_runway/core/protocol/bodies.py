"""What can be a JSON body: judged before anything is looked at, read or sent. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.facts import ErrorKind, core_error
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_runway.core.facts import CoreError

#: Levels of a body; the documented ones have four.
DEEPEST: Final = 100
#: Digits of a whole number; those that are documented have ten.
_MOST_DIGITS: Final = 18


def checked_body(
    body: object, name: str = "payload", is_path: Callable[[object], bool] = lambda value: False
) -> Mapping[str, Any]:
    """A body that JSON has a form for.

    :param body: anything, e.g. what a template was rendered to.
    :param name: what it is called, for the message.
    :param is_path: whether something else than JSON names a file, and stands for a text.
    :raises CoreError: naming the place and what stands there; nothing was sent.
    """
    if not isinstance(body, Mapping):
        raise _refused(name, body, "not a JSON object")
    _check(body, name, is_path, 0)
    return body


def _check(value: object, place: str, is_path: Callable[[object], bool], depth: int) -> None:
    if isinstance(value, Mapping | list | tuple):
        if depth >= DEEPEST:
            raise _refused(place[:80], None, f"nested more than {DEEPEST} levels deep, or in itself")
        for name, inside in _inside(value, place):
            _check(inside, name, is_path, depth + 1)
    elif not is_path(value):
        why = _trouble_with(value)
        if why:
            raise _refused(place, value, why)


def _inside(
    value: Mapping[object, object] | list[object] | tuple[object, ...], place: str
) -> Iterator[tuple[str, object]]:
    if not isinstance(value, Mapping):
        yield from ((f"{place}[{number}]", inside) for number, inside in enumerate(value))
        return
    for key, inside in value.items():
        if not isinstance(key, str) or not _is_encodable(key):
            raise _refused(place, key, "an object with a member whose name is no text")
        yield f"{place}.{key[:40]}", inside


def _trouble_with(value: object) -> str:
    """Why JSON has no form for something that holds nothing else; empty if it has."""
    if isinstance(value, str):
        return "" if _is_encodable(value) else "a text that cannot be encoded"
    if isinstance(value, bool) or value is None:
        return ""
    if isinstance(value, int):
        return "" if abs(value) < 10**_MOST_DIGITS else f"a number of more than {_MOST_DIGITS} digits"
    if isinstance(value, float):
        return "" if math.isfinite(value) else "a number that JSON has no form for"
    return f"a Python {type(value).__name__}, which JSON has no form for"


def _is_encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _refused(place: str, value: object, why: str) -> CoreError:
    told = "" if value is None else f" ({redact(value, limit=60)})"
    return core_error(
        ErrorKind.CONFIGURATION,
        f"{redact(place, limit=120)} is {why}{told}. Nothing was sent and nothing was charged.",
    )
