"""Every cell of the table in :mod:`.cells`, over real sockets: at most one charge, and the right class."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from types import SimpleNamespace

import pytest
from unit.hooks.delivery.cells import (
    CELLS,
    COLUMNS,
    PROXIED,
    ROUTES,
    ROWS,
    TLS,
    TUNNELLED,
    Column,
    Outcome,
    Row,
)

from airflow_runway.exceptions import RunwayError
from airflow_runway.hooks import _create
from airflow_runway.hooks.runway import RunwayHook

PAYLOAD = {"model": "gen4_turbo", "promptImage": "https://e/a.jpg", "promptText": "x" * 100_000}
#: Seconds after which a create that only the deadline ends is given up; the others get far more than they need.
SHORT, LONG = 0.15, 60.0
#: The same where something must have come by then, on a machine that has other work.
ENOUGH = 1.0


class QuickHook(RunwayHook):
    """Re-sends at once and without a word, and is as patient as the row needs."""

    patience = LONG
    log = SimpleNamespace(warning=lambda *args: None)

    def __init__(self):
        super().__init__()
        self.pause_between_tries = lambda state: 0

    def _checked(self, connection, extra):
        return replace(super()._checked(connection, extra), create_timeout=self.patience)


def outcome_of(hook, library):
    try:
        if library == "requests":
            hook.submit("image_to_video", PAYLOAD)
        else:
            asyncio.run(hook.asubmit("image_to_video", PAYLOAD))
    except RunwayError as error:
        return error.facts.kind
    return "accepted"


def connect(row: Row, column: Column, gateway, proxy, set_connection, monkeypatch, bundle):
    url = gateway.url
    extra = {"allow_insecure_http": True}
    if column.route in {TLS, TUNNELLED}:
        extra["verify"] = bundle
    if column.route in PROXIED:
        scheme = url.partition(":")[0]
        there = proxy.url.replace("127.0.0.1", "proxy.invalid") if row.missing == "name" else proxy.url
        if column.setup == "connection":
            extra["proxies"] = {scheme: there}
        else:
            monkeypatch.setenv(f"{scheme}_proxy", there)
    elif row.missing == "name":
        url = url.replace("127.0.0.1", "gateway.invalid")
    set_connection(url, **extra)
    for server, reached_first in ((gateway, column.route not in PROXIED), (proxy, True)):
        if not (row.missing == "port" and reached_first):
            server.start()


@pytest.mark.slow
@pytest.mark.parametrize(("row", "column"), CELLS, ids=lambda part: getattr(part, "name", str(part)))
def test_cell(row, column, table, serving, set_connection, monkeypatch, certificate, another_certificate):
    gateway, proxy = serving(certificate.context if column.route in {TLS, TUNNELLED} else None)
    gateway.behaviour, proxy.behaviour = row.gateway, row.proxy
    bundle = (certificate if row.trusted else another_certificate).bundle
    connect(row, column, gateway, proxy, set_connection, monkeypatch, bundle)
    hook = QuickHook()
    hook.patience = LONG
    if row.waits:
        hook.patience = ENOUGH if "accepted" in {one.kind for one in row.outcomes.values()} else SHORT
    if row.waits:
        monkeypatch.setattr(_create, "SLOWEST_UPLOAD", float("inf"))
    kind = outcome_of(hook, column.library)
    gateway.settle()
    found = table.found[row.name, column] = Outcome(kind, gateway.charges)
    assert found == row.outcomes[column.route]


def test_the_table_leaves_out_only_what_cannot_happen():
    missing = {row.name: set(ROUTES) - set(row.outcomes) for row in ROWS}
    assert {name: routes for name, routes in missing.items() if routes} == {
        "proxy refuses: 403": {"direct", "direct TLS"},
        "proxy refuses: 407": {"direct", "direct TLS"},
        "proxy refuses: 502": {"direct", "direct TLS"},
        "proxy dies at once": {"direct", "direct TLS"},
        "proxy dies after passing it on": {"direct", "direct TLS"},
        "certificate does not verify": {"direct", "HTTP proxy"},
    }
    assert len(COLUMNS) == 12
    assert all(outcome.charges <= 1 for row in ROWS for outcome in row.outcomes.values())
