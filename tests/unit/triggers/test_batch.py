"""The trigger of a batch, on a clock that jumps."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import defaultdict

import pytest
from unit.clocks import SteppedClock

from airflow_runway.core.protocol.calls import NoAnswerError
from airflow_runway.core.protocol.responses import Response
from airflow_runway.core.protocol.verdicts import Delivery
from airflow_runway.hooks import _transport
from airflow_runway.hooks.runway import RunwayHook
from airflow_runway.triggers import _task_instance
from airflow_runway.triggers.batch import RunwayBatchTrigger

#: What a stepped clock shows at first.
NOW = 1_001_000.0


class Gateway:
    """Generations that end at a time of the clock."""

    def __init__(self, clock):
        self.clock, self.ends, self.status, self.deleted, self.silent = clock, {}, {}, [], False
        #: When each was read, and from when on no read is answered.
        self.reads, self.hangs_from = defaultdict(list), float("inf")

    async def asend(self, session, settings, call):
        if self.silent:
            raise NoAnswerError(Delivery.UNKNOWN, "reset")
        runway_task_id = call.path.rpartition("/")[2]
        self.reads[runway_task_id].append(self.clock.wall())
        if self.clock.wall() >= self.hangs_from:
            await asyncio.Event().wait()
        if call.method == "DELETE":
            self.deleted.append(runway_task_id)
            return Response(204, {}, b"")
        if runway_task_id not in self.ends:
            return Response(404, {}, b'{"error": "no"}')
        value = {"id": runway_task_id, "status": "RUNNING"}
        if self.clock.wall() >= self.ends[runway_task_id]:
            value |= {"status": self.status.get(runway_task_id, "SUCCEEDED"), "output": ["https://e/x.mp4"]}
        return Response(200, {}, json.dumps(value).encode())


@pytest.fixture
def gateway(monkeypatch, set_connection):
    set_connection()
    gateway = Gateway(SteppedClock())
    monkeypatch.setattr(_transport, "asend", gateway.asend)
    return gateway


def trigger(gateway, ids, **fields):
    path, arguments = RunwayBatchTrigger(
        **{"runway_task_ids": ids, "deadline": NOW + 3600, "poll_interval": 10, **fields}
    ).serialize()
    assert path.endswith("RunwayBatchTrigger")
    built = RunwayBatchTrigger(**json.loads(json.dumps(arguments)))
    built._clock = gateway.clock
    watch = built._watch

    async def noting_when_it_ends(*args):
        # What comes then takes threads, and so time that no clock of ours can tell.
        await watch(*args)
        gateway.fired_at = gateway.clock.wall()

    built._watch = noting_when_it_ends
    return built


async def event_of(trigger):
    # Opened beforehand: looking a connection up takes a thread, and so time that no clock of ours can tell.
    async with RunwayHook().kept_open() as session:
        await session.settings()
        running = asyncio.ensure_future(anext(aiter(trigger.run())))
        while not running.done():
            await trigger._clock.go(0.5)
    event = running.result()
    assert json.loads(json.dumps(event.payload)) == event.payload
    return event.payload


async def test_it_waits_for_all(gateway):
    gateway.ends = {"t1": NOW + 20, "t2": NOW + 100, "t3": NOW + 50}
    gateway.status = {"t3": "FAILED"}
    event = await event_of(trigger(gateway, ["t1", "t2", "t3"]))
    assert event == {"ended": {"t1": None, "t2": None, "t3": None}, "pauses": 0}
    assert gateway.clock.wall() >= NOW + 100


async def test_enough_is_enough(gateway):
    gateway.ends = {"t1": NOW + 20, "t2": NOW + 30, "t3": NOW + 3000}
    assert set((await event_of(trigger(gateway, ["t1", "t2", "t3"], enough=2)))["ended"]) == {"t1", "t2"}


async def test_before_it_fires_it_looks_at_all_the_others(gateway):
    ids = [f"t{number}" for number in range(20)]
    gateway.ends = dict.fromkeys(ids, NOW + 25)
    event = await event_of(trigger(gateway, ids, enough=1))
    # One that was looked at less than five seconds before is left for the next time.
    just_looked_at = {one for one in ids if NOW + 25 - 5 < gateway.reads[one][-1] < NOW + 25}
    assert set(event["ended"]) == set(ids) - just_looked_at
    assert len(event["ended"]) >= 5
    assert gateway.fired_at < NOW + 45


async def test_none_is_read_more_often_than_a_gateway_likes(gateway):
    ids = [f"t{number}" for number in range(50)]
    gateway.ends = {one: NOW + 60 + 7 * number for number, one in enumerate(ids)}
    await event_of(trigger(gateway, ids, enough=10))
    gaps = [later - sooner for times in gateway.reads.values() for sooner, later in itertools.pairwise(times)]
    assert min(gaps) >= 5.0


async def test_what_ended_while_a_worker_was_busy_is_not_waited_for(gateway):
    gateway.ends = {"t1": NOW - 60, "t2": NOW + 3000}
    event = await event_of(trigger(gateway, ["t1", "t2"], enough=1))
    assert set(event["ended"]) == {"t1"}
    assert gateway.reads["t1"][0] <= NOW + 11
    assert gateway.fired_at < NOW + 13


async def test_the_last_looks_do_not_hold_it_up(gateway):
    ids = [f"t{number}" for number in range(20)]
    gateway.ends, gateway.hangs_from = {"t0": NOW} | dict.fromkeys(ids[1:], NOW + 3000), NOW + 12
    event = await event_of(trigger(gateway, ids, resume_at=NOW + 60))
    assert set(event["ended"]) == {"t0"}
    assert gateway.fired_at <= NOW + 66


async def test_a_cancelled_wait_leaves_nothing_behind(gateway):
    ids = [f"t{number}" for number in range(20)]
    gateway.ends, gateway.hangs_from = {"t0": NOW} | dict.fromkeys(ids[1:], NOW + 3000), NOW + 12
    built = trigger(gateway, ids, enough=1)
    async with RunwayHook().kept_open() as session:
        await session.settings()
        running = asyncio.ensure_future(anext(aiter(built.run())))
        while gateway.clock.wall() < NOW + 13 and not running.done():
            await gateway.clock.go(0.5)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    if left:
        _, left = await asyncio.wait(left, timeout=20)
    assert not left


async def test_one_end_does_not_wait_for_ever(gateway):
    gateway.ends = {"t1": NOW + 20, "t2": NOW + 3000}
    event = await event_of(trigger(gateway, ["t1", "t2"], enough=2, linger=300))
    assert set(event["ended"]) == {"t1"}
    assert gateway.clock.wall() < NOW + 1000


async def test_a_time_to_go_on(gateway):
    gateway.ends = {"t1": NOW + 3000}
    event = await event_of(trigger(gateway, ["t1"], resume_at=NOW + 60, pauses=2))
    assert event == {"ended": {}, "pauses": 2}


async def test_a_time_to_go_on_with_nothing_to_wait_for(gateway):
    await event_of(trigger(gateway, [], resume_at=NOW + 60))
    assert NOW + 60 <= gateway.clock.wall() < NOW + 62


async def test_the_first_event_comes_no_sooner_than_airflow_bears_it(gateway):
    gateway.ends = {"t1": NOW}
    await event_of(trigger(gateway, ["t1"]))
    assert gateway.clock.wall() >= NOW + 10


async def test_the_deadline_is_told_for_each(gateway):
    gateway.ends = {"t1": NOW + 20, "t2": NOW + 9000}
    event = await event_of(trigger(gateway, ["t1", "t2"], deadline=NOW + 100))
    assert event["ended"]["t1"] is None
    assert event["ended"]["t2"]["kind"] == "task_timeout"


async def test_what_vanishes_is_told(gateway):
    event = await event_of(trigger(gateway, ["t1"]))
    assert event["ended"]["t1"]["kind"] == "task_lost"


async def test_trouble_ends_nothing(gateway):
    gateway.ends, gateway.silent = {"t1": NOW + 20}, True
    built = trigger(gateway, ["t1"], deadline=NOW + 60)
    assert (await event_of(built))["ended"]["t1"]["kind"] in {"task_timeout", "read_refused"}


@pytest.mark.parametrize(("state", "deleted"), [("failed", ["t1", "t2"]), ("deferred", []), (None, [])])
async def test_a_kill_cancels_what_runs_if_airflow_says_so(gateway, monkeypatch, state, deleted):
    async def state_of(task_instance):
        return state

    monkeypatch.setattr(_task_instance, "state_of", state_of)
    gateway.ends = {"t1": NOW + 900, "t2": NOW + 900}
    await trigger(gateway, ["t1", "t2"], cancel_on_kill=True).on_kill()
    assert sorted(gateway.deleted) == deleted


async def test_what_has_ended_is_left_alone_by_a_kill(gateway, monkeypatch):
    async def state_of(task_instance):
        return "failed"

    monkeypatch.setattr(_task_instance, "state_of", state_of)
    gateway.ends = {"t1": NOW, "t2": NOW + 900}
    built = trigger(gateway, ["t1", "t2"], enough=1, cancel_on_kill=True)
    await event_of(built)
    await built.on_kill()
    assert gateway.deleted == ["t2"]
