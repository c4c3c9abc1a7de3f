"""Any life of a batch: crashes, SIGTERM, faults, clears, other lists, other accounts, lost answers under a bound.

Histories: 600 in CI, 12,000 with ``--hypothesis-profile=thorough``; up to seven phases in each, and then as many as
it takes to come to an end.
"""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from unit.operators import batch_tries
from unit.operators.batch_tries import begin_batch, moderating
from unit.operators.memory import Crash
from unit.scripted import KEY

from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.exceptions import RunwayError
from airflow_runway.triggers import _task_instance

PRICES = {5: 25.0, 10: 60.0}
LISTS = {
    "same": ["a", "b", "c", "d", "e"],
    "shorter": ["a", "c"],
    "reordered": ["e", "d", "c", "b", "a"],
    "longer": ["a", "b", "c", "d", "e", "f", "g"],
    "twice": ["a", "a", "b"],
    "bad": ["a", None, "b", "c"],
    "another": ["x", "y"],
    "empty": [],
    "volatile": ["a", "b", "?", "?"],
}
#: The connection of a phase: a rotated key is one more of the same account.
ROTATED, FOREIGN = "key_11111111111111111111111111111111", "key_22222222222222222222222222222222"
#: What Airflow says of a task that is over.
OVER = ("failed", "success")
#: Prompts of the dear kind.
DEAR = set("dex")

steps = st.fixed_dictionaries(
    {
        "list": st.sampled_from(["same", "same", "same", *LISTS]),
        "clear": st.sampled_from([False, False, True]),
        "retry": st.sampled_from([False, False, False, True]),
        "crash": st.one_of(st.none(), st.none(), st.integers(1, 40)),
        "after": st.booleans(),
        "faults": st.lists(
            st.sampled_from(
                [
                    "",
                    "",
                    "",
                    "refuse",
                    "limit",
                    "unconnected",
                    "drop",
                    "drop after accept",
                    "502 after accept",
                    "502 with its id",
                    "400 with its id",
                    "400 with an id of something else",
                ]
            ),
            max_size=5,
        ),
        "reads_fail": st.sampled_from([0, 0, 0, 1, 99]),
        "broken": st.sampled_from([0, 0, 0, 0, 1, 3, 9]),
        "endings": st.dictionaries(
            st.sampled_from("abcdef"), st.sampled_from(["FAILED", "CANCELLED", "MODERATED"])
        ),
        "later": st.sampled_from([0, 10, 400, 50_000, 90_000]),
        "ended": st.sampled_from(["all", "first", "none"]),
        "password": st.sampled_from([KEY, KEY, KEY, ROTATED, FOREIGN]),
        "until_stop": st.one_of(st.none(), st.none(), st.integers(1, 40)),
        "says": st.sampled_from(["running", "failed", "success", None]),
    }
)
lives = st.lists(steps, min_size=1, max_size=7)
wishes = st.fixed_dictionaries(
    {
        "max_credits": st.sampled_from([None, 20, 50, 100, 170, 1000]),
        "max_in_flight": st.sampled_from([None, 1, 2]),
        "max_lost_answers": st.sampled_from([0, 1, 3]),
        "on_clear": st.sampled_from(["reuse", "reuse", "regenerate"]),
        "on_ambiguous_submit": st.sampled_from(["fail", "resubmit"]),
        "item_key": st.sampled_from([None, None, "shot"]),
        "on_partial_failure": st.sampled_from(["fail", "succeed"]),
        "submissions_at_once": st.sampled_from([1, 1, 3]),
        "cancel_on_kill": st.sampled_from([True, True, False]),
    }
)
renderings = iter(range(10**9))


