"""JSON as other programs can read it again: no NaN, no infinity, no half of a character."""

from __future__ import annotations

import json
import math
from typing import NoReturn


def loads(content: bytes | bytearray) -> object:
    """Reads a JSON value.

    :param content: UTF-8 text.
    :raises ValueError: if it is not JSON, or holds something that could not be sent on.
    """
    try:
        value: object = json.loads(content, parse_constant=_refuse, parse_float=_finite)
        # Escapes can spell half of a surrogate pair, which no answer of ours could repeat.
        if b"\\ud" in content.lower():
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise ValueError("The body is not JSON.") from None
    return value


def loads_or_none(content: bytes | bytearray) -> object:
    """Reads a JSON value; ``None`` for everything that :func:`loads` refuses.

    :param content: any bytes.
    """
    try:
        return loads(content)
    except ValueError:
        return None


def _refuse(_text: str) -> NoReturn:
    raise ValueError


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError
    return number
