"""A gateway, a state store and an Airflow task instance in memory, all of which can crash at any operation."""

from __future__ import annotations

import copy
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse
from unit.scripted import KEY

from airflow_runway.core.protocol.calls import NoAnswerError
from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.core.protocol.responses import Response
from airflow_runway.core.protocol.verdicts import Delivery

if TYPE_CHECKING:
    from collections.abc import Callable


class Crash(BaseException):
    """The worker dies here: nothing of ours may catch it."""


@dataclass
class CrashPoint:
    """Counts operations down; at zero the worker dies, before or after the operation took effect.

    Before one of them it may be told to stop, too.
    """

    left: int | None = None
    after: bool = False
    #: Operations until the worker is told to stop, and how it is told.
    until_stop: int | None = None
    stop: Callable[[], None] = lambda: None

    def around(self, operation):
        if self.until_stop is not None:
            self.until_stop -= 1
            if self.until_stop == 0:
                self.stop()
        if self.left is None:
            return operation()
        self.left -= 1
        # Below 0 it is dead already: no other thread does anything any more.
        if self.left < 0 or (self.left == 0 and not self.after):
            raise Crash
        result = operation()
        if self.left == 0:
            raise Crash
        return result


def not_found():
    """What a write of a worker raises whose task instance was cleared."""
    detail = {"status_code": 404, "message": "Not Found", "detail": {"detail": {"reason": "not_found"}}}
    return AirflowRuntimeError(ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail))


@dataclass
class MemoryStore:
    """Airflow's ``task_state_store``, surviving every try."""

    crash_point: CrashPoint
    values: dict[str, Any] = field(default_factory=dict)
    #: Raise instead of answering, so many times.
    broken: int = 0
    #: The task instance was cleared while its worker runs: Airflow answers its writes with 404.
    cleared_meanwhile: bool = False
    #: Writes that were asked for.
    writes: int = 0

    def _do(self, operation):
        if self.broken:
            self.broken -= 1
            raise ConnectionError("the API server is away")
        return self.crash_point.around(operation)

    def get(self, key, default=None):
        return self._do(lambda: copy.deepcopy(self.values.get(key, default)))

    def set(self, key, value, *, retention=None):
        assert value is not None
        self.writes += 1
        if self.cleared_meanwhile:
            raise not_found()
        self._do(lambda: self.values.__setitem__(key, json.loads(json.dumps(value))))

    def delete(self, key):
        self._do(lambda: self.values.pop(key, None))


class MemoryTaskInstance:
    """XComs of one try."""

    dag_id, run_id, task_id = "dag", "run", "task"

    def __init__(self, crash_point, max_tries=3, map_index=-1):
        self.crash_point, self.max_tries, self.map_index = crash_point, max_tries, map_index
        self.xcoms = {}

    def xcom_push(self, key, value):
        self.crash_point.around(lambda: self.xcoms.__setitem__(key, value))

    def xcom_pull(self, *, key, **_):
        return self.xcoms.get(key)


