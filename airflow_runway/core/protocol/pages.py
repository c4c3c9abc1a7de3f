"""Lists that come in pages, with a cursor from one to the next (contracts §1.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from airflow_runway.core.facts import CoreError, ErrorFacts, ErrorKind
from airflow_runway.core.protocol import read_errors
from airflow_runway.core.protocol.calls import Call, Exchange, NoAnswerError
from airflow_runway.core.protocol.responses import complaint_of, parse

if TYPE_CHECKING:
    from airflow_runway.core.protocol.gateways import Gateway
    from airflow_runway.core.protocol.responses import Complaint, Response

#: Rows per page. The service names no bounds.
PAGE: Final = 50
#: Pages that are read at most; a list that goes on is not understood.
MOST_PAGES: Final = 40


def read_page(
    gateway: Gateway, path: str, cursor: str, what: str
) -> Exchange[tuple[list[dict[str, Any]], str]]:
    """One page of a list, and the cursor of the next; empty = this was the last. Free.

    :param gateway: whom to ask.
    :param path: of the list.
    :param cursor: of this page; empty = the first.
    :param what: the list, for messages.
    :raises CoreError: it could not be read or understood.
    """
    query = urlencode({"limit": PAGE, **({"cursor": cursor} if cursor else {})})
    value = yield from read_object(gateway, f"{path}?{query}", what)
    rows, following = value.get("data"), value.get("nextCursor")
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise CoreError(not_understood(gateway, what, "it is no list of rows"))
    if not isinstance(following, str | None) or (following and following == cursor):
        raise CoreError(not_understood(gateway, what, "it does not say where it goes on"))
    return rows, following or ""


def read_object(gateway: Gateway, path: str, what: str) -> Exchange[dict[str, Any]]:
    """A JSON object that a GET answers with. Free.

    :param gateway: whom to ask.
    :param path: with its query.
    :param what: what it is about, for messages.
    :raises CoreError: it could not be read, or is none.
    """
    try:
        response: Response = yield Call("GET", path)
    except NoAnswerError as silence:
        raise CoreError(read_errors.read_without_answer(gateway, None, silence.reason, about=what)) from None
    value = parse(response.body)
    complaint: Complaint = complaint_of(value)
    if response.status != 200 or response.truncated or complaint or not isinstance(value, dict):
        raise CoreError(read_errors.read_without_state(gateway, None, response, complaint, about=what))
    return value


def not_understood(gateway: Gateway, what: str, why: str) -> ErrorFacts:
    """The facts of a list that is another than documented.

    :param gateway: who gave it.
    :param what: the list.
    :param why: what is odd.
    """
    return ErrorFacts(ErrorKind.READ, f"{gateway.title}'s list of {what} is not understood: {why}.")
