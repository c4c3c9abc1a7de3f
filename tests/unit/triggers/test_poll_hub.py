"""The hub, with a scripted session and a clock that moves only when told."""

from __future__ import annotations

import asyncio
from collections import Counter
from itertools import pairwise

import pytest
from unit.clocks import SteppedClock, settle
from unit.triggers.scripted_hook import ScriptedHook

from airflow_runway import telemetry
from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.models import RunwayTask
from airflow_runway.exceptions import RunwayReadError
from airflow_runway.triggers import _poll_hub as module
from airflow_runway.triggers._poll_hub import poll_hub


@pytest.fixture
def clock():
    return SteppedClock()


@pytest.fixture
def hook(clock):
    return ScriptedHook(clock)


async def test_a_task_is_read_when_asked(hook, clock):
    async with poll_hub(hook, clock) as hub:
        began, look = clock.now(), asyncio.create_task(hub.look("t1", after=7))
        await settle()
        await clock.go(6.9)
        assert not look.done()
        await clock.go(0.2)
        assert isinstance(await look, RunwayTask)
        assert hook.session.times() == [began + 7]


async def test_one_timer_serves_thousands(hook, clock):
    async with poll_hub(hook, clock) as hub:
        futures = [hub.ask(f"t{number}", after=5 + number / 500) for number in range(5000)]
        assert clock.timers == 1
        await clock.go(16)
        assert all(future.done() for future in futures)
        assert len(hook.session.reads) == 5000


async def test_all_who_wait_for_a_task_share_a_reading(hook, clock):
    async with poll_hub(hook, clock) as hub:
        looks = [hub.ask("t1", after=after) for after in (5, 6, 60)]
        await clock.go(5.5)
        assert len({id(look.result()) for look in looks}) == 1
        assert len(hook.session.reads) == 1


async def test_a_task_is_never_read_twice_within_five_seconds(hook, clock):
    async with poll_hub(hook, clock) as hub:

        async def impatient():
            for _ in range(20):
                await hub.look("t1", after=0.5)

        waiting = [asyncio.create_task(impatient()) for _ in range(3)]
        await clock.go(120)
        await asyncio.gather(*waiting)
        times = hook.session.times()
        assert len(times) == 20
        assert min(later - earlier for earlier, later in pairwise(times)) >= 5


async def test_an_answer_on_its_way_is_not_asked_for_again(hook, clock):
    hook.session.gate = asyncio.Event()
    async with poll_hub(hook, clock) as hub:
        first = hub.ask("t1")
        await clock.go(1)
        second = hub.ask("t1", after=1)
        await clock.go(3)
        hook.session.gate.set()
        await settle()
        assert first.result() is second.result()
        await clock.go(60)
        assert len(hook.session.reads) == 1


async def test_reads_at_the_same_time_are_bounded_and_all_get_their_turn(hook, clock):
    hook.session.gate = asyncio.Event()
    async with poll_hub(hook, clock) as hub:
        looks = [hub.ask(f"t{number}") for number in range(300)]
        await clock.go(5)
        assert hook.session.under_way == module.MOST_AT_ONCE
        hook.session.gate.set()
        await clock.go(5)
        assert all(look.done() for look in looks)
        assert hook.session.most_under_way == module.MOST_AT_ONCE


@pytest.mark.parametrize(
    "trouble",
    [(429, {"Retry-After": "30"}), (503, {"Retry-After": "30"}), RunwayReadError("x", retry_after=30)],
)
async def test_a_gateway_that_asks_for_time_gets_it_from_all(hook, clock, trouble):
    async with poll_hub(hook, clock) as hub:
        hook.session.response = trouble
        refused = hub.ask("t0")
        await clock.go(0.5)
        assert refused.result().retry_after == 30
        hook.session.response = (200, {})
        looks = [hub.ask(f"t{number}", after=number / 10) for number in range(1, 50)]
        began = clock.now()
        await clock.go(29)
        assert len(hook.session.reads) == 1
        await clock.go(60)
        assert all(isinstance(look.result(), RunwayTask) for look in looks)
        later = [at - began for at, _ in hook.session.reads[1:]]
        assert later == sorted(later)
        assert later[20] - later[0] >= 0.5, "not all at once"
        assert [read for _, read in hook.session.reads[1:]] == [f"t{number}" for number in range(1, 50)]


