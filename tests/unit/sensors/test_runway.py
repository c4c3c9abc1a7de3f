from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSkipException,
    TaskDeferred,
)
from unit.clocks import HastyClock
from unit.scripted import Scripted

from airflow_runway.exceptions import (
    RunwayConfigurationError,
    RunwayReadRefusedError,
    RunwayTaskCancelledError,
    RunwayTaskFailedError,
    RunwayTaskLostError,
    RunwayTaskTimeoutError,
)
from airflow_runway.sensors.runway import RunwayTaskSensor

try:
    from airflow.sdk.exceptions import AirflowRescheduleException
except ImportError:  # Airflow 3.1
    from airflow.exceptions import AirflowRescheduleException

RUNNING = Scripted(200, {"id": "t1", "status": "RUNNING"})
DONE = Scripted(200, {"id": "t1", "status": "SUCCEEDED", "output": ["https://e/x.mp4"]})
FAILED = Scripted(
    200, {"id": "t1", "status": "FAILED", "failure": "Flagged.", "failureCode": "SAFETY.INPUT.TEXT"}
)
CANCELLED = Scripted(200, {"id": "t1", "status": "CANCELLED"})
GONE = Scripted(404, {"error": "Task not found."})
REVOKED = Scripted(401, {"error": "Unauthorized"})

MODES = {
    "deferrable": {},
    "poke": {"deferrable": False, "mode": "poke"},
    "reschedule": {"deferrable": False, "mode": "reschedule"},
}


def sensor(**fields):
    return RunwayTaskSensor(**{"task_id": "task", "runway_task_id": "t1", "timeout": 600, **fields})


def run(mode, context, clock, **fields):
    """Play a sensor in a mode to its end, the way Airflow does."""
    started = clock.now
    while True:
        try:
            return sensor(**MODES[mode], **fields).execute(context)
        except AirflowRescheduleException as later:
            context["ti"].first_reschedule_date = datetime.fromtimestamp(started, UTC)
            clock.now = max(clock.now, later.reschedule_date.timestamp())
        except TaskDeferred as deferred:
            return _after_deferral(deferred, context, clock, fields)


def _after_deferral(deferred, context, clock, fields):
    import asyncio

    trigger = type(deferred.trigger)(**deferred.trigger.serialize()[1])
    trigger._clock = HastyClock(clock.now)
    trigger._clock.pass_time = clock.sleep
    trigger._clock.wall = trigger._clock.now = lambda: clock.now

    async def events():
        return [event async for event in trigger.run()]

    (event,) = asyncio.run(events())
    return sensor(**fields).resume_execution(deferred.method_name, {"event": event.payload}, context)


@pytest.fixture(autouse=True)
def utcnow(monkeypatch, clock):
    """Airflow computes a reschedule from its own clock; it shall be ours."""
    monkeypatch.setattr("airflow.sdk.timezone.utcnow", lambda: datetime.fromtimestamp(clock.now, UTC))
    monkeypatch.setattr("time.monotonic", lambda: clock.now)


@pytest.mark.parametrize("mode", MODES)
class TestEveryMode:
    def test_success_is_the_finished_task(self, mode, connected, context, clock):
        connected.answers(RUNNING, RUNNING, DONE)
        assert run(mode, context, clock) == {
            "id": "t1",
            "status": "SUCCEEDED",
            "output": ["https://e/x.mp4"],
            "cost_credits": None,
            "created_at": None,
            "failure": None,
            "failure_code": None,
        }

    def test_a_task_that_has_already_ended_needs_one_look(self, mode, connected, context, clock):
        connected.answers(DONE)
        assert run(mode, context, clock)["status"] == "SUCCEEDED"
        assert len(connected.arrived) == 1
        assert not clock.naps

    @pytest.mark.parametrize(
        ("ending", "error", "words"),
        [
            (FAILED, RunwayTaskFailedError, r"t1 failed \(SAFETY.INPUT.TEXT\): Flagged\."),
            (CANCELLED, RunwayTaskCancelledError, "t1 was cancelled"),
            (RUNNING, RunwayTaskTimeoutError, "t1 had not finished by"),
            (GONE, RunwayTaskLostError, "t1 "),
            (REVOKED, RunwayReadRefusedError, "valid API key"),
        ],
    )
    def test_each_other_ending_has_its_own_error(self, mode, ending, error, words, connected, context, clock):
        connected.answers(RUNNING, ending)
        with pytest.raises(error, match=words) as caught:
            run(mode, context, clock)
        assert type(caught.value) is error
        assert isinstance(caught.value, AirflowFailException)

    @pytest.mark.parametrize("ending", [FAILED, CANCELLED, RUNNING, GONE, REVOKED])
    @pytest.mark.parametrize("lead", [[], [RUNNING]], ids=["at once", "later"])
    def test_soft_fail_skips_instead(self, mode, ending, lead, connected, context, clock):
        connected.answers(*lead, ending)
        with pytest.raises(AirflowSkipException, match=r"t1|API key"):
            run(mode, context, clock, soft_fail=True)

    def test_passing_trouble_never_ends_it(self, mode, connected, context, clock):
        trouble = [Scripted(503, {}), Scripted(drop=True), Scripted(429, {}), Scripted(200, b"<html>")]
        connected.answers(RUNNING, *trouble, DONE)
        assert run(mode, context, clock)["status"] == "SUCCEEDED"

    def test_the_timeout_is_kept(self, mode, connected, context, clock):
        connected.answers(RUNNING)
        began = clock.now
        with pytest.raises(RunwayTaskTimeoutError):
            run(mode, context, clock, timeout=120)
        assert 119 <= clock.now - began <= 135

    @pytest.mark.parametrize("bad", [None, "", "a/b"])
    def test_what_is_no_id_is_refused_before_anything_is_sent(self, mode, bad, connected, context, clock):
        with pytest.raises(RunwayConfigurationError, match="not a Runway task id"):
            run(mode, context, clock, runway_task_id=bad)
        assert not connected.arrived


