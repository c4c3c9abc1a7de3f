"""A hook whose session answers from a script, for the poll hub: no network, and time only from a clock of ours."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from types import SimpleNamespace

from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.core.protocol.responses import Response
from airflow_runway.exceptions import runway_errors


class ScriptedSession:
    """Answers every read at once, unless told otherwise; remembers when which task was read."""

    def __init__(self, clock):
        self.clock = clock
        self.reads = []
        #: Status and headers, or an exception in place of an answer.
        self.response = (200, {})
        self.gate = None
        self.under_way = self.most_under_way = 0

    async def run(self, begin):
        exchange = begin(SimpleNamespace(gateway=GATEWAYS["runway"]))
        call = next(exchange)
        self.reads.append((self.clock.now(), call.path.rpartition("/")[2]))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.gate:
                await self.gate.wait()
        finally:
            self.under_way -= 1
        if isinstance(self.response, Exception):
            raise self.response
        status, headers = self.response
        try:
            with runway_errors():
                exchange.send(Response(status, headers, json.dumps({"status": "RUNNING"}).encode()))
        except StopIteration as end:
            return end.value

    def times(self, runway_task_id="t1"):
        return [at for at, read in self.reads if read == runway_task_id]


class ScriptedHook:
    """A hook with such a session, open as often as somebody keeps it open."""

    runway_conn_id = "studio"

    def __init__(self, clock):
        self.session = ScriptedSession(clock)
        self.open = 0

    @asynccontextmanager
    async def kept_open(self):
        self.open += 1
        yield self.session
        self.open -= 1
