"""A sensor that is told to stop: it ends, cancels nothing, and a retry waits on."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from unit.scripted import Scripted

from airflow_runway.exceptions import RunwayStoppedError
from airflow_runway.sensors.runway import RunwayTaskSensor

RUNNING = Scripted(200, {"id": "t1", "status": "RUNNING"})
DONE = Scripted(200, {"id": "t1", "status": "SUCCEEDED", "output": ["https://e/x.mp4"]})


@pytest.fixture
def sensor():
    return RunwayTaskSensor(
        task_id="task", runway_task_id="t1", timeout=600, deferrable=False, cancel_on_timeout=True
    )


@pytest.mark.parametrize("soft_fail", [False, True])
@pytest.mark.parametrize("never_fail", [False, True])
def test_between_two_pokes(sensor, connected, context, clock, monkeypatch, soft_fail, never_fail):
    sensor.soft_fail, sensor.never_fail = soft_fail, never_fail
    connected.answers(RUNNING, RUNNING, DONE)
    sleep = clock.sleep
    monkeypatch.setattr(clock, "sleep", lambda seconds: (sleep(seconds), sensor.on_kill()))
    with pytest.raises(RunwayStoppedError, match="t1 runs on, nothing was cancelled") as caught:
        sensor.execute(context)
    assert not isinstance(caught.value, AirflowFailException)
    assert [arrived.method for arrived in connected.arrived] == ["GET"]


def test_what_has_ended_is_the_result_all_the_same(sensor, connected, context, clock):
    connected.answers(DONE)
    sensor.on_kill()
    assert sensor.execute(context)["status"] == "SUCCEEDED"


def test_a_rescheduled_one_gives_its_worker_back_anyway(connected, context, clock):
    from airflow.sdk.exceptions import AirflowRescheduleException

    connected.answers(RUNNING)
    sensor = RunwayTaskSensor(task_id="task", runway_task_id="t1", deferrable=False, mode="reschedule")
    sensor.on_kill()
    with pytest.raises(AirflowRescheduleException):
        sensor.execute(context)


def test_one_that_is_about_to_defer_does_not(connected, context, clock):
    connected.answers(RUNNING)
    sensor = RunwayTaskSensor(task_id="task", runway_task_id="t1")
    sensor.on_kill()
    with pytest.raises(RunwayStoppedError):
        sensor.execute(context)
