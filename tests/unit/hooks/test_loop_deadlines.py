from __future__ import annotations

import asyncio

import pytest

from airflow_runway.hooks import _loop_deadlines
from airflow_runway.hooks._loop_deadlines import LoopDeadlines, loop_deadlines


@pytest.fixture(autouse=True)
def often(monkeypatch):
    monkeypatch.setattr(_loop_deadlines, "_LOOKS_APART", 0.02)


async def read(deadlines, seconds, work):
    """A read as the transport makes it: what came of it."""
    one = deadlines.begin(seconds)
    try:
        return await work
    except asyncio.CancelledError:
        if not one.was_ended():
            raise
        return "late"
    finally:
        deadlines.end(one)


async def test_what_is_late_ends_and_nothing_else():
    deadlines = LoopDeadlines()
    quick = read(deadlines, 60, asyncio.sleep(0, "done"))
    slow = [read(deadlines, 0.01 * number, asyncio.Event().wait()) for number in range(1, 20)]
    assert await asyncio.gather(quick, *slow) == ["done", *["late"] * 19]
    assert deadlines._reads == set()


async def test_who_was_late_goes_on_afterwards():
    deadlines = LoopDeadlines()
    assert await read(deadlines, 0.01, asyncio.Event().wait()) == "late"
    task = asyncio.current_task()
    assert task.cancelling() == 0
    assert await read(deadlines, 60, asyncio.sleep(0, "done")) == "done"


async def test_a_cancellation_from_outside_is_one():
    deadlines = LoopDeadlines()
    task = asyncio.create_task(read(deadlines, 60, asyncio.Event().wait()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert deadlines._reads == set()


async def test_one_from_outside_that_comes_with_the_deadline_is_one_too():
    deadlines = LoopDeadlines()
    task = asyncio.create_task(read(deadlines, 0.0, asyncio.Event().wait()))
    await asyncio.sleep(0)
    deadlines._look()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_one_timer_for_all_and_none_when_nobody_reads():
    deadlines = LoopDeadlines()
    reads = [deadlines.begin(0.5) for _ in range(1_000)]
    timer = deadlines._timer
    assert timer is not None
    assert all(one is not None for one in reads)
    for one in reads:
        deadlines.end(one)
    deadlines._look()
    assert deadlines._timer is None


def test_each_loop_has_its_own():
    async def own():
        assert loop_deadlines() is loop_deadlines()
        return loop_deadlines()

    assert asyncio.run(own()) is not asyncio.run(own())
