"""A batch through its tries, in memory: the gateway charges, the store survives, and the trigger is played."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from airflow.providers.common.compat.sdk import TaskDeferred
from unit.clocks import of_a_wait, of_the_main_thread
from unit.operators.memory import CrashPoint, Log, MemoryGateway, MemoryStore, MemoryTaskInstance, _says

from airflow_runway.exceptions import RunwayTransferError
from airflow_runway.hooks import _transport
from airflow_runway.hooks.runway import RunwayHook
from airflow_runway.operators._stopping import StopSignal
from airflow_runway.operators.runway import RunwayBatchOperator
from airflow_runway.transfers._saving import saver

DONE = "SUCCEEDED"


@dataclass
class BatchGateway(MemoryGateway):
    """Charges by prompt; ``endings`` says how the generation of a prompt ends."""

    prompts: dict[str, str] = field(default_factory=dict)
    endings: dict[str, str] = field(default_factory=dict)
    #: Prompts that are refused, and how many creates are taken before a daily limit.
    refused: set[str] = field(default_factory=set)
    taken_today: int | None = None
    most_at_once: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)

    def send(self, session, settings, call):
        with self.lock:
            if call.method == "POST" and call.path.startswith("/v1/text"):
                return self._create_of(call.json["promptText"], super().send, session, settings, call)
            return super().send(session, settings, call)

    def _create_of(self, prompt, send, session, settings, call):
        if prompt in self.refused:
            self.posts += 1
            return _says({"error": "Validation of body failed"}, 400)
        if self.taken_today is not None and self.charges >= self.taken_today:
            self.posts += 1
            return _says({"error": "daily limit"}, 429)
        before = set(self.tasks)
        try:
            return send(session, settings, call)
        finally:
            for runway_task_id in set(self.tasks) - before:
                self.prompts[runway_task_id] = prompt
            running = sum(status == "RUNNING" for status in self.tasks.values())
            self.most_at_once = max(self.most_at_once, running)

    def finish(self, ids):
        for one in ids:
            if self.tasks[one] == "RUNNING":
                self.tasks[one] = self.endings.get(self.prompts[one], DONE)

    def of(self, prompt):
        return [one for one, text in self.prompts.items() if text == prompt]


class BatchTries:
    """One task instance."""

    def __init__(self, **fields):
        self.crash_point = CrashPoint()
        self.store = MemoryStore(self.crash_point)
        self.gateway = BatchGateway(self.crash_point)
        self.log = Log()
        self.fields = {"requests": prompts("a", "b", "c"), "on_partial_failure": "succeed", **fields}
        self.max_tries, self.now = 3, 1_000_000.0
        self.gateway.clock = lambda: self.now
        self.triggers = []

    def operator(self, **fields):
        operator = RunwayBatchOperator(
            **{"task_id": "batch", "route": "text_to_video", **self.fields, **fields}
        )
        operator.hook.pause_between_tries = lambda state: 0
        return operator

    def context(self):
        return {"ti": MemoryTaskInstance(self.crash_point, self.max_tries), "task_state_store": self.store}

    def sleep(self, seconds):
        self.now += seconds

    def begin(self, **fields):
        """``execute``; the trigger if it defers."""
        return self._phase(lambda: self.operator(**fields).execute(self.context()))

    def go_on(self, trigger, ended=None, errors=None, **fields):
        """What comes after a trigger."""
        ended = list(trigger.runway_task_ids) if ended is None else ended
        event = {"ended": dict.fromkeys(ended) | (errors or {}), "pauses": trigger.pauses}
        return self._phase(
            lambda: self.operator(**fields).resume_execution(
                "execute_complete", {"event": event}, self.context()
            )
        )

    def _phase(self, work):
        try:
            return work()
        except TaskDeferred as deferred:
            self.triggers.append(deferred.trigger)
            return deferred.trigger

    def to_the_end(self, **fields):
        """All phases of a try, everything finishing in its time."""
        result = self.begin(**fields)
        while not isinstance(result, dict):
            self.now = max(self.now, result.resume_at or 0.0)
            self.gateway.finish(result.runway_task_ids)
            result = self.go_on(result, **fields)
        return result

    def clear(self):
        self.max_tries += 1


def prompts(*texts):
    return [{"model": "gen4.5", "promptText": text} for text in texts]


def begin_batch(monkeypatch, set_connection, **fields):
    set_connection()
    tries = BatchTries(**fields)
    monkeypatch.setattr(_transport, "send", tries.gateway.send)
    impatient(monkeypatch)
    monkeypatch.setattr(RunwayBatchOperator, "log", tries.log)
    monkeypatch.setattr("time.time", lambda: tries.now)
    monkeypatch.setattr("time.sleep", of_the_main_thread(tries.sleep))
    monkeypatch.setattr(StopSignal, "wait", of_a_wait(tries.sleep))
    return tries


def impatient(monkeypatch):
    """Let threads that have a hook of their own not pause between tries."""
    plain = RunwayHook.detached

    def detached(self, timeout):
        other = plain(self, timeout)
        other.pause_between_tries = lambda state: 0
        return other

    monkeypatch.setattr(RunwayHook, "detached", detached)


def moderating(monkeypatch):
    """Let an ending be the word MODERATED."""
    plain = BatchGateway._answer

    def answer(self, call):
        said = plain(self, call)
        if b'"status": "MODERATED"' not in said.body:
            return said
        runway_task_id = call.path.rpartition("/")[2]
        return _says({"id": runway_task_id, "status": "FAILED", "failureCode": "SAFETY.INPUT.TEXT"})

    monkeypatch.setattr(BatchGateway, "_answer", answer)


def hiding(monkeypatch):
    """Answer for an id that is not known, any more or yet, as the reverse format does: NOT_VISIBLE, not gone."""
    plain = BatchGateway._answer

    def answer(self, call):
        said = plain(self, call)
        if said.status != 404:
            return said
        return _says({"code": "task_not_exist", "message": "task_not_exist", "data": None}, 400)

    monkeypatch.setattr(BatchGateway, "_answer", answer)


class Downloads:
    """Files of one byte, without a host."""

    def __init__(self, monkeypatch):
        #: Whether the host answers nothing.
        self.broken = False
        monkeypatch.setattr(saver, "save_output", self._save)

    def _save(self, job):
        if self.broken:
            raise RunwayTransferError("The host of the outputs is away.")
        name = job.file_name.name(job.runway_task_id, job.index, "video/mp4")
        job.destination.write(name, b"x", "video/mp4")
        return {
            "index": job.index,
            "path": str(job.destination.path(name)),
            "bytes": 1,
            "sha256": "",
            "media_type": "video/mp4",
        }