class TestDeferrable:
    def test_what_is_deferred(self, connected, context, clock):
        connected.answers(RUNNING)
        with pytest.raises(TaskDeferred) as deferred:
            sensor(timeout=timedelta(minutes=5), poke_interval=20).execute(context)
        kwargs = deferred.value.trigger.serialize()[1]
        assert kwargs == {
            "runway_task_id": "t1",
            "runway_conn_id": "runway_default",
            "deadline": clock.now + 300,
            "poll_interval": 20,
            "seen": True,
            "cancel_on_kill": False,
        }
        assert deferred.value.timeout > timedelta(minutes=5)
        assert not deferred.value.kwargs

    def test_finished_after_all_at_the_deadline_is_a_success(self, connected, context, clock):
        connected.answers(DONE)
        late = {"type": "RunwayTaskTimeoutError", "message": "late"}
        event = {"runway_task_id": "t1", "deadline": clock.now, "error": late}
        assert sensor().execute_complete(context, event)["status"] == "SUCCEEDED"

    def test_unfinished_after_all_defers_again(self, connected, context, clock):
        connected.answers(RUNNING)
        event = {"runway_task_id": "t1", "deadline": clock.now + 60, "error": None}
        with pytest.raises(TaskDeferred) as deferred:
            sensor().execute_complete(context, event)
        assert deferred.value.trigger.deadline == clock.now + 60

    def test_an_event_of_another_task_does_not_end_it(self, connected, context, clock):
        """SQLite gives the id of a deleted trigger away again, and with it the event of that one."""
        connected.answers(RUNNING)
        event = {"runway_task_id": "another", "deadline": clock.now - 60, "error": None}
        with pytest.raises(TaskDeferred) as deferred:
            sensor().execute_complete(context, event)
        assert deferred.value.trigger.runway_task_id == "t1"
        assert deferred.value.trigger.deadline > clock.now
        assert [call.path for call in connected.arrived] == ["/v1/tasks/t1"]

    def test_an_expired_deferral_is_a_timeout(self, connected, context, clock):
        with pytest.raises(RunwayTaskTimeoutError, match="t1 had not finished"):
            sensor().resume_execution("__fail__", {"error": "Trigger timeout"}, context)

    def test_an_error_name_from_elsewhere_is_not_trusted(self, connected, context, clock):
        connected.answers(RUNNING)
        odd = {"type": "annotations", "message": "odd"}
        event = {"runway_task_id": "t1", "deadline": clock.now + 60, "error": odd}
        with pytest.raises(Exception, match="odd"):
            sensor().execute_complete(context, event)


class TestReschedule:
    def test_a_task_that_vanished_is_confirmed_within_one_poke(
        self, connected, set_connection, context, clock
    ):
        set_connection(connected.url, allow_insecure_http=True, gateway="cometapi")
        connected.answers(
            Scripted(400, {"code": "task_not_exist", "message": "task_not_exist", "data": None})
        )
        context["ti"].first_reschedule_date = datetime.fromtimestamp(clock.now - 400, UTC)
        with pytest.raises(RunwayTaskLostError):
            sensor(**MODES["reschedule"]).execute(context)
        assert len(connected.arrived) >= 3

    def test_one_look_that_missed_it_does_not_lose_it(self, connected, set_connection, context, clock):
        set_connection(connected.url, allow_insecure_http=True, gateway="cometapi")
        missed = Scripted(400, {"code": "task_not_exist", "message": "task_not_exist", "data": None})
        connected.answers(missed, DONE)
        context["ti"].first_reschedule_date = datetime.fromtimestamp(clock.now - 400, UTC)
        assert sensor(**MODES["reschedule"]).execute(context)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("bad", [0, 4, "10", None])
def test_the_interval_is_checked_when_the_dag_is_parsed(bad):
    with pytest.raises(ValueError, match="poke_interval must be at least 5 seconds"):
        sensor(poke_interval=bad)