async def test_a_refused_key_or_a_missing_task_slows_nobody_down(hook, clock):
    async with poll_hub(hook, clock) as hub:
        hook.session.response = (401, {})
        for number in range(20):
            hub.ask(f"t{number}")
        await clock.go(0.5)
        assert len(hook.session.reads) == 20


async def test_whose_patience_ends_is_told_so(hook, clock):
    async with poll_hub(hook, clock) as hub:
        hook.session.response = (429, {"Retry-After": "60"})
        hub.ask("t0")
        await clock.go(0.5)
        patient, impatient = hub.ask("t1", after=1), hub.ask("t2", after=1, patience=10)
        await clock.go(12)
        assert "could not be read in time" in str(impatient.result())
        assert not patient.done()


async def test_trouble_with_the_connection_is_a_failed_read(hook, clock):
    hook.session.response = KeyError("metadata database is away")
    async with poll_hub(hook, clock) as hub:
        look = hub.ask("t1")
        await clock.go(1)
        assert look.result().kind is ErrorKind.READ
        assert "KeyError" in str(look.result())


async def test_a_look_that_was_given_up_costs_no_read(hook, clock):
    async with poll_hub(hook, clock) as hub:
        look = asyncio.create_task(hub.look("t1", after=5))
        other = hub.ask("t2", after=5)
        await settle()
        look.cancel()
        await clock.go(10)
        assert other.done()
        assert [read for _, read in hook.session.reads] == ["t2"]


async def test_cancelling_one_of_two_leaves_the_other_its_reading(hook, clock):
    hook.session.gate = asyncio.Event()
    async with poll_hub(hook, clock) as hub:
        one, two = asyncio.create_task(hub.look("t1")), asyncio.create_task(hub.look("t1"))
        await clock.go(1)
        one.cancel()
        hook.session.gate.set()
        await settle()
        assert isinstance(await two, RunwayTask)


async def test_what_was_read_is_handed_to_the_statistics(hook, clock, monkeypatch):
    told = []
    monkeypatch.setattr(
        telemetry,
        "_emit",
        lambda places, how, name, value, tags: told.append((places, how, name, value, tags)),
    )
    async with poll_hub(hook, clock) as hub:
        for _ in range(3):
            hub.ask("t1")
            await clock.go(6)
    polls = [(value, tags) for _, how, name, value, tags in told if (how, name) == ("incr", "runway.polls")]
    assert sum(value for value, _ in polls) == 3
    assert all(tags == {"result": "RUNNING"} for _, tags in polls)
    waiting = [
        value
        for _, _, name, value, tags in told
        if name == "runway.waiting" and tags == {"conn_id": "studio"}
    ]
    assert waiting[-1] == 0
    assert {places for places, *_ in told} == {telemetry.IN_TRIGGERER}


async def test_a_read_is_counted_once_for_whoever_asked_first(hook, clock, monkeypatch):
    told = Counter()

    def emit(places, how, name, value, tags):
        if name == "runway.polls":
            told[tags["dag_id"], tags["task_id"]] += value

    monkeypatch.setattr(telemetry, "_emit", emit)
    one = (("dag_id", "one"), ("task_id", "wait"))
    two = (("dag_id", "two"), ("task_id", "wait"))
    async with poll_hub(hook, clock) as hub:
        for first, second in ((one, two), (one, two), (two, one)):
            hub.ask("t1", owner=first)
            hub.ask("t1", owner=second)
            await clock.go(6)
        assert not hub._owners
    assert told == {("one", "wait"): 2, ("two", "wait"): 1}


async def test_who_withdraws_leaves_no_owner_behind(hook, clock):
    async with poll_hub(hook, clock) as hub:
        hub.ask("t1", owner=(("dag_id", "one"),)).cancel()
        await clock.go(6)
        assert not hub._owners
