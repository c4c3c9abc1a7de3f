"""Who opens the hub and who closes it."""

from __future__ import annotations

import asyncio

import pytest
from unit.clocks import SteppedClock
from unit.triggers.scripted_hook import ScriptedHook

from airflow_runway.hooks import _shared_session
from airflow_runway.triggers._poll_hub import poll_hub


@pytest.fixture
def clock():
    return SteppedClock()


@pytest.fixture
def hook(clock):
    return ScriptedHook(clock)


def closings():
    """What is being closed, whoever still waits for it."""
    return set(_shared_session._closings)


async def test_users_share_it_and_the_last_one_closes_it(hook, clock):
    async with poll_hub(hook, clock) as first:
        async with poll_hub(hook, clock) as second:
            assert second is first
            assert hook.open == 1
        assert hook.open == 1
    assert hook.open == 0
    async with poll_hub(hook, clock) as third:
        assert third is not first


async def test_leaving_in_the_middle_of_a_read_leaves_nothing_behind(hook, clock):
    hook.session.gate = asyncio.Event()

    async def user():
        async with poll_hub(hook, clock) as hub:
            await hub.look("t1")

    only = asyncio.create_task(user())
    await clock.go(1)
    assert hook.session.under_way == 1
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    assert hook.session.under_way == 0
    assert hook.open == 0


async def test_it_is_closed_even_if_closing_is_cancelled_again_and_again(hook, clock):
    hook.session.gate = asyncio.Event()

    async def user():
        async with poll_hub(hook, clock) as hub:
            await hub.look("t1")

    only = asyncio.create_task(user())
    await clock.go(1)
    for _ in range(5):
        only.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await only
    while closings():
        await asyncio.gather(*closings(), return_exceptions=True)
    assert hook.open == 0


def test_each_event_loop_has_its_own(clock, hook):
    async def user():
        async with poll_hub(hook, clock) as hub:
            return hub

    assert asyncio.run(user()) is not asyncio.run(user())
    assert hook.open == 0
