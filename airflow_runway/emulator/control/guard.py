"""Whom the control addresses obey: programs and people on this machine, and no page that a browser has open."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Receive, Scope, Send

_CONTROL: Final = "/_emulator/"
#: Files that are hosted are asked for by whoever fetches an input.
_HOSTED: Final = "/_emulator/media/"


class ControlGuard:
    """Refuses control requests that a foreign page may have sent: by name, by origin, by the form of the body.

    A page of elsewhere can let a browser send simple requests here, whose answer it does not see; where its own name
    is made to mean this machine (DNS rebinding) it sees the answer too, but the ``Host`` is still its own.

    :param app: the application.
    :param hosts: names that stand for this machine, beside ``localhost`` and loopback addresses.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str] = ()) -> None:
        self._app = app
        self._hosts = frozenset(host.lower().rstrip(".") for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        if scope["type"] == "http":
            status, why = self._refusal(scope)
            if status:
                await JSONResponse({"error": why}, status)(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[int, str]:
        path, method, headers = scope["path"], scope["method"], Headers(scope=scope)
        if not path.startswith(_CONTROL) or (path.startswith(_HOSTED) and method in {"GET", "HEAD"}):
            return 0, ""
        if not self._is_ours(f"//{headers.get('host', '')}"):
            return (
                403,
                "Control addresses answer to this machine's own names only; start it with --allow-host NAME.",
            )
        origin = headers.get("origin")
        if origin is not None and not self._is_ours(origin):
            return 403, "A page of another origin may not control the emulator."
        is_json = headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
        has_body = headers.get("content-length", "0") != "0" or "transfer-encoding" in headers
        if method == "POST" and has_body and not is_json:
            return 415, "The body of a control request is application/json."
        return 0, ""

    def _is_ours(self, address: str) -> bool:
        try:
            host = (urlsplit(address).hostname or "").rstrip(".")
        except ValueError:
            return False
        if host == "localhost" or host in self._hosts:
            return True
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return False
