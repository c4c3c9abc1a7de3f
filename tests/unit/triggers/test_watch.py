"""Readings of many tasks for one coroutine."""

from __future__ import annotations

import asyncio

import pytest
from unit.clocks import SteppedClock, settle
from unit.triggers.scripted_hook import ScriptedHook

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.models import RunwayTask, TaskStatus
from airflow_runway.triggers._poll_hub import poll_hub
from airflow_runway.triggers._watch import Watch

READING = RunwayTask("t1", TaskStatus.RUNNING)
TROUBLE = ErrorFacts(ErrorKind.READ, "busy.")


class Readings:
    """Gives readings when told, and remembers who asked for what."""

    def __init__(self):
        self.asked = []
        self.futures = {}

    def ask(self, runway_task_id, *, after=0.0, patience=float("inf"), owner=()):
        self.owner = owner
        self.asked.append((runway_task_id, after, patience))
        self.futures[runway_task_id] = asyncio.get_running_loop().create_future()
        return self.futures[runway_task_id]


@pytest.fixture
def readings():
    return Readings()


async def test_readings_come_in_the_order_in_which_they_arrive(readings):
    async with Watch(readings) as watch:
        for number in (1, 2, 3):
            watch.ask(f"t{number}")
        for number in (2, 3, 1):
            readings.futures[f"t{number}"].set_result(number)
        assert [found async for found in watch] == [("t2", 2), ("t3", 3), ("t1", 1)]


async def test_a_failed_read_is_a_reading_too(readings):
    async with Watch(readings) as watch:
        watch.ask("t1")
        readings.futures["t1"].set_result(TROUBLE)
        assert await anext(watch) == ("t1", TROUBLE)


async def test_what_is_asked_is_handed_on(readings):
    async with Watch(readings) as watch:
        watch.ask("t1", after=5.0, patience=60.0)
        watch.ask("t2")
    assert readings.asked == [("t1", 5.0, 60.0), ("t2", 0.0, float("inf"))]


async def test_it_asks_for_its_owner(readings):
    async with Watch(readings, (("dag_id", "campaign"),)) as watch:
        watch.ask("t1")
    assert readings.owner == (("dag_id", "campaign"),)


async def test_one_question_per_task_at_a_time(readings):
    async with Watch(readings) as watch:
        watch.ask("t1", after=5.0)
        watch.ask("t1", after=1.0)
        assert len(readings.asked) == 1
        readings.futures["t1"].set_result(READING)
        assert await anext(watch) == ("t1", READING)
        watch.ask("t1", after=2.0)
        assert [after for _, after, _ in readings.asked] == [5.0, 2.0]


async def test_it_ends_when_nothing_is_asked_for_any_more(readings):
    async with Watch(readings) as watch:
        assert [found async for found in watch] == []
        watch.ask("t1")
        waiting = asyncio.ensure_future(anext(watch))
        await settle()
        assert not waiting.done()
        readings.futures["t1"].set_result(READING)
        assert await waiting == ("t1", READING)
        with pytest.raises(StopAsyncIteration):
            await anext(watch)


async def test_leaving_cancels_what_was_asked_and_nothing_arrives_later(readings):
    async with Watch(readings) as watch:
        watch.ask("t1")
        watch.ask("t2")
        readings.futures["t2"].set_result(READING)
    await settle()
    assert readings.futures["t1"].cancelled()
    assert watch._arrived.empty()


@pytest.mark.parametrize("error", [ValueError("x"), asyncio.CancelledError()])
async def test_leaving_by_an_error_does_the_same_and_lets_it_pass(readings, error):
    async def leave():
        async with Watch(readings) as watch:
            watch.ask("t1")
            raise error

    with pytest.raises(type(error)):
        await leave()
    assert readings.futures["t1"].cancelled()


class TestAskingAnew:
    async def test_it_is_asked_at_once_and_told_once(self, readings):
        async with Watch(readings) as watch:
            watch.ask("t1", after=60.0)
            before = readings.futures["t1"]
            watch.ask_anew("t1")
            assert readings.asked[-1] == ("t1", 0.0, float("inf"))
            await settle()
            assert before.cancelled()
            readings.futures["t1"].set_result(READING)
            assert [found async for found in watch] == [("t1", READING)]

    async def test_what_was_read_this_very_moment_is_not_lost(self, readings):
        async with Watch(readings) as watch:
            watch.ask("t1", after=60.0)
            readings.futures["t1"].set_result(READING)
            watch.ask_anew("t1")
            assert [found async for found in watch] == [("t1", READING)]
            assert len(readings.asked) == 1

    async def test_what_nobody_asked_for_is_asked_for(self, readings):
        async with Watch(readings) as watch:
            watch.ask_anew("t1")
            readings.futures["t1"].set_result(READING)
            assert await anext(watch) == ("t1", READING)