class Life:
    """One task instance, and what is counted of it from outside."""

    def __init__(self, one, wanted, path, set_connection):
        self.one, self.wanted, self.path = one, wanted, path
        self._set_connection = set_connection
        self.trigger = None
        self.said = ""
        #: Prompts charged since the present try began, and all in their order.
        self.charged_now, self.charged = [], []
        self.cleared = self.ended = True
        self.summary = None
        #: Ids that the record has ever held.
        self.recorded = set()

    def requests(self, name):
        texts = [f"? {next(renderings)}" if text == "?" else text for text in LISTS[name]]
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

    def go(self, step):
        one, begins = self.one, self.trigger is None or step["clear"] or step["retry"]
        if step["clear"]:
            one.clear()
            self.cleared = True
        one.now += step["later"]
        one.gateway.faults, one.gateway.reads_fail = list(step["faults"]), step["reads_fail"]
        one.gateway.endings = step["endings"]
        self._set_connection(password=step["password"])
        self.account = f"{GATEWAYS['runway'].base_url} {one.gateway.keys.get(step['password'], FOREIGN)}"
        one.crash_point.until_stop = step["until_stop"]
        self.deleted_before, self.over, stop = len(one.gateway.deleted), "", step["until_stop"]
        one.store.broken = step["broken"]
        one.crash_point.left, one.crash_point.after = step["crash"], step["after"]
        before = set(one.gateway.tasks)
        self.state_before = dict(one.gateway.tasks)
        self.store_before = json.dumps(one.store.values)
        trigger, self.trigger = self.trigger, None
        if begins:
            self.charged_now = []
        try:
            found = self.phase(begins, trigger, step)
            if isinstance(found, dict):
                self.summary = found
            else:
                self.trigger = found
        except Crash:
            pass
        except RunwayError as error:
            self.over = str(error)
            self.said += f"{error}\n"
        finally:
            self.was_stopped = stop is not None and (one.crash_point.until_stop or 0) <= 0
            one.crash_point.left = one.crash_point.until_stop = None
            one.gateway.reads_fail = one.store.broken = 0
            one.gateway.faults = []
        self.new = [one.gateway.prompts[name] for name in one.gateway.tasks if name not in before]
        self.recorded |= {name for name in one.gateway.tasks if f'"{name}"' in json.dumps(one.store.values)}
        calm = step["crash"] is None and not step["reads_fail"]
        priced = set(one.gateway.tasks) - before - one.gateway.unpriced
        self.answered = [name for name in one.gateway.received if name in priced] if calm else []

    def phase(self, begins, trigger, step):
        fields = {**self.wanted, "requests": self.requests(step["list"]), "manifest": f"file://{self.path}"}
        if begins:
            return self.stoppable(step, lambda: self.one.begin(**fields))
        ids = list(trigger.runway_task_ids)
        if step["ended"] == "all":
            self.one.now = max(self.one.now, trigger.resume_at or 0.0)
        ended = {"all": ids, "first": ids[:1], "none": []}[step["ended"]]
        self.one.gateway.finish([name for name in ended if self.one.gateway.tasks[name] != "GONE"])
        self.state_before = dict(self.one.gateway.tasks)
        lost = {"kind": "task_lost", "message": "It is gone."}
        gateway = self.one.gateway
        errors = {
            name: lost
            for name in ended
            if gateway.tasks[name] == "GONE" or gateway.owners[name] != self.account
        }
        return self.stoppable(step, lambda: self.one.go_on(trigger, ended=ended, errors=errors, **fields))

    def stoppable(self, step, work):
        """One phase, in which the operator may be told to stop."""
        with pytest.MonkeyPatch.context() as monkeypatch:
            operators, make = [], self.one.operator

            def operator(**fields):
                operators.append(make(**fields))
                return operators[-1]

            monkeypatch.setattr(self.one, "operator", operator)
            monkeypatch.setattr(self.one.crash_point, "stop", lambda: [one.on_kill() for one in operators])
            monkeypatch.setattr(_task_instance, "blocking_state_of", lambda task_instance: step["says"])
            return work()

    def check_stop(self, step):
        """Who was told to stop from outside cancels nothing; what a person ended does not run on unnamed."""
        gateway = self.one.gateway
        if not self.was_stopped:
            return
        by_a_person = step["says"] in OVER and self.wanted["cancel_on_kill"]
        others = step["clear"] or step["later"] >= 50_000 or self.wanted["max_credits"] is not None
        if not by_a_person and not others:
            assert len(gateway.deleted) == self.deleted_before
        if "What was running is cancelled" in self.over:
            assert by_a_person
            running = self.recorded_as("running")
            for name in running & {one for one, state in gateway.tasks.items() if state == "RUNNING"}:
                assert name in self.over

    def recorded_as(self, state):
        """Ids of items that are recorded so."""
        return {
            item.get("runway_task_id")
            for key, items in self.one.store.values.items()
            if isinstance(items, list) and "pin" not in key
            for item in items
            if item["state"] == state
        }

    def check_charges(self):
        """Each new charge has a decision: never asked for, or what there was came to nothing, or it was wished."""
        gateway = self.one.gateway
        for text in self.new:
            earlier = [name for name in gateway.of(text) if name in self.state_before]
            times = max(1, *(LISTS[name].count(text) for name in LISTS))
            assert self.new.count(text) + self.charged_now.count(text) <= times
            if len(earlier) < times:
                continue
            kept = [
                name for name in earlier if self.state_before[name] in {"RUNNING", "SUCCEEDED", "MODERATED"}
            ]
            known = [name for name in kept if f'"{name}"' in self.store_before]
            lost = [name for name in kept if name not in known]
            wished = self.wanted["on_clear"] == "regenerate" and self.one.max_tries > 3
            assert len(known) < times or wished, (text, kept)
            assert not lost or self.wanted["on_ambiguous_submit"] == "resubmit" or len(kept) < times or wished
        self.charged_now += self.new
        self.charged += self.new

    def check_bound(self):
        """What is above the bound, the first of each kind alone has brought about."""
        most = self.wanted["max_credits"]
        if most is None:
            return
        prices = [PRICES[10 if text in DEAR else 5] for text in self.charged]
        for name in self.answered:
            assert self.price_of(name) <= most or self.one.gateway.tasks[name] == "GONE"
        assert sum(prices) - sum(set(prices)) <= most
        if len(set(prices)) == 1 and len(prices) > 1:
            assert sum(prices) <= most

    def check_ids(self):
        known = self.one.log.text + self.said + json.dumps(self.one.store.values)
        assert all(f"{name}" in known for name in self.one.gateway.received)
        assert not [key for key in (KEY, ROTATED, FOREIGN) if key in known]

    def check_numbers(self):
        for line in re.findall(r"Batch: \d+ of .*", self.one.log.text):
            succeeded, total, running, to_come, otherwise = map(
                int, re.findall(r"\d+", line.partition(";")[0])
            )
            assert succeeded + running + to_come + otherwise == total
            assert otherwise >= 0
        if self.summary is None:
            return
        summary, self.summary = self.summary, None
        parts = ("succeeded", "failed", "moderated", "lost_answers", "unfinished", "not_submitted")
        assert sum(summary[name] for name in parts) == summary["total"]
        lines = [json.loads(line) for line in self.path.read_text().splitlines()]
        assert [line["index"] for line in lines] == list(range(summary["total"]))
        off_list = summary.get("credits_off_list", 0)
        assert sum(line["credits"] for line in lines) + off_list == pytest.approx(summary["credits"])
        assert sum(line["state"] == "succeeded" for line in lines) == summary["succeeded"]
        # A generation counts from the moment that the record has held it, whatever becomes of its item.
        least = sum(self.price_of(name) for name in self.recorded - self.one.gateway.unpriced)
        assert least <= summary["credits"] <= sum(map(self.price_of, self.one.gateway.tasks))
        for line in lines:
            if line["state"] == "running":
                assert line["runway_task_id"]
                assert line["runway_task_id"] in line["note"]


