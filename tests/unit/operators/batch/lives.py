"""One task instance through a history (:mod:`unit.operators.batch.histories`), played step by step."""

from __future__ import annotations

import json
import threading

from unit.operators import batch_tries
from unit.operators.batch.histories import CALM, CONNECTIONS, DEAR, LISTS, PRICES
from unit.operators.batch_tries import Downloads, begin_batch, hiding, moderating
from unit.operators.memory import Crash

from airflow_runway.exceptions import RunwayError
from airflow_runway.hooks import _transport
from airflow_runway.triggers import _task_instance

_numbers = iter(range(10**9))


class Life:
    """One task instance, played step by step."""

    def __init__(self, monkeypatch, set_connection, folder, wanted, world):
        self.one = one = begin_batch(monkeypatch, set_connection)
        self.set_connection, self.wanted, self.world = set_connection, wanted, world
        folder = folder / str(next(_numbers))
        folder.mkdir()
        self.path = folder / "manifest.jsonl"
        self.fields = {**wanted, "manifest": f"file://{self.path}"}
        if world["saves"]:
            self.fields["destination"] = f"file://{folder}/out"
        self.downloads = Downloads(monkeypatch)
        one.gateway.keys = {CONNECTIONS[name]["password"]: "studio" for name in ("usual", "rotated")}
        one.gateway.shows_after = world["shows_after"]
        price(monkeypatch)
        moderating(monkeypatch)
        if world["hides"]:
            hiding(monkeypatch)
        monkeypatch.setattr(_transport, "send", self._send)
        monkeypatch.setattr(_task_instance, "blocking_state_of", lambda _: self._said_by_airflow())
        self.trigger = self.operator = self.error = self.summary = None
        self.step, self.said, self.told = CALM, "", ""
        self.is_dead = self.was_stopped = False
        self._when, self._calls_left = None, 0
        #: Prompts charged in this step, since the present try began, and ever.
        self.new, self.charged_now, self.charged = [], [], []
        #: Generations since the last clear, if there was one.
        self.since_clear = None
        #: Ids that the record has ever held.
        self.recorded = set()

    def requests(self, name):
        texts = [f"? {next(_numbers)}" if text == "?" else text for text in LISTS[name]]
        named = self.wanted["item_key"]
        return [
            None
            if text is None
            else {
                "model": "m",
                "duration": 10 if text in DEAR else 5,
                "promptText": text,
                # A text that stands there twice is two items.
                **({named: f"{text}{texts[:place].count(text)}"} if named else {}),
            }
            for place, text in enumerate(texts)
        ]

    def price_of(self, name):
        return PRICES[10 if self.one.gateway.prompts[name] in DEAR else 5]

    def items(self):
        """What is on record, as plain values."""
        chunks = [value for key, value in self.one.store.values.items() if key.startswith("runway_batch_0")]
        return [item for chunk in chunks for item in chunk]

    def running(self):
        return [item["runway_task_id"] for item in self.items() if item["state"] == "running"]

    def stored(self):
        return json.dumps(self.one.store.values)

    def go(self, step):
        """One step."""
        one, self.step = self.one, step
        begins = self.trigger is None or step["clear"] or step["retry"]
        if step["clear"]:
            one.clear()
            self.since_clear = set()
        one.now += step["later"]
        self.set_connection(**CONNECTIONS[step["account"]])
        trigger, self.trigger = self.trigger, None
        ended = self._end(begins, trigger)
        if begins:
            self.charged_now = []
        self._remember()
        self._set(step)
        try:
            self._finish(self._phase(begins, trigger, ended))
        except Crash:
            self.is_dead = True
        except RunwayError as error:
            self.error = error
            self.said += f"{error}\n"
        finally:
            # What the worker's thread still does belongs to this step.
            for thread in threading.enumerate():
                if thread.name == "runway-stop":
                    thread.join(30)
            self._set(CALM)
        self.told = one.log.text[self._log_before :] + str(self.error or "")
        fresh = [name for name in one.gateway.tasks if name not in self.before]
        self.new = [one.gateway.prompts[name] for name in fresh]
        if self.since_clear is not None:
            self.since_clear |= set(fresh)
        self.recorded |= {name for name in one.gateway.tasks if f'"{name}"' in self.stored()}

    def _finish(self, found):
        # A worker whose threads have died has not handed anything over.
        self.is_dead = self.step["crash"] is not None and self.one.crash_point.left <= 0
        if not self.is_dead and isinstance(found, dict):
            self.summary = found
        elif not self.is_dead:
            self.trigger = found

    def _end(self, begins, trigger):
        """Generations end, or are deleted; the ids of those that the trigger has seen."""
        gateway, step = self.one.gateway, self.step
        gateway.endings = step["endings"]
        ended = []
        if not begins:
            ids = list(trigger.runway_task_ids)
            if step["ended"] == "all":
                self.one.now = max(self.one.now, trigger.resume_at or 0.0)
            ended = {"all": ids, "first": ids[:1], "none": []}[step["ended"]]
        # Where nobody watched, some end all the same.
        gateway.finish(list(gateway.tasks) if begins and step["ended"] == "first" else ended)
        for name in gateway.tasks:
            # Of what nobody has seen, nobody can say that it was there.
            if gateway.prompts[name] in step["deleted"] and name not in gateway.unpriced:
                gateway.tasks[name] = "GONE"
        return ended

    def _remember(self):
        one = self.one
        self.before, self.store_before, self.items_before = (
            dict(one.gateway.tasks),
            self.stored(),
            self.items(),
        )
        self.deleted_before, self._log_before = list(one.gateway.deleted), len(one.log.text)
        self.error = self.summary = None
        self.is_dead = self.was_stopped = False

    def _set(self, step):
        one = self.one
        one.gateway.faults, one.gateway.reads_fail = list(step["faults"]), step["reads_fail"]
        one.gateway.endings, one.store.broken = step["endings"], step["broken"]
        one.crash_point.left, one.crash_point.after = step["crash"], step["after"]
        self.downloads.broken = step["hosts_away"]
        self._when, self._calls_left = step["sigterm"] or (None, 0)
        one.crash_point.until_stop = self._calls_left if self._when == "operation" else None
        one.crash_point.stop = self._kill

    def _phase(self, begins, trigger, ended):
        one, operator = self.one, self.one.operator(**self.fields, requests=self.requests(self.step["list"]))
        self.operator, wait = operator, operator._wait

        def late(*arguments):
            if self._when == "deferral":
                self._kill()
            wait(*arguments)

        operator._wait = late
        if (self._when, self._calls_left) == ("call", 0):
            self._kill()
        if begins:
            return one._phase(lambda: operator.execute(one.context()))
        event = {"ended": dict.fromkeys(ended) | self._not_seen(ended), "pauses": trigger.pauses}
        resume = operator.resume_execution
        return one._phase(lambda: resume("execute_complete", {"event": event}, one.context()))

    def _not_seen(self, ended):
        """What the trigger says of those that are gone, or that its account does not know."""
        watched, gateway = CONNECTIONS[self.step["watched"]], self.one.gateway
        account = gateway.keys.get(watched.get("password"), watched.get("password"))
        lost = {"kind": "task_lost", "message": "It is gone."}
        found = {
            name: lost
            for name in ended
            if gateway.tasks[name] == "GONE" or gateway.owners[name].rpartition(" ")[2] != account
        }
        self.one.now += self.world["lost_after"] if found else 0
        return found

    def _send(self, session, settings, call):
        if self._when == "call" and self._calls_left > 0:
            self._calls_left -= 1
            if self._calls_left == 0:
                self._kill()
                self._await_answer()
        return self.one.gateway.send(session, settings, call)

    def _kill(self):
        """SIGTERM, twice."""
        self._when, self.was_stopped = None, True
        self.operator.on_kill()
        self.operator.on_kill()

    def _await_answer(self):
        """Airflow is quick, and so is what follows from its answer."""
        inquiry = self.operator._inquiry
        if inquiry is not None and inquiry._asks:
            inquiry._done.wait(30)

    def _said_by_airflow(self):
        if isinstance(self.step["says"], Exception):
            raise self.step["says"]
        return self.step["says"]


def price(monkeypatch):
    """Let the estimate depend on the duration."""
    plain = batch_tries.BatchGateway._answer

    def answer(self, call):
        if call.method == "POST":
            self.estimate = PRICES[call.json["duration"]]
        return plain(self, call)

    monkeypatch.setattr(batch_tries.BatchGateway, "_answer", answer)
