"""What a payload names and Runway keeps: voices, avatars, documents, routers, workflows (contracts §1.7).

It is only read, and reading is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from airflow_runway.core.facts import CoreError, ErrorKind, core_error
from airflow_runway.core.protocol.gateways import is_task_id
from airflow_runway.core.protocol.pages import MOST_PAGES, not_understood, read_object, read_page
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from airflow_runway.core.protocol.calls import Exchange
    from airflow_runway.core.protocol.gateways import Gateway

#: Those whose list comes whole, without a limit.
_WHOLE: Final = frozenset({"workflows"})
#: Ids or names that a message tells.
_TOLD: Final = 10


def read_all(gateway: Gateway, kind: str) -> Exchange[list[dict[str, Any]]]:
    """Every row of a list, as the gateway gives them.

    :param gateway: whom to ask.
    :param kind: e.g. ``voices``.
    :raises CoreError: no such list is documented, or it could not be read to its end.
    """
    path = _path(gateway, kind)
    if kind in _WHOLE:
        value = yield from read_object(gateway, path, kind)
        rows = value.get("data")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise CoreError(not_understood(gateway, kind, "it is no list of rows"))
        return rows
    found: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(MOST_PAGES):
        page, cursor = yield from read_page(gateway, path, cursor, kind)
        found += page
        if not cursor:
            return found
    raise CoreError(not_understood(gateway, kind, f"it has more than {MOST_PAGES} pages"))


def read_one(gateway: Gateway, kind: str, identifier: str) -> Exchange[dict[str, Any]]:
    """One of them, by its id.

    :param gateway: whom to ask.
    :param kind: e.g. ``voices``.
    :param identifier: its id.
    :raises CoreError: the id can be none, or it could not be read.
    """
    path = _path(gateway, kind)
    if not is_task_id(identifier):
        raise core_error(ErrorKind.CONFIGURATION, f"{redact(identifier, limit=60)!r} can be no id of {kind}.")
    return (
        yield from read_object(gateway, f"{path}/{quote(identifier, safe='')}", f"{identifier} of its {kind}")
    )


def find(gateway: Gateway, kind: str, name: str) -> Exchange[dict[str, Any]]:
    """The one that people call so; of a workflow, the newest version.

    :param gateway: whom to ask.
    :param kind: e.g. ``voices``.
    :param name: its name; of a router, also its slug.
    :raises CoreError: there is none of that name, or more than one, or the list could not be read.
    """
    rows = yield from read_all(gateway, kind)
    found = [row for row in rows if name in (row.get("name"), row.get("slug"))]
    told = redact(name, limit=60)
    if len(found) == 1:
        return _newest(gateway, found[0]) if kind == "workflows" else found[0]
    if found:
        ids = ", ".join(redact(row.get("id") or "?", limit=60) for row in found[:_TOLD])
        raise core_error(
            ErrorKind.CONFIGURATION,
            f"{len(found)} {kind} of the account are called {told!r}: {ids}. Name the one that is meant by its id.",
            summary=f"{len(found)} {kind} are called {told!r}",
            next_step="Name it by its id, then clear this task",
        )
    names = ", ".join(repr(redact(row.get("name") or "?", limit=60)) for row in rows[:_TOLD]) or "none"
    raise core_error(
        ErrorKind.CONFIGURATION,
        f"None of the {len(rows)} {kind} that {gateway.title} lists to this API key is called {told!r}; there are: "
        f"{names}{', ...' if len(rows) > _TOLD else ''}.",
        summary=f"None of the {kind} is called {told!r}",
        next_step="Correct the name, then clear this task",
    )


def _newest(gateway: Gateway, row: dict[str, Any]) -> dict[str, Any]:
    """A workflow is started by the id of one of its versions: here that of the highest number."""
    versions = row.get("versions")
    numbered = [
        one
        for one in (versions if isinstance(versions, list) else ())
        if isinstance(one, dict) and type(one.get("version")) is int and is_task_id(one.get("id"))
    ]
    if not numbered:
        raise CoreError(not_understood(gateway, "workflows", "one of them has no version"))
    return {"name": row.get("name"), **max(numbered, key=lambda one: one["version"])}


def _path(gateway: Gateway, kind: str) -> str:
    if kind not in gateway.lookups:
        raise core_error(ErrorKind.CONFIGURATION, f"{gateway.title} documents no list of {kind}.")
    return f"/v1/{kind}"