@pytest.mark.property
def test_no_interleaving_pays_twice_or_forgets_an_id_or_miscounts(set_connection, tmp_path):
    set_connection()

    @settings(
        max_examples=settings.default.max_examples * 6, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(lives, wishes)
    def any_life(life, wanted):
        with pytest.MonkeyPatch.context() as monkeypatch:
            one = begin_batch(monkeypatch, set_connection)
            price(monkeypatch)
            moderating(monkeypatch)
            path = tmp_path / "manifest.jsonl"
            one.gateway.keys = {KEY: "studio", ROTATED: "studio"}
            lived = Life(one, wanted, path, set_connection)
            for step in life:
                lived.go(step)
                lived.check_stop(step)
                lived.check_charges()
                lived.check_bound()
                lived.check_ids()
                lived.check_numbers()
            event(f"charges: {min(one.gateway.charges, 8)}")
            # And whatever was, a last try comes to an end.
            calm = {
                "list": "same", "clear": True, "retry": False, "crash": None, "after": False, "faults": [],
                "reads_fail": 0, "broken": 0, "endings": {}, "later": 400, "ended": "all",
                "password": KEY, "until_stop": None, "says": None,
            }  # fmt: skip
            for number in range(60):
                lived.go({**calm, "clear": number == 0})
                lived.check_charges()
                lived.check_bound()
                lived.check_ids()
                lived.check_numbers()
                if lived.trigger is None:
                    break
            assert lived.trigger is None

    any_life()


def price(monkeypatch):
    """Let the estimate depend on the duration."""
    plain = batch_tries.BatchGateway._answer

    def answer(self, call):
        if call.method == "POST":
            self.estimate = PRICES[call.json["duration"]]
        return plain(self, call)

    monkeypatch.setattr(batch_tries.BatchGateway, "_answer", answer)
