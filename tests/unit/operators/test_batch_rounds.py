"""A worker of a batch that finds work while it submits, and a gateway whose creates take their time."""

from __future__ import annotations

import pytest
from unit.operators.batch_tries import prompts

from airflow_runway.core.journal.item import State
from airflow_runway.core.limits import SHORTEST_INTERVAL
from airflow_runway.exceptions import RunwayStoppedError
from airflow_runway.hooks import _transport
from airflow_runway.operators._batch.phase import BatchPhase
from airflow_runway.operators._batch.report import BatchReport
from airflow_runway.operators._batch.steps import LONGEST_PHASE, LOOKED_AT_TOGETHER, BatchSteps


@pytest.fixture
def timed(batch, monkeypatch):
    """A batch whose creates take a second each, and whose generations end after ``generation`` seconds."""

    def begin(generation, create=1.0, **fields):
        one = batch(**fields)
        one.created, one.reads = {}, []

        def send(session, settings, call):
            with one.gateway.lock:
                return answer(session, settings, call)

        def answer(session, settings, call):
            for runway_task_id, at in one.created.items():
                if one.now >= at + generation:
                    one.gateway.finish([runway_task_id])
            if call.method == "GET" and "/tasks/" in call.path:
                one.reads.append((one.now, call.path.rpartition("/")[2]))
            before = set(one.gateway.tasks)
            try:
                return one.gateway.send(session, settings, call)
            finally:
                for runway_task_id in set(one.gateway.tasks) - before:
                    one.created[runway_task_id] = one.now
                    one.now += create

        monkeypatch.setattr(_transport, "send", send)
        return one

    return begin


def many(count):
    return prompts(*(f"clip {number}" for number in range(count)))


def in_flight(one, generation):
    """The most that ran at the same time."""
    moments = sorted(one.created.values())
    return max(sum(at <= moment < at + generation for at in moments) for moment in moments)


def test_what_ends_while_it_submits_makes_room_at_once(timed):
    one = timed(8.0, requests=many(60), max_in_flight=10)
    trigger = one.begin()
    # Ten creates take longer than a generation: there is always room, and no worker needs to start.
    assert one.gateway.charges == 60
    assert len(trigger.runway_task_ids) <= 10
    assert in_flight(one, 8.0) <= 10


def test_it_leaves_when_nothing_has_ended(timed):
    one = timed(60.0, requests=many(12), max_in_flight=10)
    trigger = one.begin()
    assert (one.gateway.charges, len(trigger.runway_task_ids)) == (10, 10)
    # Those that had run for five seconds were looked at once, the others not at all.
    assert [read for _, read in one.reads] == ["t1", "t2", "t3", "t4", "t5", "t6"]


@pytest.mark.parametrize(
    ("generation", "most"), [(30.0, 40), (20.0, 25), (8.0, 10), (11.0, 10), (10.0, 5), (3.0, 5)]
)
def test_it_never_reads_one_twice_within_five_seconds(timed, generation, most):
    one = timed(generation, requests=many(120), max_in_flight=most)
    trigger = one.begin()
    one.now += 12.0
    ended = [read for read in trigger.runway_task_ids if one.now >= one.created[read] + generation]
    began, settled = one.now, len(one.reads)
    one.go_on(trigger, ended)
    last = {}
    for at, read in one.reads:
        assert at - last.get(read, one.created[read]) >= 5
        last[read] = at
    # What the trigger looked at just before, and did not see to have ended, is left alone as long.
    assert all(at >= began + 5 for at, read in one.reads[settled:] if read not in ended)


def test_what_the_trigger_looked_at_just_before_is_left_alone_as_long(timed):
    one = timed(60.0, requests=many(60), max_in_flight=10)
    trigger = one.begin()
    one.now += 60.0  # all have ended, but the trigger was in time for one
    began, settled = one.now, len(one.reads)
    one.go_on(trigger, ["t1"])
    assert one.reads[settled] == (began, "t1")
    assert one.reads[settled + 1][0] >= began + 5
    assert one.gateway.charges >= 20


def test_of_many_that_run_few_are_read_in_vain(timed):
    one = timed(10_000.0, requests=many(120), max_in_flight=100)
    one.begin()
    assert len(one.reads) == LOOKED_AT_TOGETHER


def test_without_max_in_flight_nothing_is_read(timed):
    one = timed(5.0, requests=many(30))
    one.begin()
    assert one.reads == []


def test_a_gateway_that_takes_no_more_is_not_read_for_room(timed):
    one = timed(3.0, requests=many(30), max_in_flight=10)
    one.gateway.taken_today = 5
    trigger = one.begin()
    assert (one.gateway.charges, one.reads) == (5, [])
    assert trigger.resume_at is not None


