"""Random text in a callback URL: it tells the callback of a submission whose answer was lost from all others."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.core.protocol.connection import ConnectionSettings

#: What it stands in for.
PLACE = "{token}"


def with_token(
    settings: ConnectionSettings, route: str, body: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]]:
    """Put random text in place of ``{token}`` in the callback URL, the task's own or the connection's.

    :param settings: the connection.
    :param route: the route's name.
    :param body: the JSON body.
    :returns: the text, empty where no place is made for it, and the body to send.
    """
    row = settings.gateway.create(route)
    needed = row is not None and "callback_url" in row.needs
    callback = body.get("callback_url") or (settings.callback_url if needed else None)
    if not isinstance(callback, str) or PLACE not in callback:
        return "", body
    token = secrets.token_urlsafe(12)
    return token, {**body, "callback_url": callback.replace(PLACE, token)}
