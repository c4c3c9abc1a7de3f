"""Triggerers killed and frozen, the scheduler and its workers killed: every generation survives, paid once."""

from __future__ import annotations

import signal
import time
from contextlib import ExitStack

import pytest
from integration.chaos.case import LOST
from integration.chaos.worker_cases import TO_ALL

from airflow_runway.demo.sessions import signal_all

# After test_faults on purpose: a triggerer's first look-up of a task's state takes seconds, here it is warm.

pytestmark = pytest.mark.release

#: Seconds: longer than the health threshold of triggerers in this suite, with time for the other to take over.
FROZEN = 14
RUNS = 2
SPARED = "goes on: the Airflow task is"


@pytest.fixture
def waiting(request, new_stage):
    """Some runs whose triggers poll; the parameter is the length of their generations, in seconds."""
    with ExitStack() as stack:
        stages = [stack.enter_context(new_stage(f"waiting {number}")) for number in range(RUNS)]
        for stage in stages:
            stage.open_gateway(seconds=request.param)
            stage.start()
        for stage in stages:
            stage.wait_until(lambda stage=stage: reads(stage) > 0, 90, "the trigger's first look")
        yield stages


def reads(stage):
    """How often the generation was read."""
    return sum(task["reads"] for task in stage.emulator.tasks())


def came_too_late(log):
    """Whether a second triggerer has found out that a generation has ended."""
    return log.count("Trigger fired event") == 2 or "cancelling: already_finished" in log


def check_survivors(stages, fault, note):
    """Each run succeeded with the one generation that was paid for, and nobody cancelled it."""
    for stage in stages:
        stage.wait_for_end()
        ending = stage.ending()
        note(fault, 1, ending)
        assert ending.paid == 1, f"charges wanted 1, seen {ending.charges}"
        assert ending.cancels == 0, "the generation was cancelled"
        assert (ending.state, ending.clip, ending.tries) == ("success", "found", 1)
        assert ending.posts == 1


@pytest.mark.parametrize("waiting", [50], indirect=True)
def test_a_frozen_triggerer_that_wakes_up_cancels_nothing_that_another_took_over(
    chaos_airflow, waiting, note
):
    first = chaos_airflow.components["triggerer"]
    second = chaos_airflow.start_triggerer("triggerer-2")
    try:
        time.sleep(5)  # until it is ready to take over
        first.signal(signal.SIGSTOP)
        time.sleep(FROZEN)
        first.signal(signal.SIGCONT)
        check_survivors(waiting, "triggerer frozen, taken over, thawed", note)
        # Else nothing was tested: the thawed one did call ``on_kill``.
        assert any(SPARED in stage.log() for stage in waiting)
    finally:
        first.signal(signal.SIGCONT)
        second.kill()


@pytest.mark.parametrize("waiting", [20], indirect=True)
def test_a_triggerer_that_is_frozen_with_its_child_until_after_the_end_cancels_nothing(
    chaos_airflow, waiting, note
):
    """When it wakes up, another one has taken over, and the tasks are over: their clips must not be deleted."""
    first = chaos_airflow.components["triggerer"]
    second = chaos_airflow.start_triggerer("triggerer-2")
    frozen = first.family()
    assert len(frozen) > 1, "it has no child"
    try:
        time.sleep(5)  # until the other one is ready to take over
        signal_all(frozen, signal.SIGSTOP)
        for stage in waiting:
            stage.wait_for_end()
        signal_all(frozen, signal.SIGCONT)
        # Else nothing was tested: it reads once more and fires, too late, or its ``on_kill`` is called.
        for stage in waiting:
            stage.wait_until(lambda stage=stage: came_too_late(stage.log()), 40, "the thawed one's look")
        check_survivors(waiting, "triggerer and child frozen until after the end", note)
    finally:
        signal_all(frozen, signal.SIGCONT)
        second.kill()


@pytest.mark.parametrize("waiting", [20], indirect=True)
def test_a_killed_triggerer_loses_nothing(chaos_airflow, waiting, note):
    chaos_airflow.components["triggerer"].kill()
    chaos_airflow.components.wait_for_end("triggerer", 10)
    chaos_airflow.start_triggerer()
    check_survivors(waiting, "triggerer killed, restarted", note)


@pytest.mark.parametrize("waiting", [25], indirect=True)
def test_a_killed_scheduler_with_all_its_workers_loses_nothing(chaos_airflow, waiting, new_stage, note):
    with new_stage("in flight") as flying:
        flying.open_gateway(on="create", kind="hang_after_accept")
        flying.start()
        flying.wait_until(lambda: flying.emulator.ledger()["charges"], 60, "a charge")
        chaos_airflow.components["scheduler"].kill()
        chaos_airflow.components.wait_for_end("scheduler", 10)
        chaos_airflow.start_component("scheduler", "scheduler", "--skip-serve-logs")
        check_survivors(waiting, "scheduler and workers killed while deferred", note)
        flying.wait_for_end()
        ending = flying.ending()
        note("scheduler and workers killed during the POST", 1, ending)
        assert ending.paid == 1, f"charges wanted 1, seen {ending.charges}"
        assert (ending.state, ending.clip) == ("failed", "named as lost answer")
        assert LOST in ending.log


def test_a_process_group_that_is_told_to_stop_loses_nothing(chaos_airflow, new_stage, note):
    """Scheduler, executor, supervisor and task at once, as when a machine shuts down."""
    with new_stage("group") as stage:
        stage.open_gateway(seconds=40)
        stage.start(dag_id="chaos_wait_in_worker", kill_at="in the wait", weapon=TO_ALL)
        chaos_airflow.components["scheduler"].expected_to_end = True
        stage.wait_until(lambda: stage.was_killed, 60, "the signal")
        chaos_airflow.components.wait_for_end("scheduler", 60)
        chaos_airflow.start_component("scheduler", "scheduler", "--skip-serve-logs")
        stage.wait_for_end()
        ending = stage.ending()
        note(TO_ALL, 1, ending)
        assert ending.paid == 1, f"charges wanted 1, seen {ending.charges}"
        assert ending.cancels == 0, "the generation was cancelled"
        assert (ending.state, ending.clip, ending.posts) == ("success", "found", 1)
