from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

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
