"""Who may call the API: bearer key and version header (contracts §1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.core.protocol.gateways import DEFAULT_API_VERSION, VERSION_HEADER
from airflow_runway.emulator.dialects import errors

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.requests import Request
    from starlette.responses import Response


def refusal(
    request: Request, gateway: str, api_keys: Collection[str], *, version: bool = True
) -> Response | None:
    """The answer to a caller without a valid key or version; ``None`` if both are right.

    :param request: the request in hand.
    :param gateway: gateway name; decides the envelope.
    :param api_keys: the keys that are let in; none = any that is not empty.
    :param version: whether the version header is required here. A wrong one is refused anyway.
    """
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    key = key.strip()
    if scheme.lower() != "bearer" or not key or (api_keys and key not in api_keys):
        return errors.unauthorized(gateway)
    given = request.headers.get(VERSION_HEADER)
    if given is None and version:
        return errors.plain_error(gateway, 400, f"The {VERSION_HEADER} header is required.")
    if given not in (None, DEFAULT_API_VERSION):
        text = f"Unknown {VERSION_HEADER} {given!r}. Use {DEFAULT_API_VERSION}."
        return errors.plain_error(gateway, 400, text)
    return None


def is_browser(request: Request) -> bool:
    """Whether a person looks at an API address in a browser.

    :param request: the request in hand.
    """
    return "authorization" not in request.headers and "text/html" in request.headers.get("accept", "")
