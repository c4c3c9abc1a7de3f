"""A bounded record of the requests that arrived, for tests to look at (``GET /_emulator/requests``)."""

from __future__ import annotations

import hashlib
import re
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from starlette.datastructures import Headers

from airflow_runway.emulator.checking import strict_json

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_KEPT = 10_000
_LONGEST_TEXT = 200
#: Calls of the control surface are not recorded.
_CONTROL = "/_emulator/"
_KEY = "emulator.entry"
_USER_INFO = re.compile(r"://[^/\s]*@")


class EntryAsJson(TypedDict):
    """One request, as the control surface shows it."""

    method: str
    path: str
    headers: dict[str, str]
    body: object
    status: int | None
    fault: str | None


@dataclass(slots=True)
class Entry:
    """One request. ``status`` stays ``None`` if no answer was sent."""

    method: str
    #: Without the query, which on outputs is a signature.
    path: str
    headers: dict[str, str]
    body: object = None
    status: int | None = None
    #: Kind of the fault that was applied to it.
    fault: str | None = None

    def as_json(self) -> EntryAsJson:
        """The entry as a JSON object."""
        return {
            "method": self.method,
            "path": self.path,
            "headers": self.headers,
            "body": self.body,
            "status": self.status,
            "fault": self.fault,
        }


class RequestLog:
    """The last 10000 requests, oldest first."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque(maxlen=_KEPT)

    def begin(self, scope: Scope) -> Entry:
        """Records a request when it arrives; the rest is filled in later.

        :param scope: its ASGI scope.
        """
        headers = {name: _masked(name, value) for name, value in Headers(scope=scope).items()}
        entry = Entry(scope["method"], scope["path"], headers)
        self._entries.append(entry)
        return entry

    def clear(self) -> None:
        """Forgets all."""
        self._entries.clear()

    def as_json(self) -> list[EntryAsJson]:
        """All entries as JSON objects."""
        return [entry.as_json() for entry in self._entries]


class LogMiddleware:
    """Records every request that is not for the control surface, and the status of its answer.

    :param app: the application.
    :param log: where to.
    """

    def __init__(self, app: ASGIApp, log: RequestLog) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request (ASGI)."""
        if scope["type"] != "http" or scope["path"].startswith(_CONTROL):
            await self._app(scope, receive, send)
            return
        entry = self._log.begin(scope)
        scope.setdefault("state", {})[_KEY] = entry

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                entry.status = message["status"]
            await send(message)

        await self._app(scope, receive, noting)


def entry_of(scope: Scope) -> Entry:
    """The entry of the request that is being served.

    :param scope: its ASGI scope, after the middleware.
    """
    entry: Entry = scope["state"][_KEY]
    return entry


def logged_json(request: Request, content: bytes | bytearray) -> object:
    """The JSON value of a body, which goes into the log too; ``None`` if it is not JSON.

    :param request: the request in hand.
    :param content: its body.
    """
    body = strict_json.loads_or_none(content)
    entry_of(request.scope).body = shortened(body)
    return body


def shortened(value: object) -> object:
    """A JSON value with its long strings (data URIs) cut to 200 characters, and no user of a URL in it.

    :param value: any JSON value.
    """
    if isinstance(value, str):
        told = without_user(value[:_LONGEST_TEXT])
        return told if len(value) <= _LONGEST_TEXT else f"{told}... ({len(value)} characters)"
    if isinstance(value, dict):
        return {name: shortened(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shortened(item) for item in value]
    return value


def without_user(text: str) -> str:
    """A text without the user parts of the URLs in it.

    :param text: any text.
    """
    return _USER_INFO.sub("://***@", text) if "@" in text else text


def _masked(name: str, value: str) -> str:
    if name != "authorization":
        return value
    return "sha256:" + hashlib.sha256(value.encode("latin-1")).hexdigest()[:12]
