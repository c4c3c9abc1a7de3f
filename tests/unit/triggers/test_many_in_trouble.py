"""What goes wrong for a thousand who wait at the same time is told to each of them, once."""

from __future__ import annotations

import asyncio
import json
import logging
import random

import pytest
from airflow.providers.common.compat.sdk import AirflowNotFoundException
from unit.clocks import HastyClock
from unit.scripted import Scripted

from airflow_runway.hooks.runway import RunwayHook
from airflow_runway.triggers import _poll_hub
from airflow_runway.triggers.batch import RunwayBatchTrigger
from airflow_runway.triggers.runway import RunwayTaskTrigger

NOW = 1_000_000.0
MANY = 1_000


def made(clock, number, **fields):
    trigger = RunwayTaskTrigger(**{"runway_task_id": f"t{number}", "deadline": NOW + 300, **fields})
    _, kwargs = trigger.serialize()
    trigger = RunwayTaskTrigger(**json.loads(json.dumps(kwargs)))
    trigger._clock, trigger._chance = clock, random.Random(number)
    return trigger


async def events_of(trigger):
    return [event.payload async for event in trigger.run()]


@pytest.mark.parametrize("runway_task_id", [None, "", 7, [], {"id": "t1"}, "\ud800", "a/../b", "x" * 10_000])
async def test_an_id_that_is_none_ends(connected, runway_task_id):
    connected.answers(Scripted(404, {"error": "Task not found."}))
    trigger = made(HastyClock(NOW), 0, runway_task_id=runway_task_id)
    (event,) = await asyncio.wait_for(events_of(trigger), 30)
    assert event["error"]["kind"]
    assert "Traceback" not in event["error"]["message"]


@pytest.mark.parametrize("ids", [[None], [None, "t1"], [7, "", "t1"]])
async def test_a_batch_with_such_an_id_ends(connected, ids):
    connected.answers(Scripted(200, {"id": "t1", "status": "SUCCEEDED", "output": []}))
    trigger = RunwayBatchTrigger(runway_task_ids=ids, deadline=NOW + 300)
    trigger._clock, trigger._chance = HastyClock(NOW), random.Random(1)
    (event,) = await asyncio.wait_for(events_of(trigger), 30)
    assert event["ended"]


async def test_a_connection_that_disappears_while_a_thousand_wait(connected, monkeypatch, caplog):
    """Its key is refused by then, and nobody finds it any more."""
    caplog.set_level(logging.DEBUG)
    running = [Scripted(200, {"id": "t1", "status": "RUNNING", "progress": 0.5})] * 200
    connected.answers(*running, Scripted(401, {"error": "Unauthorized"}))
    real, looked_up = RunwayHook.asettings, []

    async def once(self):
        looked_up.append(1)
        if len(looked_up) == 1:
            return await real(self)
        raise AirflowNotFoundException("The conn_id `runway_default` isn't defined")

    monkeypatch.setattr(RunwayHook, "asettings", once)
    clock = HastyClock(NOW)
    told = await asyncio.wait_for(
        asyncio.gather(*(events_of(made(clock, number)) for number in range(MANY))), 120
    )
    assert [len(events) for events in told] == [1] * MANY
    assert all(events[0]["error"] for events in told)
    assert {events[0]["runway_task_id"] for events in told} == {f"t{number}" for number in range(MANY)}
    assert len([one for one in caplog.records if one.levelno >= logging.ERROR]) <= MANY
    # What cannot be looked up is not looked up a thousand times at once.
    assert len(looked_up) < 2 * MANY


async def test_starts_and_cancels_leave_nothing_behind(connected):
    connected.answers(Scripted(200, {"id": "t1", "status": "RUNNING", "progress": 0.5}))
    before = asyncio.all_tasks()
    for _ in range(6):
        # The triggerer's own clock, so that all still wait when they are cancelled.
        runs = [
            asyncio.create_task(
                events_of(RunwayTaskTrigger(runway_task_id=f"t{number}", deadline=NOW * 10_000))
            )
            for number in range(MANY)
        ]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        for run in runs:
            run.cancel()
        ended = await asyncio.gather(*runs, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in ended)
    assert asyncio.all_tasks() == before
    assert not any(_poll_hub._hubs.values())