class TestWaitingForSoLong:
    async def test_what_comes_later_is_kept(self, readings):
        clock = SteppedClock()
        async with Watch(readings) as watch:
            watch.ask("t1")
            waiting = asyncio.ensure_future(watch.next_within(5.0, clock))
            await clock.go(5.0)
            assert await waiting is None
            readings.futures["t1"].set_result(READING)
            assert await watch.next_within(None, clock) == ("t1", READING)

    async def test_what_comes_in_the_very_moment_is_told_then_or_the_next_time(self, readings):
        clock = SteppedClock()
        for _ in range(20):
            async with Watch(readings) as watch:
                watch.ask("t1")
                waiting = asyncio.ensure_future(watch.next_within(5.0, clock))
                await settle()
                when = clock.time + 5.0
                clock.call_at(when, lambda: readings.futures["t1"].set_result(READING))
                await clock.go(5.0)
                found = await waiting or await watch.next_within(None, clock)
                assert found == ("t1", READING)

    @pytest.mark.parametrize("seconds", [0.0, -3.0])
    async def test_no_time_is_enough_for_what_is_there(self, readings, seconds):
        clock = SteppedClock()
        async with Watch(readings) as watch:
            watch.ask("t1")
            readings.futures["t1"].set_result(READING)
            await settle()
            assert await watch.next_within(seconds, clock) == ("t1", READING)

    async def test_being_cancelled_loses_nothing(self, readings):
        clock = SteppedClock()
        async with Watch(readings) as watch:
            watch.ask("t1")
            waiting = asyncio.ensure_future(watch.next_within(5.0, clock))
            await settle()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            readings.futures["t1"].set_result(READING)
            assert await watch.next_within(None, clock) == ("t1", READING)


class TestWithTheHub:
    @pytest.fixture
    def clock(self):
        return SteppedClock()

    @pytest.fixture
    def hook(self, clock):
        return ScriptedHook(clock)

    async def test_one_coroutine_waits_for_many(self, hook, clock):
        seen = {}

        async def wait():
            async with poll_hub(hook, clock) as hub, hub.watch() as watch:
                for number in range(1000):
                    watch.ask(f"t{number}", after=5 + number / 200)
                async for runway_task_id, found in watch:
                    assert isinstance(found, RunwayTask)
                    seen[runway_task_id] = seen.get(runway_task_id, 0) + 1
                    if seen[runway_task_id] < 3:
                        watch.ask(runway_task_id, after=10)

        waiting = asyncio.create_task(wait())
        await clock.go(60)
        await waiting
        assert set(seen.values()) == {3}
        assert len(seen) == 1000

    async def test_leaving_withdraws_what_was_asked(self, hook, clock):
        async with poll_hub(hook, clock) as hub:
            async with hub.watch() as watch:
                watch.ask("t1", after=5)
            await clock.go(10)
            assert not hook.session.reads

    async def test_what_is_due_later_is_read_now_but_not_twice_within_five_seconds(self, hook, clock):
        async with poll_hub(hook, clock) as hub, hub.watch() as watch:
            watch.ask("t1", after=1)
            watch.ask("t2", after=60)
            await clock.go(3)
            await anext(watch)
            watch.ask("t1", after=60)
            began = clock.now()
            watch.ask_anew("t1")
            watch.ask_anew("t2")
            await clock.go(10)
            assert [at - began for at in hook.session.times("t2")] == [pytest.approx(0, abs=0.1)]
            assert hook.session.times("t1")[1] - hook.session.times("t1")[0] == pytest.approx(5, abs=0.1)

    async def test_a_read_that_is_under_way_answers_the_new_question(self, hook, clock):
        hook.session.gate = asyncio.Event()
        async with poll_hub(hook, clock) as hub, hub.watch() as watch:
            watch.ask("t1")
            await clock.go(1)
            watch.ask_anew("t1")
            hook.session.gate.set()
            waiting = asyncio.ensure_future(anext(watch))
            await clock.go(1)
            assert waiting.done()
            assert len(hook.session.reads) == 1
