"""A deferred task that is stopped: cancel only when Airflow says that it is over, and finish what was begun."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest
from unit.scripted import Scripted

from airflow_runway.core.stopping import TASK_IS_OVER
from airflow_runway.triggers import _task_instance
from airflow_runway.triggers.runway import RunwayTaskTrigger

RUNNING = Scripted(200, {"id": "t1", "status": "RUNNING"})
DONE = Scripted(200, {"id": "t1", "status": "SUCCEEDED", "output": ["https://e/x.mp4"]})


@pytest.fixture
def airflow_says(monkeypatch):
    """What Airflow answers when asked for the task's state."""

    def answer(state, *, after=None):
        async def state_of(task_instance):
            if after is not None:
                await after.wait()
            if isinstance(state, Exception):
                raise state
            return state

        monkeypatch.setattr(_task_instance, "state_of", state_of)

    return answer


def trigger(**fields):
    return RunwayTaskTrigger(**{"runway_task_id": "t1", "cancel_on_kill": True, **fields})


def methods(gateway):
    return [arrived.method for arrived in gateway.arrived]


@pytest.mark.parametrize("state", sorted(TASK_IS_OVER))
async def test_a_task_that_is_over_takes_its_generation_along(connected, airflow_says, state):
    connected.answers(RUNNING, Scripted(204))
    airflow_says(state)
    await trigger().on_kill()
    assert methods(connected) == ["GET", "DELETE"]


@pytest.mark.parametrize(
    "state", ["deferred", "running", "queued", "scheduled", "restarting", "up_for_retry", None]
)
async def test_a_trigger_that_moved_or_a_task_that_was_cleared_leaves_it_alone(
    connected, airflow_says, state
):
    airflow_says(state)
    await trigger().on_kill()
    assert methods(connected) == []


async def test_when_airflow_cannot_be_asked_nothing_is_cancelled(connected, airflow_says):
    airflow_says(RuntimeError("the link to the supervisor is closed"))
    await trigger().on_kill()
    assert methods(connected) == []


async def test_a_finished_generation_is_not_deleted(connected, airflow_says):
    connected.answers(DONE)
    airflow_says("failed")
    await trigger().on_kill()
    assert methods(connected) == ["GET"]


async def test_a_gateway_in_trouble_is_not_ours_to_raise(connected, airflow_says):
    connected.answers(Scripted(503, {}))
    airflow_says("failed")
    await trigger().on_kill()


async def test_it_is_not_asked_for_by_a_sensor(connected, airflow_says):
    airflow_says("failed")
    await trigger(cancel_on_kill=False).on_kill()
    assert methods(connected) == []


async def test_airflows_interruption_after_a_second_does_not_stop_the_work(connected, airflow_says):
    connected.answers(RUNNING, Scripted(204))
    gate = asyncio.Event()
    airflow_says("failed", after=gate)
    stopped = trigger()
    killing = asyncio.create_task(stopped.on_kill())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    killing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await killing
    assert methods(connected) == []
    gate.set()
    await stopped._cancelling
    assert methods(connected) == ["GET", "DELETE"]


class TestStateOf:
    @pytest.fixture
    def supervisor(self, monkeypatch):
        """Airflow's supervisor, answering one request."""
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import TaskStatesResult

        asked = []

        async def asend(message):
            asked.append(message)
            return TaskStatesResult(task_states={"run": {"plain": "failed", "mapped_3": "deferred"}})

        def send(message):
            return asyncio.run(asend(message))

        comms = SimpleNamespace(asend=asend, send=send)
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", comms, raising=False)
        return asked

    @pytest.mark.parametrize(
        ("task_id", "map_index", "state"),
        [("plain", -1, "failed"), ("plain", None, "failed"), ("mapped", 3, "deferred"), ("gone", -1, None)],
    )
    @pytest.mark.parametrize("from_a", ["triggerer", "worker"])
    async def test_it_asks_for_this_very_instance(self, supervisor, task_id, map_index, state, from_a):
        ti = SimpleNamespace(dag_id="dag", run_id="run", task_id=task_id, map_index=map_index)
        if from_a == "worker":
            assert await asyncio.to_thread(_task_instance.blocking_state_of, ti) == state
        else:
            assert await _task_instance.state_of(ti) == state
        (message,) = supervisor
        assert (message.dag_id, message.task_ids, message.run_ids) == ("dag", [task_id], ["run"])
