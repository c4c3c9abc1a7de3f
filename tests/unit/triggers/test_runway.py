from __future__ import annotations

import asyncio
import json
import random
from types import SimpleNamespace

import pytest
from unit.clocks import HastyClock, SteppedClock, settle, until
from unit.scripted import KEY, Scripted

from airflow_runway import telemetry
from airflow_runway.core.limits import SHORTEST_ABSENCE
from airflow_runway.triggers.runway import RunwayTaskTrigger

NOW = 1_000_000.0
RUNNING = Scripted(200, {"id": "t1", "status": "RUNNING", "progress": 0.5})
DONE = Scripted(200, {"id": "t1", "status": "SUCCEEDED", "output": ["https://e/x.mp4?_jwt=secret"]})


def rebuilt(**fields):
    """A trigger as the triggerer makes it, on a clock of its own."""
    original = RunwayTaskTrigger(**{"runway_task_id": "t1", "deadline": NOW + 600, **fields})
    path, kwargs = original.serialize()
    assert path == "airflow_runway.triggers.runway.RunwayTaskTrigger"
    trigger, clock = RunwayTaskTrigger(**json.loads(json.dumps(kwargs))), HastyClock(NOW)
    trigger._clock, trigger._chance = clock, random.Random(1)
    return trigger, clock


async def fired(trigger):
    """The one event, after which the generator is exhausted."""
    (event,) = [event async for event in trigger.run()]
    return event.payload


async def test_it_fires_once_when_the_task_has_ended(connected):
    connected.answers(RUNNING, RUNNING, DONE)
    trigger, clock = rebuilt()
    assert await fired(trigger) == {
        "runway_task_id": "t1",
        "deadline": NOW + 600,
        "cancel_on_kill": False,
        "error": None,
    }
    assert len(connected.arrived) == 3
    assert all(nap >= 5 for nap in clock.naps)


@pytest.mark.parametrize("seed", range(20))
async def test_a_task_that_has_ended_already_is_seen_early_and_told_after_ten_seconds(connected, seed):
    connected.answers(DONE)
    trigger, clock = rebuilt()
    trigger._chance = random.Random(seed)
    assert (await fired(trigger))["error"] is None
    assert len(connected.arrived) == 1
    assert 5 <= clock.naps[0] <= 15
    assert clock.time - NOW >= SHORTEST_ABSENCE
    assert clock.time - NOW <= 15


async def test_the_event_carries_no_link(connected):
    connected.answers(DONE)
    trigger, _ = rebuilt()
    assert "jwt" not in json.dumps(await fired(trigger))


def test_what_is_stored_is_plain_and_holds_no_secret(set_connection):
    set_connection()
    kwargs = RunwayTaskTrigger("t1", deadline=NOW).serialize()[1]
    assert set(kwargs) == {
        "runway_task_id",
        "runway_conn_id",
        "deadline",
        "poll_interval",
        "seen",
        "cancel_on_kill",
    }
    assert KEY not in json.dumps(kwargs)


def test_the_constructor_accepts_anything():
    for nonsense in (None, "", "a/b", object()):
        RunwayTaskTrigger(nonsense, runway_conn_id=nonsense, deadline=nonsense, poll_interval=nonsense)


async def test_the_deadline_is_an_event_too(connected):
    connected.answers(RUNNING)
    trigger, clock = rebuilt(deadline=NOW + 60)
    event = await fired(trigger)
    assert event["error"]["kind"] == "task_timeout"
    assert "t1" in event["error"]["message"]
    assert 60 <= clock.time - NOW < 65  # the last look keeps five seconds to the one before


async def test_a_deadline_in_the_past_still_waits_out_the_first_pause_and_looks_once(connected):
    connected.answers(DONE)
    trigger, clock = rebuilt(deadline=NOW - 3600)
    assert (await fired(trigger))["error"] is None
    assert clock.time - NOW >= SHORTEST_ABSENCE
    assert len(connected.arrived) == 1


async def test_passing_trouble_does_not_end_the_wait(connected):
    connected.answers(
        Scripted(503, {"error": "busy"}),
        Scripted(429, {"error": "slow down"}, {"Retry-After": "45"}),
        Scripted(drop=True),
        Scripted(200, b"<html>", {"Content-Type": "text/html"}),
        Scripted(200, {"id": "t1", "status": "BOGUS"}),
        DONE,
    )
    trigger, clock = rebuilt()
    assert (await fired(trigger))["error"] is None
    assert any(nap >= 45 for nap in clock.naps)


