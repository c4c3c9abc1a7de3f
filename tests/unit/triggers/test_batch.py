"""The trigger of a batch, on a clock that jumps."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from pathlib import Path

import pytest
from unit.clocks import SteppedClock

from airflow_runway.core.protocol.calls import NoAnswerError
from airflow_runway.core.protocol.responses import Response
from airflow_runway.core.protocol.verdicts import Delivery
from airflow_runway.hooks import _transport
from airflow_runway.hooks.runway import RunwayHook
from airflow_runway.triggers import _task_instance
from airflow_runway.triggers._poll_hub import PollHub
from airflow_runway.triggers.batch import LAST_ROUND, RunwayBatchTrigger

FIXTURES = Path(__file__).parents[2] / "fixtures" / "0.1.0"
#: What a stepped clock shows at first.
NOW = 1_001_000.0


class Gateway:
    """Generations that end at a time of the clock."""

    def __init__(self, clock):
        self.clock, self.ends, self.status, self.deleted, self.silent = clock, {}, {}, [], False
        #: When which was read; ids whose reads are never answered; how many reads are answered before a 429.
        self.reads, self.hanging, self.bears = [], set(), None

    async def asend(self, session, settings, call):
        if self.silent:
            raise NoAnswerError(Delivery.UNKNOWN, "reset")
        runway_task_id = call.path.rpartition("/")[2]
        self.reads.append((self.clock.wall(), runway_task_id))
        if runway_task_id in self.hanging:
            await asyncio.get_running_loop().create_future()
        if self.bears is not None and len(self.reads) > self.bears:
            return Response(429, {"Retry-After": "30"}, b"{}")
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
    monkeypatch.setattr(PollHub, "_note", _noted)
    return gateway


def _noted(hub, waiting):
    """Statistics without a thread, in whose time a clock of ours would run away."""
    done = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


def trigger(gateway, ids, **fields):
    path, arguments = RunwayBatchTrigger(
        **{"runway_task_ids": ids, "deadline": NOW + 3600, "poll_interval": 10, **fields}
    ).serialize()
    assert path.endswith("RunwayBatchTrigger")
    built = RunwayBatchTrigger(**json.loads(json.dumps(arguments)))
    built._clock = gateway.clock
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


def times_of(gateway, runway_task_id):
    return [at for at, read in gateway.reads if read == runway_task_id]


class TestWhenAWorkerComesAnyway:
    """It looks at all the others at once, and tells whatever has ended."""

    async def test_what_has_ended_too_is_told_with_it(self, gateway):
        ids = [f"t{number}" for number in range(1, 21)]
        gateway.ends = dict.fromkeys(ids, NOW + 9) | {"t20": NOW + 3000}
        event = await event_of(trigger(gateway, ids, enough=1, poll_interval=60))
        assert set(event["ended"]) == set(ids) - {"t20"}
        # One of them was looked at in its turn, the others for its sake.
        assert len(gateway.reads) < 2 * len(ids)
        assert gateway.clock.wall() <= max(at for at, _ in gateway.reads) + 3

    async def test_what_was_looked_at_a_moment_ago_is_not_looked_at_again(self, gateway):
        ids = [f"t{number}" for number in range(200)]
        gateway.ends = dict.fromkeys(ids, NOW + 3000) | {"t0": NOW + 13}
        for _ in range(5):
            gateway.reads.clear()
            event = await event_of(trigger(gateway, ids, enough=1))
            assert set(event["ended"]) == {"t0"}
            for one in ids:
                times = times_of(gateway, one)
                assert all(later - at >= 5 for at, later in itertools.pairwise(times))
            # Nor is it waited for until it may be.
            seen_at = times_of(gateway, "t0")[-1]
            assert gateway.clock.wall() <= seen_at + 3

    async def test_a_look_that_hangs_holds_it_up_for_a_few_seconds_only(self, gateway):
        ids = ["t1", "t2", "t3"]
        gateway.ends, gateway.hanging = {"t1": NOW, "t3": NOW}, {"t2"}
        event = await event_of(trigger(gateway, ids, enough=1))
        assert set(event["ended"]) == {"t1", "t3"}
        assert gateway.clock.wall() <= NOW + 15 + LAST_ROUND + 3

    async def test_a_gateway_at_its_limit_is_not_stormed(self, gateway):
        ids = [f"t{number}" for number in range(1000)]
        gateway.ends, gateway.bears = dict.fromkeys(ids, NOW), 1
        event = await event_of(trigger(gateway, ids, enough=1))
        assert len(event["ended"]) == 1
        assert len(gateway.reads) < 50
        assert gateway.clock.wall() <= NOW + 15 + LAST_ROUND + 3

    async def test_a_thousand_are_read_at_the_pace_of_the_hub(self, gateway):
        ids = [f"t{number}" for number in range(1000)]
        gateway.ends = dict.fromkeys(ids, NOW)
        event = await event_of(trigger(gateway, ids, enough=1, poll_interval=600))
        assert set(event["ended"]) == set(ids)
        times = sorted(at for at, _ in gateway.reads)
        assert len(times) == 1000
        in_half_a_second = [sum(at <= one < at + 0.5 for one in times) for at in times]
        assert max(in_half_a_second) <= 0.5 * 500 + 20

    async def test_a_time_to_go_on_tells_what_has_ended_too(self, gateway):
        gateway.ends = {"t1": NOW + 55, "t2": NOW + 3000}
        event = await event_of(trigger(gateway, ["t1", "t2"], resume_at=NOW + 60, poll_interval=600))
        assert set(event["ended"]) == {"t1"}

    async def test_a_time_that_comes_too_early_for_an_event_is_made_use_of(self, gateway):
        gateway.ends = {"t1": NOW + 8, "t2": NOW + 3000}
        event = await event_of(trigger(gateway, ["t1", "t2"], resume_at=NOW + 1, poll_interval=600))
        assert set(event["ended"]) == {"t1"}
        assert gateway.clock.wall() <= NOW + 13

    async def test_trouble_in_the_last_look_ends_nothing(self, gateway):
        gateway.ends, gateway.bears = {"t1": NOW + 20, "t2": NOW + 20}, 1
        event = await event_of(trigger(gateway, ["t1", "t2"], resume_at=NOW + 15, poll_interval=600))
        assert set(event["ended"]) <= {"t1", "t2"}
        assert all(error is None for error in event["ended"].values())


@pytest.mark.parametrize("seed", range(60))
async def test_whatever_has_ended_a_moment_before_is_told(gateway, seed):
    chance = random.Random(seed)
    ids = [f"t{number}" for number in range(chance.randint(1, 40))]
    gateway.ends = {one: NOW + chance.uniform(-20, 90) for one in ids}
    gateway.status = {one: "FAILED" for one in ids if chance.random() < 0.2}
    built = trigger(
        gateway,
        ids,
        enough=chance.choice([0, 1, 2, len(ids) // 4, len(ids)]),
        linger=chance.choice([0, 5, 300]),
        linger_share=chance.choice([0, 0.25]),
        resume_at=chance.choice([None, NOW + 3, NOW + 40]),
        poll_interval=chance.choice([5, 10, 60]),
        sent_at=[NOW - chance.uniform(0, 100) for _ in ids],
    )
    event, now = await event_of(built), gateway.clock.wall()
    assert now >= NOW + 10
    assert {one for one, end in gateway.ends.items() if end <= now - 9} <= set(event["ended"])
    assert set(event["ended"]) <= {one for one, end in gateway.ends.items() if end <= now}
    assert set(event["ended"].values()) <= {None}


class TestAfterADeferral:
    """What has run for a while is not waited for as if it were new."""

    async def test_it_is_looked_at_as_soon_as_that_is_of_use(self, gateway):
        ids = [f"t{number}" for number in range(100)]
        gateway.ends = dict.fromkeys(ids, NOW - 100)
        built = trigger(gateway, ids, enough=1, poll_interval=300, sent_at=[NOW - 400] * 100)
        assert set((await event_of(built))["ended"]) == set(ids)
        assert NOW + 10 <= gateway.clock.wall() < NOW + 14

    async def test_what_is_new_is_spread_over_its_interval(self, gateway):
        ids = [f"t{number}" for number in range(100)]
        gateway.ends = dict.fromkeys(ids, NOW + 3000)
        built = trigger(gateway, ids, resume_at=NOW + 250, poll_interval=300, sent_at=[NOW] * 100)
        await event_of(built)
        assert min(at for at, _ in gateway.reads) >= NOW + 10
        early = sum(at < NOW + 130 for at, _ in gateway.reads)
        assert 20 < early < 60

    async def test_many_that_have_run_for_long_are_spread_too(self, gateway):
        ids = [f"t{number}" for number in range(1000)]
        gateway.ends = dict.fromkeys(ids, NOW + 3000)
        await event_of(trigger(gateway, ids, resume_at=NOW + 14.9, sent_at=[NOW - 900] * 1000))
        firsts = [times_of(gateway, one)[0] - NOW for one in ids]
        assert min(firsts) >= 10
        for second in range(10, 14):
            assert 100 < sum(second <= at < second + 1 for at in firsts) < 320

    @pytest.mark.parametrize("sent_at", [[], [0.0, 0.0], [NOW - 100], [NOW + 9000, NOW + 9000]])
    async def test_without_times_that_make_sense_it_waits_all_the_same(self, gateway, sent_at):
        gateway.ends = {"t1": NOW + 20, "t2": NOW + 30}
        event = await event_of(trigger(gateway, ["t1", "t2"], sent_at=sent_at, enough=2, linger=300))
        assert set(event["ended"]) == {"t1", "t2"}


class TestLingering:
    async def test_the_first_end_waits_for_a_share_of_what_it_took(self, gateway):
        gateway.ends = {"t1": NOW + 20, "t2": NOW + 3000}
        fields = {"enough": 2, "linger": 300, "linger_share": 0.25, "sent_at": [NOW - 60] * 2}
        assert set((await event_of(trigger(gateway, ["t1", "t2"], **fields)))["ended"]) == {"t1"}
        # It took 80 s, and some more until that was seen.
        assert NOW + 40 <= gateway.clock.wall() <= NOW + 32 + 32 / 4 * 3 + LAST_ROUND + 3

    async def test_the_longest_bounds_it(self, gateway):
        gateway.ends = {"t1": NOW + 20, "t2": NOW + 3000}
        fields = {"enough": 2, "linger": 30, "linger_share": 0.25, "sent_at": [NOW - 9000] * 2}
        await event_of(trigger(gateway, ["t1", "t2"], **fields))
        assert gateway.clock.wall() <= NOW + 32 + 30 + LAST_ROUND + 3

    async def test_a_trigger_of_0_1_0_lingers_as_it_did(self, gateway):
        gateway.ends = {"t1": NOW + 20, "t2": NOW + 3000}
        await event_of(trigger(gateway, ["t1", "t2"], enough=2, linger=300))
        assert NOW + 320 <= gateway.clock.wall() <= NOW + 340

    async def test_others_that_end_meanwhile_are_enough(self, gateway):
        gateway.ends = {"t1": NOW + 20, "t2": NOW + 40, "t3": NOW + 3000}
        fields = {"enough": 2, "linger": 300, "linger_share": 0.25, "sent_at": [NOW - 600] * 3}
        event = await event_of(trigger(gateway, ["t1", "t2", "t3"], **fields))
        assert set(event["ended"]) == {"t1", "t2"}
        assert gateway.clock.wall() < NOW + 60


@pytest.mark.parametrize("seconds", [0.0, 0.5, 5.0, 9.5, 10.0, 10.5, 11.0, 12.0, 13.5, 15.0, 16.0, 18.0])
async def test_a_triggerer_that_restarts_at_any_time_loses_nothing(gateway, seconds):
    ids = ["t1", "t2", "t3"]
    gateway.ends, gateway.hanging = {"t1": NOW + 3, "t2": NOW + 5}, {"t3"}
    fields = {"enough": 1, "linger": 300, "linger_share": 0.25, "sent_at": [NOW - 30] * 3}
    built = trigger(gateway, ids, **fields)
    async with RunwayHook().kept_open() as session:
        await session.settings()
        running = asyncio.ensure_future(anext(aiter(built.run())))
        await gateway.clock.go(seconds)
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    _, arguments = built.serialize()
    again = RunwayBatchTrigger(**json.loads(json.dumps(arguments)))
    again._clock = gateway.clock
    assert set((await event_of(again))["ended"]) == {"t1", "t2"}
    assert gateway.clock.timers <= 2


async def test_what_0_1_0_stored_waits_on(gateway):
    stored = json.loads((FIXTURES / "batch_deferred.json").read_text())["trigger"]["kwargs"]
    gateway.ends = {"t1": NOW + 20, "t2": NOW + 3000}
    built = RunwayBatchTrigger(**stored)
    built._clock = gateway.clock
    assert await event_of(built) == {"ended": {"t1": None}, "pauses": 0}


async def test_in_the_database_there_are_ids_times_and_numbers(gateway):
    _, arguments = trigger(gateway, ["t1"], sent_at=[NOW - 1.5], linger_share=0.25).serialize()
    assert arguments["sent_at"] == [NOW - 1.5]
    assert set(arguments) == {
        "runway_task_ids", "runway_conn_id", "deadline", "poll_interval", "resume_at", "enough", "linger",
        "pauses", "cancel_on_kill", "sent_at", "linger_share",
    }  # fmt: skip