def test_nor_if_it_says_so_when_all_places_are_taken(timed):
    one = timed(3.0, 3.0, requests=many(30), max_in_flight=5, submissions_at_once=4)
    one.gateway.taken_today = 4
    trigger = one.begin()
    assert (one.gateway.charges, one.reads) == (4, [])
    assert trigger.resume_at is not None


def test_what_ended_in_the_meantime_is_saved_before_it_leaves(timed, monkeypatch, tmp_path):
    one = timed(8.0, requests=many(60), max_in_flight=10, destination=f"file://{tmp_path}")
    to_be_saved = []

    def save(report):
        to_be_saved.append(sum(item.state is State.UNSAVED for item in report._phase.items()))

    monkeypatch.setattr(BatchReport, "save", save)
    trigger = one.begin()
    # Once when it begins, and once when all places are taken again: not while they are free.
    assert to_be_saved == [0, 60 - len(trigger.runway_task_ids)]


def test_trouble_with_a_read_ends_nothing_and_keeps_nobody(timed):
    one = timed(60.0, requests=many(12), max_in_flight=10)
    one.gateway.reads_fail = 1000
    trigger = one.begin()
    assert (one.gateway.charges, len(trigger.runway_task_ids)) == (10, 10)
    assert len(one.reads) <= LOOKED_AT_TOGETHER  # one try each


def test_it_gives_its_worker_back_after_a_while(timed):
    one = timed(8.0, requests=many(2000), max_in_flight=10)
    began = one.now
    one.begin()
    assert LONGEST_PHASE <= one.now - began < LONGEST_PHASE + 20
    assert one.gateway.charges < 2000


def test_who_is_told_to_stop_begins_no_further_round(timed, monkeypatch):
    one = timed(8.0, requests=many(60), max_in_flight=10)
    operator = one.operator()
    submit = BatchPhase.submit

    def stopped_meanwhile(phase, deadline):
        submit(phase, deadline)
        operator.on_kill()

    monkeypatch.setattr(BatchPhase, "submit", stopped_meanwhile)
    with pytest.raises(RunwayStoppedError, match="10 unfinished"):
        operator.execute(one.context())
    assert (one.gateway.charges, one.reads) == (10, [])


def test_who_is_told_to_stop_while_it_waits_leaves(timed, monkeypatch):
    one = timed(20.0, requests=many(60), max_in_flight=10)
    trigger = one.begin()
    one.now += 15.0
    operator = one.operator()

    monkeypatch.setattr(BatchSteps, "_pause", lambda self, seconds: operator.on_kill())
    event = {"ended": {"t1": None}, "pauses": trigger.pauses}
    with pytest.raises(RunwayStoppedError):
        operator.resume_execution("execute_complete", {"event": event}, one.context())
    assert len({read for _, read in one.reads}) < one.gateway.charges <= 30


def test_where_something_ended_the_next_end_is_waited_for_a_moment(timed):
    one = timed(10.0, requests=many(30), max_in_flight=5)
    trigger = one.begin()
    assert (one.gateway.charges, len(one.triggers)) == (5, 1)
    one.now += 12.0
    # Five creates take half of a generation: from here on there is an end every other second.
    one.go_on(trigger)
    assert (one.gateway.charges, len(one.triggers)) == (30, 2)
    assert one.now - min(one.created.values()) < 100


def test_it_waits_no_longer_than_that(timed):
    one = timed(60.0, requests=many(30), max_in_flight=5)
    trigger = one.begin()
    one.now += 60.0
    before = one.now
    one.go_on(trigger, ["t1"])
    assert one.gateway.charges <= 10
    assert one.now - before <= 5 * 1.0 + SHORTEST_INTERVAL * 2


def test_all_are_charged_once_and_no_more_run_than_may(timed):
    one = timed(20.0, requests=many(80), max_in_flight=10)
    result = one.begin()
    phases = 0
    while not isinstance(result, dict):
        one.now += 15.0
        ended = [read for read in result.runway_task_ids if one.now >= one.created[read] + 20.0]
        result = one.go_on(result, ended)
        phases += 1
    assert (result["succeeded"], one.gateway.charges) == (80, 80)
    assert in_flight(one, 20.0) <= 10
    assert phases < 20


def test_the_trigger_is_told_when_each_was_sent(timed):
    one = timed(60.0, requests=many(3), max_in_flight=2)
    began = one.now
    trigger = one.begin()
    assert trigger.sent_at == [began, began + 1.0]
    assert (trigger.enough, trigger.linger_share) == (1, 0.25)
