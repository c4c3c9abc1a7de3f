"""The table: what can happen to a create, on which way, and what it may come to (contracts §12)."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

from airflow_runway.core.facts import ErrorKind

if TYPE_CHECKING:
    from collections.abc import Mapping

DIRECT, TLS, FORWARDED, TUNNELLED = "direct", "direct TLS", "HTTP proxy", "CONNECT"
ROUTES = (DIRECT, TLS, FORWARDED, TUNNELLED)
PROXIED = (FORWARDED, TUNNELLED)
LIBRARIES = ("requests", "aiohttp")
SETUPS = ("connection", "environment")

ACCEPTED = "accepted"
UNSENT = ErrorKind.NOT_ACCEPTED
REFUSED = ErrorKind.REQUEST_REFUSED
KEY = ErrorKind.AUTHENTICATION
AMBIGUOUS = ErrorKind.AMBIGUOUS_SUBMISSION


@dataclass(frozen=True)
class Outcome:
    """What a whole submission, with its re-sends, comes to."""

    kind: str
    charges: int


@dataclass(frozen=True)
class Row:
    """Something that happens, and its outcome on each way on which it can happen."""

    name: str
    outcomes: Mapping[str, Outcome]
    gateway: str = "accept"
    proxy: str = "pass on"
    #: Where nobody listens, or what no name leads to: ``port`` or ``name``, of whoever is connected to.
    missing: str = ""
    trusted: bool = True
    #: Whether it ends by the deadline of creates, which is then a short one.
    waits: bool = False


@dataclass(frozen=True)
class Column:
    """A way to the gateway, a library, and where the proxy is written down."""

    route: str
    library: str
    setup: str = ""

    def __str__(self) -> str:
        return ", ".join(filter(None, (self.route, self.setup, self.library)))


COLUMNS = tuple(
    Column(route, library, setup)
    for route, library in product(ROUTES, LIBRARIES)
    for setup in (SETUPS if route in PROXIED else ("",))
)


def on(routes: tuple[str, ...], kind: str, charges: int) -> dict[str, Outcome]:
    return dict.fromkeys(routes, Outcome(kind, charges))


def everywhere(kind: str, charges: int) -> dict[str, Outcome]:
    return on(ROUTES, kind, charges)


#: A row says nothing on a way on which it cannot happen: without a proxy none refuses or dies, and without TLS no
#: certificate is checked. Behind a forwarding proxy the body has left even if the proxy keeps it to itself; that
#: nobody behind has read it cannot be seen from here, so it is ambiguous and costs nothing.
ROWS = (
    Row("accepted", everywhere(ACCEPTED, 1)),
    Row("accepted after a 429", everywhere(ACCEPTED, 1), gateway="429 once"),
    Row("accepted behind a 103", everywhere(ACCEPTED, 1), gateway="accept behind 103"),
    Row("refused connection", everywhere(UNSENT, 0), missing="port"),
    Row("no such name", everywhere(UNSENT, 0), missing="name"),
    Row("proxy refuses: 403", on((FORWARDED,), KEY, 0) | on((TUNNELLED,), UNSENT, 0), proxy="403"),
    Row("proxy refuses: 407", on((FORWARDED,), AMBIGUOUS, 0) | on((TUNNELLED,), UNSENT, 0), proxy="407"),
    Row("proxy refuses: 502", on((FORWARDED,), AMBIGUOUS, 0) | on((TUNNELLED,), UNSENT, 0), proxy="502"),
    Row("proxy dies at once", on((FORWARDED,), AMBIGUOUS, 0) | on((TUNNELLED,), UNSENT, 0), proxy="die"),
    Row(
        "proxy dies after passing it on",
        on(PROXIED, AMBIGUOUS, 1),
        gateway="silence",
        proxy="die after passing on",
    ),
    Row("certificate does not verify", on((TLS, TUNNELLED), UNSENT, 0), trusted=False),
    Row("cut before the body is read", everywhere(AMBIGUOUS, 0), gateway="cut before the body"),
    Row("closed after the body", everywhere(AMBIGUOUS, 1), gateway="close"),
    Row("reset after the body", everywhere(AMBIGUOUS, 1), gateway="reset"),
    Row("no answer in time", everywhere(AMBIGUOUS, 1), gateway="silence", waits=True),
    Row("garbage", everywhere(AMBIGUOUS, 1), gateway="garbage"),
    Row("two Content-Lengths", everywhere(AMBIGUOUS, 1), gateway="two lengths"),
    Row("bad chunk", everywhere(AMBIGUOUS, 1), gateway="bad chunk"),
    Row("cut behind the id", everywhere(ACCEPTED, 1), gateway="cut behind the id"),
    Row("chunk cut behind the id", everywhere(ACCEPTED, 1), gateway="chunk cut behind the id"),
    Row("100 for ever", everywhere(AMBIGUOUS, 1), gateway="endless 100", waits=True),
    Row("103 for ever", everywhere(AMBIGUOUS, 1), gateway="endless 103", waits=True),
    Row("a head that never ends", everywhere(AMBIGUOUS, 1), gateway="endless head", waits=True),
    Row("a body that never ends", everywhere(AMBIGUOUS, 1), gateway="endless body", waits=True),
    Row("never ends behind the id", everywhere(ACCEPTED, 1), gateway="endless behind the id", waits=True),
    Row("302, good Location", everywhere(REFUSED, 0), gateway="302"),
    Row("302, bad Location", everywhere(REFUSED, 0), gateway="302 to nowhere"),
    Row("303", everywhere(AMBIGUOUS, 1), gateway="303"),
    Row("422", everywhere(REFUSED, 0), gateway="422"),
    Row("502", everywhere(AMBIGUOUS, 1), gateway="502"),
    Row("500 with an id", everywhere(AMBIGUOUS, 1), gateway="500 with id"),
)

CELLS = tuple((row, column) for row in ROWS for column in COLUMNS if column.route in row.outcomes)


@dataclass
class Table:
    """What came of each cell, to be printed."""

    found: dict[tuple[str, Column], Outcome] = field(default_factory=dict)

    def lines(self) -> list[str]:
        """Rows by columns: charges and class; ``.`` where a row cannot happen."""
        width = max(len(row.name) for row in ROWS) + 2
        heads = [(column.route, column.setup or "-", column.library) for column in COLUMNS]
        lines = ["".join([" " * width, *(f"{head[level]:16}" for head in heads)]) for level in range(3)]
        for row in ROWS:
            cells = [self.found.get((row.name, column)) for column in COLUMNS]
            words = [f"{cell.charges} {_SHORT.get(cell.kind, cell.kind)}" if cell else "." for cell in cells]
            lines.append("".join([f"{row.name:{width}}", *(f"{word:16}" for word in words)]))
        return lines


_SHORT = {UNSENT: "not accepted", REFUSED: "refused", KEY: "refused (key)", AMBIGUOUS: "ambiguous"}
