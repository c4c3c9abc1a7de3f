"""From bytes to the parts of an answer, whatever software wrapped it; never raises.

The shapes: Runway's own objects (contracts §1), the envelope of new-api (contracts §6) that CometAPI reuses
(``{"code", "message", "data": {record}}`` with Runway's own object inside the record), error objects, and JSON
hidden in a message string.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Half of a character, which JSON can spell and nothing can encode.
_HALF = re.compile("[\ud800-\udfff]")
#: Levels of an answer that are looked at; the documented ones have six.
_DEEPEST = 50
_CODES_OF_SUCCESS = frozenset({"200", "0", "success", ""})
#: Made once: ``json.loads`` with an argument makes one per call.
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)
_RECORD_MARKS = ("task_id", "status", "state", "task_status")


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer, read to its end (or to our limit)."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    #: Whether the body broke off, or was too long, after these bytes.
    truncated: bool = False

    def header(self, name: str) -> str:
        """A header's value, or an empty string.

        :param name: in any letter case.
        """
        wanted = name.lower()
        return next((value for key, value in self.headers.items() if key.lower() == wanted), "")

    @property
    def is_html(self) -> bool:
        """Whether this is a web page, most likely of a proxy or of the wrong address."""
        return "html" in self.header("content-type").lower() or self.body.lstrip()[:1] == b"<"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an answer says is wrong, from whichever envelope it came in."""

    message: str = ""
    code: str = ""
    #: Runway's per-field complaints, as ``field: message``.
    issues: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.message or self.code or self.issues)

    def __str__(self) -> str:
        parts = [self.message or self.code]
        if self.code and self.code not in self.message:
            parts = [f"{self.message} ({self.code})" if self.message else self.code]
        parts.extend(self.issues)
        return "; ".join(part.rstrip(".") for part in parts if part)


def parse(body: bytes) -> Any:
    """The JSON value of a body, or ``None`` if it holds none.

    :param body: raw bytes of any kind.
    """
    try:
        value = _DECODER.decode(body.decode(json.detect_encoding(body), "replace"))
    except (ValueError, RecursionError):
        return None
    # Half a character can only come as an escape.
    return _encodable(value, _DEEPEST) if b"\\u" in body else value


def _encodable(value: Any, levels: int) -> Any:
    """A value whose texts can be encoded: half a character is replaced, and what is nested too deep left out."""
    if isinstance(value, str):
        return value if value.isascii() else _HALF.sub("\N{REPLACEMENT CHARACTER}", value)
    if not levels:
        return None
    if isinstance(value, dict):
        return {_encodable(name, 1): _encodable(inside, levels - 1) for name, inside in value.items()}
    return [_encodable(one, levels - 1) for one in value] if isinstance(value, list) else value


def as_text(value: object) -> str:
    """A string or a number as trimmed text; anything else as an empty string.

    :param value: any JSON value.
    """
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    try:
        return str(value).strip()
    except ValueError:  # an integer of thousands of digits
        return ""


def complaint_of(value: Any) -> Complaint:
    """The complaint in a JSON value; falsy if it makes none.

    :param value: a parsed body.
    """
    found = _complaint_of(value)
    if not found:
        return found
    # Gateways pass the upstream's body on as text in their own message.
    inner = _complaint_of(parse(found.message.encode())) if found.message.startswith("{") else None
    if inner:
        found = Complaint(inner.message, inner.code or found.code, inner.issues)
    return Complaint(redact(found.message), redact(found.code, limit=100), found.issues)


def _complaint_of(value: Any) -> Complaint:
    if not isinstance(value, dict):
        return Complaint()
    error = value.get("error")
    if isinstance(error, dict):
        return Complaint(as_text(error.get("message")), as_text(error.get("code")), _issues(error))
    if isinstance(error, str) and error.strip():
        return Complaint(error.strip(), as_text(value.get("code")), _issues(value))
    code = as_text(value.get("code"))
    if code.lower() in _CODES_OF_SUCCESS or value.get("data"):
        return Complaint()
    return Complaint(as_text(value.get("message")) or as_text(value.get("msg")), code, _issues(value))


def _issues(value: Mapping[str, Any]) -> tuple[str, ...]:
    issues = value.get("issues")
    if not isinstance(issues, list):
        return ()
    return tuple(_issue(issue) for issue in issues[:20] if isinstance(issue, dict))


def _issue(issue: Mapping[str, Any]) -> str:
    path = issue.get("path")
    field = ".".join(as_text(step) for step in path) if isinstance(path, list) else as_text(path)
    message = as_text(issue.get("message")) or as_text(issue.get("code"))
    return redact(f"{field}: {message}" if field else message, limit=300)


def says_not_visible(value: Any) -> bool:
    """Whether an answer says that the gateway does not show the task (yet): ``task_not_exist``, anywhere.

    Also new-api's ``{"code": "success", "data": null}``.

    :param value: a parsed body.
    """
    if not isinstance(value, dict):
        return False
    error, data = value.get("error"), value.get("data")
    places = [value.get(name) for name in ("code", "message", "msg", "status")]
    places += [error.get("code"), error.get("message")] if isinstance(error, dict) else [error]
    places += [data.get("status")] if isinstance(data, dict) else [data]
    if any(isinstance(place, str) and "task_not_exist" in place.lower() for place in places):
        return True
    return as_text(value.get("code")).lower() == "success" and "data" in value and data is None


def record_of(value: Any) -> Mapping[str, Any] | None:
    """The part of an answer that speaks of the task: the body itself, or what the envelope holds.

    :param value: a parsed body.
    """
    if not isinstance(value, dict):
        return None
    if any(mark in value for mark in _RECORD_MARKS):
        return value
    data = value.get("data")
    if isinstance(data, dict) and any(mark in data for mark in _RECORD_MARKS):
        return data
    return None


def inner_of(record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The upstream's own object inside a gateway's record; empty if there is none.

    :param record: what :func:`record_of` found.
    """
    data = record.get("data")
    return data if isinstance(data, dict) and "status" in data else {}