@dataclass
class MemoryGateway:
    """The official API: charges what it accepts. ``faults`` are used up by creates, one each."""

    crash_point: CrashPoint
    faults: list[str] = field(default_factory=list)
    tasks: dict[str, str] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    #: Key → account, for keys of which there are several: without one, each key and origin has its own.
    keys: dict[str, str] = field(default_factory=dict)
    #: Id → account that was charged.
    owners: dict[str, str] = field(default_factory=dict)
    #: Ids whose answer reached the caller.
    received: list[str] = field(default_factory=list)
    #: Ids that only an error has named, without a price.
    unpriced: set[str] = field(default_factory=set)
    _handed_over: list[str] = field(default_factory=list)
    _account: str = ""
    posts: int = 0
    reads_fail: int = 0
    #: How many reads of each generation do not show it yet.
    shows_after: int = 0
    _shown: Counter[str] = field(default_factory=Counter)
    estimate: float | None = 25.0
    #: What a generation that ended is said to have cost.
    cost: float | None = None
    #: Id → when it was created, for those of which that is told.
    created: dict[str, str] = field(default_factory=dict)

    @property
    def charges(self):
        return len(self.tasks)

    def add(self, runway_task_id, status):
        """A generation that nobody here has submitted, on the account of the usual connection."""
        self.tasks[runway_task_id] = status
        self.owners[runway_task_id] = f"{GATEWAYS['runway'].base_url} {self.keys.get(KEY, KEY)}"

    def account_of(self, settings):
        return f"{settings.base_url} {self.keys.get(settings.api_key, settings.api_key)}"

    def send(self, session, settings, call):
        self._account = self.account_of(settings)
        self._handed_over.clear()
        answer = self.crash_point.around(lambda: self._answer(call))
        # Only now: a worker that dies in the very moment has not seen it.
        self.received += self._handed_over
        return answer

    def _answer(self, call):
        if call.path == "/v1/organization":
            return _says({"creditBalance": 1000 - 25 * self.charges})
        if call.method == "POST":
            return self._create()
        if self.reads_fail:
            self.reads_fail -= 1
            raise NoAnswerError(Delivery.UNKNOWN, "reset")
        runway_task_id = call.path.rpartition("/")[2]
        known = self.owners.get(runway_task_id) == self._account
        status = self.tasks[runway_task_id] if known and self._shows(runway_task_id) else None
        assert known or call.method != "DELETE", "cancelled on another account"
        if call.method == "DELETE":
            self.deleted.append(runway_task_id)
            self.tasks[runway_task_id] = "GONE"
            return Response(204, {}, b"")
        if status in {None, "GONE"} or "workflow" in call.path:
            return _says({"error": "Task not found."}, 404)
        more = {"output": ["https://e/x.mp4"]} if status == "SUCCEEDED" else {}
        more |= {"failureCode": "INTERNAL"} if status == "FAILED" else {}
        if self.cost is not None and status != "RUNNING":
            more["cost"] = {"credits": self.cost}
        if runway_task_id in self.created:
            more["createdAt"] = self.created[runway_task_id]
        return _says({"id": runway_task_id, "status": status, **more})

    def _shows(self, runway_task_id):
        self._shown[runway_task_id] += 1
        return self._shown[runway_task_id] > self.shows_after

    def _create(self):
        self.posts += 1
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "refuse":
            return _says({"error": "Validation of body failed"}, 400)
        if fault == "limit":
            return _says({"error": "daily limit"}, 429)
        if fault == "unconnected":
            raise NoAnswerError(Delivery.NOT_SENT, "refused")
        if fault == "drop":
            raise NoAnswerError(Delivery.UNKNOWN, "reset")
        if fault == "400 with an id of something else":
            self._handed_over.append("req-1")
            return _says({"id": "req-1", "error": "Validation of body failed"}, 400)
        runway_task_id = f"t{len(self.tasks) + 1}"
        self.tasks[runway_task_id] = "RUNNING"
        self.owners[runway_task_id] = self._account
        if fault == "drop after accept":
            raise NoAnswerError(Delivery.UNKNOWN, "reset")
        if fault == "502 after accept":
            return Response(502, {}, b"<html>")
        if fault == "empty after accept":
            return _says({})
        self._handed_over.append(runway_task_id)
        if fault.endswith("with its id"):
            self.unpriced.add(runway_task_id)
            return _says({"error": "Something broke.", "id": runway_task_id}, int(fault.split()[0]))
        cost = {} if self.estimate is None else {"estimatedCost": {"credits": self.estimate}}
        return _says({"id": runway_task_id, **cost})


def _says(body, status=200):
    return Response(status, {}, json.dumps(body).encode())


class Log:
    """Keeps what is logged: it outlives the worker."""

    def __init__(self):
        self.text = ""

    def _line(self, message, *values, **_):
        self.text += (message % values if values else message) + "\n"

    debug = info = warning = error = exception = _line