@pytest.mark.parametrize("status", [400, 401, 404, 418, 429, 500, 503])
async def test_no_status_makes_a_hot_loop(connected, status):
    connected.answers(Scripted(status, {"error": "no"}))
    trigger, clock = rebuilt(deadline=NOW + 300)
    assert (await fired(trigger))["error"]
    assert len(connected.arrived) <= 300 / 5
    assert all(nap >= 5 for nap in clock.naps[:-1])


async def test_a_revoked_key_ends_the_wait_and_says_how_to_resume(connected):
    connected.answers(RUNNING, Scripted(401, {"error": "Unauthorized"}))
    trigger, _ = rebuilt()
    error = (await fired(trigger))["error"]
    assert error["kind"] == "read_refused"
    assert "resumes" in error["message"]


async def test_a_key_that_was_changed_in_the_connection_is_picked_up(connected, set_connection, monkeypatch):
    from airflow_runway.hooks.runway import RunwayHook

    connected.answers(RUNNING, Scripted(401, {"error": "Unauthorized"}), DONE)
    trigger, _ = rebuilt()
    looked_up = []
    real = RunwayHook.asettings

    async def counted(self):
        looked_up.append(1)
        if len(looked_up) == 2:
            set_connection(connected.url, password="key_new_0123456789", allow_insecure_http=True)
        return await real(self)

    monkeypatch.setattr(RunwayHook, "asettings", counted)
    assert (await fired(trigger))["error"] is None
    keys = [arrived.headers["authorization"] for arrived in connected.arrived]
    assert keys == [f"Bearer {KEY}", f"Bearer {KEY}", "Bearer key_new_0123456789"]
    assert len(looked_up) == 2


async def test_a_connection_that_cannot_be_looked_up_in_passing_is_a_failed_poll(connected, monkeypatch):
    from airflow_runway.hooks.runway import RunwayHook

    connected.answers(DONE)
    real, calls = RunwayHook.asettings, []

    async def flaky(self):
        calls.append(1)
        if len(calls) < 3:
            raise RuntimeError("API server is restarting")
        return await real(self)

    monkeypatch.setattr(RunwayHook, "asettings", flaky)
    trigger, _ = rebuilt()
    assert (await fired(trigger))["error"] is None
    assert len(calls) == 3


async def test_a_connection_that_is_wrong_ends_the_wait(set_connection):
    set_connection(password="")
    trigger, _ = rebuilt()
    error = (await fired(trigger))["error"]
    assert error["kind"] == "configuration"
    assert "no API key" in error["message"]


async def test_the_session_is_shared_between_triggers_and_closed_at_the_end(connected, monkeypatch):
    from airflow_runway.hooks import _transport

    opened, real = [], _transport.open_session
    monkeypatch.setattr(_transport, "open_session", lambda *args: opened.append(real(*args)) or opened[-1])
    connected.answers(*[RUNNING] * 20, DONE)
    triggers = [rebuilt()[0] for _ in range(20)]
    await asyncio.gather(*(fired(trigger) for trigger in triggers))
    assert len(opened) < len(triggers)
    assert all(session.closed for session in opened)


async def test_a_cancelled_run_closes_what_it_opened(connected, monkeypatch):
    from airflow_runway.hooks import _transport

    opened, real = [], _transport.open_session
    monkeypatch.setattr(_transport, "open_session", lambda *args: opened.append(real(*args)) or opened[-1])
    connected.answers(RUNNING)
    trigger, _ = rebuilt()
    trigger._clock = clock = SteppedClock()
    run = asyncio.create_task(fired(trigger))
    await settle()
    await clock.go(15)
    await until(lambda: connected.arrived)
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert len(opened) == 1
    assert opened[0].closed


async def test_its_reads_are_counted_for_the_task_that_is_deferred(connected, monkeypatch):
    told = []
    monkeypatch.setattr(
        telemetry, "_emit", lambda places, how, name, value, tags: told.append((places, name, value, tags))
    )
    connected.answers(RUNNING, DONE)
    trigger, _ = rebuilt()
    tags = {"dag_id": "campaign", "task_id": "wait", "team_name": "film"}
    trigger.task_instance = SimpleNamespace(
        dag_id="campaign", run_id="manual__1", task_id="wait", map_index=2, stats_tags=tags
    )
    await fired(trigger)
    polls = [(places, value, tags) for places, name, value, tags in told if name == "runway.polls"]
    assert {places for places, *_ in polls} == {telemetry.IN_TRIGGERER}
    assert [(value, found) for _, value, found in polls] == [
        (1, {**tags, "result": "RUNNING"}),
        (1, {**tags, "result": "SUCCEEDED"}),
    ]
