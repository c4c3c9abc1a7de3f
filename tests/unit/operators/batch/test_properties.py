"""Any life of a batch, whatever happens in it: never more charges than decisions, no bound exceeded, no id forgotten.

Histories: 600 in CI, 12,000 with ``--hypothesis-profile=thorough``; up to seven steps in each, and then a clear in
which all is well, with its phases to the end.
"""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import HealthCheck, event, given, settings
from unit.operators.batch.histories import CALM, CONNECTIONS, DEAR, LISTS, PRICES, lives, wishes, worlds
from unit.operators.batch.lives import Life

from airflow_runway.core.stopping import TASK_IS_OVER
from airflow_runway.exceptions import RunwayBatchError, RunwayBatchIncompleteError, RunwayStoppedError

pytestmark = pytest.mark.slow

#: What is there, or was paid for and is the author's to make again: what the record says, and what the gateway says.
HELD = {"succeeded", "unsaved", "gone"}
THERE = {"RUNNING", "SUCCEEDED", "MODERATED"}
DAY = 86_400


def check_charges(life):
    """Each new charge has a decision: never asked for, or what there was came to nothing, or it was wished."""
    gateway = life.one.gateway
    held = {item.get("runway_task_id") for item in life.items_before if item["state"] in HELD}
    for text in life.new:
        times = max(1, *(LISTS[name].count(text) for name in LISTS))
        assert life.new.count(text) + life.charged_now.count(text) <= times
        kept = [
            name for name in gateway.of(text) if name in held or life.before.get(name, "not yet") in THERE
        ]
        known = [name for name in kept if f'"{name}"' in life.store_before]
        lost = [name for name in kept if name not in known]
        if life.wanted["on_clear"] == "regenerate" and life.since_clear is not None:
            # A person has cleared the task to have everything made anew, once.
            known = [name for name in known if name in life.since_clear]
            lost = [name for name in lost if name in life.since_clear]
        assert len(known) < times, (text, kept)
        assert not lost or life.wanted["on_ambiguous_submit"] == "resubmit" or len(known) + len(lost) < times
    life.charged_now += life.new
    life.charged += life.new


def check_bound(life):
    """What is above the bound, the first of each kind alone has brought about."""
    most, gateway = life.wanted["max_credits"], life.one.gateway
    if most is None:
        return
    prices = [PRICES[10 if text in DEAR else 5] for text in life.charged]
    assert sum(prices) - sum(set(prices)) <= most
    if len(set(prices)) == 1 and len(prices) > 1:
        assert sum(prices) <= most
    if life.step["crash"] is None and not life.step["reads_fail"] and not life.world["shows_after"]:
        for name in gateway.received:
            if (
                name in gateway.tasks
                and name not in life.before
                and f"Runway task {name} accepted" in life.told
            ):
                assert life.price_of(name) <= most or gateway.tasks[name] == "GONE"


def check_ids(life):
    """Every id that reached the worker is somewhere, and what did not is recorded as a lost answer."""
    known = life.one.log.text + life.said + life.stored()
    assert [name for name in life.one.gateway.received if name not in known] == []
    keys = {one["password"] for one in CONNECTIONS.values() if "password" in one}
    assert not [key for key in keys if key in known]
    unheard = [name for name in life.one.gateway.tasks if name not in life.one.gateway.received]
    lost = sum(item.get("lost", 0) + (item["state"] == "intent") for item in life.items())
    assert lost >= len(unheard)
    assert "cancelled on another account" not in known


def check_open(life):
    """A try that ends names what it leaves open."""
    if life.is_dead:
        return
    ended = isinstance(life.error, RunwayStoppedError | RunwayBatchError | RunwayBatchIncompleteError)
    if ended or life.summary is not None:
        assert [name for name in life.running() if name not in life.told] == []
    if "What was running is cancelled." in str(life.error):
        running = {item.get("runway_task_id") for item in life.items_before if item["state"] == "running"}
        running |= set(life.one.gateway.tasks) - set(life.before)
        account = life.one.gateway._account
        running -= {item.get("runway_task_id") for item in life.items() if item.get("refused")}
        mine = {name for name in running if life.one.gateway.owners.get(name) == account}
        unheard = mine - set(life.one.gateway.received)
        assert not [name for name in mine - unheard if life.one.gateway.tasks[name] == "RUNNING"]


def check_stop(life):
    """What is stopped from outside loses nothing, and nobody loses what only a refusal named."""
    doubtful = {item.get("runway_task_id") for item in life.items_before if item.get("refused")}
    assert doubtful.isdisjoint(life.one.gateway.deleted[len(life.deleted_before) :])
    is_over = life.step["says"] in TASK_IS_OVER if isinstance(life.step["says"], str) else False
    if not life.was_stopped or (is_over and life.wanted["cancel_on_kill"]) or life.step["clear"]:
        return
    header = life.one.store.values.get("runway_batch")
    in_time = header is None or life.one.now < header["began_at"] + DAY
    if in_time and life.wanted["max_credits"] is None and "no longer in the list" not in life.told:
        assert life.one.gateway.deleted == life.deleted_before


def check_numbers(life):
    for line in re.findall(r"Batch: \d+ of .*", life.one.log.text):
        succeeded, total, running, to_come, otherwise = map(int, re.findall(r"\d+", line.partition(";")[0]))
        assert succeeded + running + to_come + otherwise == total
        assert otherwise >= 0
    if life.summary is None:
        return
    summary = life.summary
    parts = ("succeeded", "failed", "moderated", "lost_answers", "unfinished", "not_submitted")
    assert sum(summary[name] for name in parts) == summary["total"]
    lines = [json.loads(line) for line in life.path.read_text().splitlines()]
    assert [line["index"] for line in lines] == list(range(summary["total"]))
    off_list = summary.get("credits_off_list", 0)
    assert sum(line["credits"] for line in lines) + off_list == pytest.approx(summary["credits"])
    assert sum(line["state"] == "succeeded" for line in lines) == summary["succeeded"]
    # A generation counts from the moment that the record has held it, whatever becomes of its item.
    least = sum(life.price_of(name) for name in life.recorded - life.one.gateway.unpriced)
    assert least <= summary["credits"] <= sum(map(life.price_of, life.one.gateway.tasks))
    for line in lines:
        if line["state"] == "running":
            assert line["runway_task_id"]
            assert line["runway_task_id"] in line["note"]


def check(life):
    for one in (check_charges, check_bound, check_ids, check_open, check_stop, check_numbers):
        one(life)


@pytest.mark.property
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_no_interleaving_pays_twice_or_forgets_an_id_or_miscounts(set_connection, tmp_path):
    set_connection()

    @settings(
        max_examples=settings.default.max_examples * 6, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(lives, wishes, worlds)
    def any_life(history, wanted, world):
        with pytest.MonkeyPatch.context() as monkeypatch:
            life = Life(monkeypatch, set_connection, tmp_path, wanted, world)
            for step in history:
                life.go(step)
                check(life)
            event(f"charges: {min(life.one.gateway.charges, 8)}")
            # And whatever was, a last try comes to an end.
            for number in range(60):
                life.go({**CALM, "clear": number == 0})
                check(life)
                if life.trigger is None:
                    break
            assert life.trigger is None

    any_life()
