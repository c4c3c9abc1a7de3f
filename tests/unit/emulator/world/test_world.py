from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.emulator.world.job import Job
from airflow_runway.emulator.world.lifecycle import Lifecycle, ordinary_lifecycle
from airflow_runway.emulator.world.world import World
from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from airflow_runway.emulator.world.task import WorldTask

    from ..conftest import FakeClock

JOB = Job("video", (128, 96), 2.0, "x")


def accepted(world: World, lifecycle: Lifecycle | None = None, price: float = 25) -> WorldTask:
    return world.accept(
        gateway="runway",
        route="image_to_video",
        model="m",
        price=price,
        jobs=(JOB,),
        lifecycle=lifecycle or ordinary_lifecycle(30),
    )


def test_a_task_waits_runs_and_succeeds(clock: FakeClock) -> None:
    world = World(clock)
    task = accepted(world)
    seen = []
    for _ in range(32):
        shot = world.observe(task)
        seen.append((shot.status, shot.progress))
        clock.pass_seconds(1)
    words = [word for word, _ in seen]
    assert words == sorted(words, key=[TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.SUCCEEDED].index)
    assert words.count(TaskStatus.PENDING) == 4
    running = [progress for word, progress in seen if word is TaskStatus.RUNNING]
    assert running == sorted(set(running))
    assert 0 <= running[0] < running[-1] < 1


def test_speed_scales_the_world_and_not_the_wall_clock(clock: FakeClock) -> None:
    world = World(clock, speed=20)
    clock.pass_seconds(10)
    task = accepted(world)
    clock.pass_seconds(1.51)
    shot = world.observe(task)
    assert shot.status is TaskStatus.SUCCEEDED
    assert shot.finished_at - task.created_at == pytest.approx(1.5)


@pytest.mark.parametrize(("wait", "refunded"), [(1, 25), (10, 0)])
def test_cancelling_refunds_only_before_the_start(clock: FakeClock, wait: float, refunded: float) -> None:
    world = World(clock)
    task = accepted(world)
    clock.pass_seconds(wait)
    world.remove(task)
    clock.pass_seconds(100)
    shot = world.observe(task)
    assert shot.status is TaskStatus.CANCELLED
    assert shot.refunded == refunded
    assert world.balance(100) == 75 + refunded


def test_deleting_a_finished_task_refunds_nothing(clock: FakeClock) -> None:
    world = World(clock)
    task = accepted(world)
    clock.pass_seconds(31)
    world.remove(task)
    shot = world.observe(task)
    assert (shot.status, shot.removed, shot.refunded) == (TaskStatus.SUCCEEDED, True, 0)


def test_a_failed_task_gives_the_rest_back_when_it_fails(clock: FakeClock) -> None:
    world = World(clock)
    task = accepted(world, replace(ordinary_lifecycle(30), ending=TaskStatus.FAILED, cost=5))
    assert world.observe(task).refunded == 0
    clock.pass_seconds(30)
    assert world.observe(task).refunded == 20


def test_money_is_counted_with_refunds(clock: FakeClock) -> None:
    world = World(clock)
    task = accepted(world, price=90)
    assert not world.can_pay(20, 100)
    world.remove(task)
    assert world.can_pay(100, 100)
    assert not world.can_pay(101, 100)


def test_a_throttled_task_starts_later(clock: FakeClock) -> None:
    world = World(clock)
    task = accepted(world, replace(ordinary_lifecycle(10), throttled=50))
    assert world.observe(task).status is TaskStatus.THROTTLED
    clock.pass_seconds(50.5)
    assert world.observe(task).status is TaskStatus.PENDING
    clock.pass_seconds(10)
    assert world.observe(task).status is TaskStatus.SUCCEEDED


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.just("accept"), st.sampled_from(["ok", "fails", "throttled", "never"]), st.integers(0, 30)
        ),
        st.tuples(st.just("pass"), st.just(""), st.integers(0, 40)),
        st.tuples(st.just("remove"), st.just(""), st.integers(0, 20)),
        st.tuples(st.just("limit"), st.just(""), st.sampled_from([0, 1, 2])),
        st.tuples(st.just("look"), st.just(""), st.just(0)),
    ),
    max_size=40,
)


@given(steps=STEPS)
def test_the_balance_is_what_adding_up_every_task_gives(steps: list[tuple[str, str, int]]) -> None:
    now = [1000.0]
    world = World(lambda: now[0])
    ordinary = ordinary_lifecycle(10)
    lifecycles = {
        "ok": ordinary,
        "fails": replace(ordinary, ending=TaskStatus.FAILED, cost=3),
        "throttled": replace(ordinary, throttled=15),
        "never": replace(ordinary, throttled=math.inf),
    }
    for what, which, number in steps:
        if what == "accept":
            accepted(world, lifecycles[which], price=number)
        elif what == "pass":
            now[0] += number
        elif what == "remove":
            left = [task for task in world.tasks() if task.removed is None]
            if left:
                world.remove(left[number % len(left)])
        elif what == "limit":
            world.limit(number or None)
        if what == "look" or number % 2:
            added_up = sum(task.credits - world.observe(task).refunded for task in world.tasks())
            assert world.balance(1000) == pytest.approx(1000 - added_up)


def test_a_balance_looks_at_each_task_once(clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(clock)
    for _ in range(500):
        accepted(world, price=1)
    clock.pass_seconds(100)
    looked: list[WorldTask] = []
    observe = world.observe
    monkeypatch.setattr(world, "observe", lambda task: looked.append(task) or observe(task))
    for _ in range(500):
        world.can_pay(1, 0)
    assert len(looked) == 500
