"""One task instance through its tries, in memory."""

from __future__ import annotations

import json

from airflow.providers.common.compat.sdk import TaskDeferred
from unit.clocks import of_a_wait, of_the_main_thread
from unit.operators.memory import CrashPoint, Log, MemoryGateway, MemoryStore, MemoryTaskInstance

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.journal.submission import History, fingerprint, read_history
from airflow_runway.core.polling.decisions import GaveUp
from airflow_runway.exceptions import RunwayError
from airflow_runway.hooks import _transport
from airflow_runway.operators._stopping import StopSignal
from airflow_runway.operators.runway import RunwaySubmitOperator
from airflow_runway.triggers._events import error_event

PAYLOAD = {"model": "gen4_turbo", "promptImage": "https://e/a.jpg", "promptText": "a secret idea"}


class TaskTries:
    """One task instance through its tries."""

    def __init__(self, *, mapped=False, **fields):
        self.map_index = 0 if mapped else -1
        self.crash_point = CrashPoint()
        self.store = MemoryStore(self.crash_point)
        self.gateway = MemoryGateway(self.crash_point)
        self.log = Log()
        self.fields = fields
        self.max_tries = 3
        self.ti = None
        self.said = ""
        self.now = 1_000_000.0

    def sleep(self, seconds):
        self.now += seconds

    def operator(self, **fields):
        operator = RunwaySubmitOperator(
            **{"task_id": "task", "route": "image_to_video", "payload": PAYLOAD, **self.fields, **fields}
        )
        operator.hook.pause_between_tries = lambda state: 0
        return operator

    def defer(self, **fields):
        """One try that waits."""
        try:
            self.run(**fields)
        except TaskDeferred:
            return
        raise AssertionError("it does not wait")

    def run(self, method="execute", *, crash=None, after=False, told="", lost=False, **fields):
        """One try; returns what it returns, raises what it raises.

        :param told: the generation that the event names; its own if empty.
        :param lost: whether the trigger gave up, since the gateway no longer knew the generation.
        """
        self.crash_point.left, self.crash_point.after = crash, after
        self.ti = MemoryTaskInstance(self.crash_point, self.max_tries, self.map_index)
        # A try of a task instance that was cleared is one that Airflow knows.
        self.store.cleared_meanwhile = False
        context = self.context()
        try:
            operator = self.operator(**fields)
            if method == "execute":
                return operator.execute(context)
            runway_task_id = told or self.record["runway_task_id"]
            event = {"runway_task_id": runway_task_id, "deadline": 2e9, "error": None}
            if lost:
                text = f"Runway task {runway_task_id} was known and no longer is."
                event["error"] = error_event(GaveUp(ErrorFacts(ErrorKind.TASK_LOST, text)))
            return operator.resume_execution("execute_complete", {"event": event}, context)
        except RunwayError as error:
            self.said += f"{error}\n"
            raise
        finally:
            self.crash_point.left = None

    def context(self):
        return {"ti": self.ti, "task_state_store": self.store}

    def written(self):
        """All that is written down, as one text."""
        return json.dumps(self.store.values)

    def clear(self):
        self.max_tries += 1

    @property
    def history(self):
        """What the store holds."""
        found = read_history(self.store.values.get("runway_submission"))
        assert isinstance(found, History)
        return found

    @staticmethod
    def request_of(prompt):
        return fingerprint("runway", "runway_default", "image_to_video", {**PAYLOAD, "promptText": prompt})

    @property
    def record(self):
        return self.store.values["runway_submission"]["current"]


def begin(monkeypatch, set_connection, kind=TaskTries, **fields):
    set_connection()
    tries = kind(**fields)
    monkeypatch.setattr(_transport, "send", tries.gateway.send)
    monkeypatch.setattr(RunwaySubmitOperator, "log", tries.log)
    # Time passes only by sleeping.
    monkeypatch.setattr("time.time", lambda: tries.now)
    monkeypatch.setattr("time.sleep", of_the_main_thread(tries.sleep))
    monkeypatch.setattr(StopSignal, "wait", of_a_wait(lambda seconds: tries.sleep(seconds)))
    return tries
