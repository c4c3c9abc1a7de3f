"""What a router of ``generate/*`` has been asked: the one list of Runway's that names generations (contracts §1.7).

Nothing says in which order it comes, or how late a request appears in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.facts import CoreError, ErrorKind, core_error
from airflow_runway.core.protocol.gateways import is_task_id
from airflow_runway.core.protocol.pages import MOST_PAGES, not_understood, read_page
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.core.facts import ErrorFacts
    from airflow_runway.core.protocol.calls import Exchange
    from airflow_runway.core.protocol.gateways import Gateway

_REQUESTS: Final = "a router's requests"
_ROUTES: Final = "generate/"


@dataclass(frozen=True, slots=True)
class RoutedRequest:
    """A request that a router has passed on to a model."""

    #: Of the generation; empty where the list does not tell it.
    runway_task_id: str
    #: Wall clock, seconds since the epoch.
    created_at: float
    model: str = ""
    estimated_credits: float | None = None


def router_of(gateway: Gateway, route: str, payload: Mapping[str, Any]) -> str:
    """The slug of the router that a create asks; empty where it asks none, or where its requests are not listed.

    :param gateway: whom to ask.
    :param route: the route's name.
    :param payload: the JSON body.
    """
    slug = payload.get("configId")
    asks = route.startswith(_ROUTES) and isinstance(slug, str)
    return str(slug) if asks and gateway.routers and gateway.router_requests else ""


def read_router_requests(gateway: Gateway, slug: str, since: float) -> Exchange[tuple[RoutedRequest, ...]]:
    """The requests that a router has passed on to a model, in the order of the list. Free.

    :param gateway: whom to ask.
    :param slug: of the router.
    :param since: wall clock, seconds since the epoch; of what is older, not all may be given.
    :raises CoreError: it could not be read, to its end or so far; "could not read" is never "nothing there".
    """
    if gateway.routers is None or gateway.router_requests is None:
        raise core_error(
            ErrorKind.CONFIGURATION, f"{gateway.title} documents no list of a router's requests."
        )
    router_id = yield from _id_of(gateway, slug)
    found: list[RoutedRequest] = []
    cursor = ""
    for _ in range(MOST_PAGES):
        rows, cursor = yield from read_page(
            gateway, gateway.router_requests.address(router_id), cursor, _REQUESTS
        )
        found += (request for row in rows if (request := _request(gateway, row)) is not None)
        times = [request.created_at for request in found]
        newest_first = all(earlier >= later for earlier, later in pairwise(times))
        if not cursor or (newest_first and times and times[-1] < since):
            return tuple(found)
    raise CoreError(_not_understood(gateway, f"it has more than {MOST_PAGES} pages"))


def _id_of(gateway: Gateway, slug: str) -> Exchange[str]:
    """A create names a router by its slug, its requests are listed under its id."""
    assert gateway.routers is not None  # noqa: S101 - for the type checker
    cursor = ""
    for _ in range(MOST_PAGES):
        rows, cursor = yield from read_page(gateway, gateway.routers.path, cursor, "routers")
        for row in rows:
            if row.get("slug") == slug and is_task_id(row.get("id")):
                return str(row["id"])
        if not cursor:
            break
    raise core_error(
        ErrorKind.READ_REFUSED,
        f"{gateway.title} lists no router {redact(slug, limit=60)!r} to the API key of the connection.",
        summary=f"{gateway.title} lists no router {redact(slug, limit=60)!r}",
        next_step="Check route and API key, then clear",
    )


def _request(gateway: Gateway, row: Mapping[str, Any]) -> RoutedRequest | None:
    """What a row says; ``None`` of a request that was passed on to no model and has no generation."""
    name = row.get("taskId")
    if row.get("status") != "routed" and not name:
        return None
    try:
        created_at = datetime.fromisoformat(row["createdAt"])
    except (KeyError, TypeError, ValueError):
        raise CoreError(_not_understood(gateway, "a row of it has no time")) from None
    if created_at.tzinfo is None:
        created_at = created_at.replace(tzinfo=UTC)
    amount = row.get("estimatedCredits")
    is_amount = isinstance(amount, int | float) and not isinstance(amount, bool) and math.isfinite(amount)
    model = row.get("model")
    return RoutedRequest(
        name if isinstance(name, str) and is_task_id(name) else "",
        created_at.timestamp(),
        redact(model, limit=60) if isinstance(model, str) else "",
        float(amount) if is_amount and amount is not None and amount >= 0 else None,
    )


def _not_understood(gateway: Gateway, why: str) -> ErrorFacts:
    return not_understood(gateway, _REQUESTS, why)
