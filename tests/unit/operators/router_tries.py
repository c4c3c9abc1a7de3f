"""Tasks that ask one router, of one gateway and one Airflow, with a journal folder or without."""

from __future__ import annotations

import copy
import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from airflow.providers.common.compat.sdk import TaskDeferred
from unit.operators.folder_tries import FileOperations, FolderTries, begin_in_folder
from unit.operators.memory import Crash, MemoryGateway, MemoryStore
from unit.operators.tries import TaskTries, begin

from airflow_runway.core.journal.submission import History, fingerprint
from airflow_runway.core.protocol.calls import NoAnswerError
from airflow_runway.core.protocol.responses import Response
from airflow_runway.core.protocol.verdicts import Delivery
from airflow_runway.exceptions import RunwayError
from airflow_runway.hooks import _transport
from airflow_runway.stores.files import Files
from airflow_runway.stores.folder import folder_of
from airflow_runway.stores.history import InFolder

if TYPE_CHECKING:
    from collections.abc import Callable

PAYLOAD = {"configId": "film", "input": {"promptText": "a"}}
ROUTE = "generate/video"


@dataclass
class RouterGateway(MemoryGateway):
    """The official API with one router. ``lates`` are used up by accepted creates, one each."""

    #: Seconds until the row of a create is listed.
    lates: list[float] = field(default_factory=list)
    #: When a row was made, when it is listed, and whose generation it is.
    rows: list[tuple[float, float, str]] = field(default_factory=list)
    lists_fail: int = 0
    slugs: tuple[str, ...] = ("other", "film")
    #: Ids of rows that nobody here has asked for.
    others: list[str] = field(default_factory=list)
    clock: Callable[[], float] = float
    #: Tells who sends the create of the moment, and what each was.
    asking: Callable[[], object] = object
    made: dict[str, object] = field(default_factory=dict)

    @property
    def charges(self):
        return len(self.tasks) - len(self.others)

    def foreign(self, name, at, late=0.0):
        """A row by somebody else."""
        self.others.append(name)
        self.add(name, "RUNNING")
        self.rows.append((at, at + late, name))

    def _answer(self, call):
        parts = urlsplit(call.path)
        if parts.path.startswith("/v1/routers"):
            assert call.method == "GET"
            if self.lists_fail:
                self.lists_fail -= 1
                raise NoAnswerError(Delivery.UNKNOWN, "reset")
            return self._list(parts)
        return super()._answer(call)

    def _create(self):
        before = set(self.tasks)
        try:
            return super()._create()
        finally:
            for name in set(self.tasks) - before:
                self.made[name] = self.asking()
                now = self.clock()
                self.rows.append((now, now + (self.lates.pop(0) if self.lates else 0.0), name))

    def _list(self, parts):
        if parts.path == "/v1/routers":
            rows = [{"id": f"uuid-{slug}", "slug": slug} for slug in self.slugs]
        else:
            assert parts.path == "/v1/routers/uuid-film/requests"
            shown = sorted((row for row in self.rows if row[1] <= self.clock()), reverse=True)
            rows = [
                {
                    "taskId": name, "createdAt": datetime.fromtimestamp(at, UTC).isoformat(), "status": "routed",
                    "model": "gen4.5", "estimatedCredits": 25,
                }
                for at, _, name in shown
            ]  # fmt: skip
        begin = int(parse_qs(parts.query).get("cursor", ["0"])[0])
        more = str(begin + 2) if begin + 2 < len(rows) else None
        return Response(200, {}, json.dumps({"data": rows[begin : begin + 2], "nextCursor": more}).encode())


class StateStoreTries(TaskTries):
    """A task whose records Airflow keeps, on an Airflow that has a journal folder too."""

    def __init__(self, root, monkeypatch, **fields):
        super().__init__(**fields)
        self.root, self.operations = root, FileOperations(self.crash_point)
        monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL", f"file://{root}")
        monkeypatch.setattr("os.fsync", lambda descriptor: None)
        for name in ("within", "_create", "found"):
            monkeypatch.setattr(Files, name, self.operations.around(getattr(Files, name)))


FIELDS = {"route": ROUTE, "payload": PAYLOAD, "on_ambiguous_submit": "recover"}


def begin_with_router(monkeypatch, set_connection, root, *, kept="folder", **fields):
    """A task that asks router ``film``; ``kept``: where its record is, ``folder``, ``store`` or ``store only``."""
    shutil.rmtree(root, ignore_errors=True)
    fields = {**FIELDS, **fields}
    if kept == "folder":
        one = begin_in_folder(monkeypatch, set_connection, root, **fields)
    elif kept == "store":
        one = begin(monkeypatch, set_connection, kind=partial(StateStoreTries, root, monkeypatch), **fields)
    else:
        one = begin(monkeypatch, set_connection, **fields)
    one.gateway = RouterGateway(one.crash_point, clock=lambda: one.now)
    monkeypatch.setattr(_transport, "send", one.gateway.send)
    one.clock = one
    return one


def sibling(one, index):
    """Another task instance of the same mapped task, over the same gateway and folder."""
    other = copy.copy(one)
    other.map_index, other.ti, other.said = index, None, ""
    other.fields = {**one.fields}
    if not isinstance(one, FolderTries):
        other.store = MemoryStore(one.crash_point)
    return other


def history_of(one):
    """What is recorded, read without any fault."""
    if not isinstance(one, FolderTries):
        return one.history
    if one.ti is None:
        return History()
    with one.store.undisturbed():
        return InFolder(folder_of({"ti": one.ti})).read()


def payload_of(prompt):
    return {"configId": "film", "input": {"promptText": prompt}}


def request_of(prompt):
    return fingerprint("runway", "runway_default", ROUTE, payload_of(prompt))


def attempt(one, **how):
    """A try; what it returns, or the error, or ``Crash``."""
    try:
        return one.run(**how)
    except (RunwayError, TaskDeferred) as error:
        return error
    except Crash:
        return Crash
