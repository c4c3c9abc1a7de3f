"""Who may call the API: bearer key and version header (contracts 1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response

from airflow_runway.emulator import errors
from airflow_runway.gateways import DEFAULT_API_VERSION, VERSION_HEADER

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request


def refusal(request: Request, gateway: str, api_keys: Collection[str]) -> Response | None:
    """The answer to a caller without a valid key or version; ``None`` if both are right.

    :param request: the request in hand.
    :param gateway: gateway name; decides the envelope.
    :param api_keys: the keys that are let in; none = any that is not empty.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key or (api_keys and key not in api_keys):
        return JSONResponse(errors.unauthorized(gateway), 401)
    version = request.headers.get(VERSION_HEADER)
    if version is None:
        return JSONResponse({"error": f"The {VERSION_HEADER} header is required."}, 400)
    if version != DEFAULT_API_VERSION:
        return JSONResponse(
            {"error": f"Unknown {VERSION_HEADER} {version!r}. Use {DEFAULT_API_VERSION}."}, 400
        )
    return None


def is_browser(request: Request) -> bool:
    """Whether a person looks at an API address in a browser.

    :param request: the request in hand.
    """
    return "authorization" not in request.headers and "text/html" in request.headers.get("accept", "")
