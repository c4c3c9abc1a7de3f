"""A worker that is told to stop: what is cancelled, what runs on, and what the next try finds."""

from __future__ import annotations

import copy
import signal
import threading
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowTaskTimeout, TaskDeferred
from unit.operators.memory import MemoryTaskInstance

from airflow_runway.exceptions import (
    RunwayNotAcceptedError,
    RunwayStoppedError,
    RunwayTaskCancelledError,
    RunwayTaskTimeoutError,
)
from airflow_runway.hooks import _transport
from airflow_runway.operators import _stopping
from airflow_runway.operators._stopping import Finding, StopInquiry, StopSignal
from airflow_runway.triggers import _task_instance

#: What Airflow says after a pod's eviction, an orphan's reset, a clear; ``None``: the Dag run was deleted.
NOT_OVER = ["running", "queued", "restarting", "scheduled", None]
WAITING = {"wait_for_completion": True, "deferrable": False, "poll_interval": 5}


@pytest.fixture
def airflow_says(monkeypatch):
    """What Airflow answers when asked for the task's state."""
    asked = []

    def answer(state):
        def state_of(task_instance):
            asked.append(task_instance)
            if isinstance(state, Exception):
                raise state
            return state

        monkeypatch.setattr(_task_instance, "blocking_state_of", state_of)
        return asked

    return answer


def context_of(one):
    return {"ti": MemoryTaskInstance(one.crash_point, one.max_tries), "task_state_store": one.store}


def stopped_when(one, monkeypatch, comes, *, times=1, **fields):
    """An operator whose task gets SIGTERM when a call comes that fits."""
    operator = one.operator(**fields)
    left = [times]

    def send(session, settings, call):
        if left[0] and comes(call):
            left[0] -= 1
            operator.on_kill()
        return one.gateway.send(session, settings, call)

    monkeypatch.setattr(_transport, "send", send)
    return operator


def a_post(call):
    return call.method == "POST"


def a_look(call):
    return call.method == "GET" and "/tasks/" in call.path


MOMENTS = {"during the POST": a_post, "in a look": a_look}


@pytest.mark.parametrize("moment", MOMENTS)
class TestWhileItRuns:
    @pytest.mark.parametrize("state", NOT_OVER)
    def test_from_outside_nothing_is_cancelled_and_a_retry_finds_it(
        self, tries, monkeypatch, airflow_says, moment, state
    ):
        one = tries(**WAITING)
        airflow_says(state)
        operator = stopped_when(one, monkeypatch, MOMENTS[moment])
        with pytest.raises(RunwayStoppedError, match="t1 runs on, nothing was cancelled") as caught:
            operator.execute(context_of(one))
        assert not isinstance(caught.value, AirflowFailException)
        assert "t1 runs on" in one.log.text
        assert one.gateway.deleted == []
        assert one.record["phase"] == "submitted"
        one.gateway.tasks["t1"] = "SUCCEEDED"
        assert one.run()["id"] == "t1"
        assert (one.gateway.posts, one.gateway.charges) == (1, 1)

    @pytest.mark.parametrize("state", ["failed", "success", "skipped", "upstream_failed", "removed"])
    def test_by_a_person_it_is_cancelled(self, tries, monkeypatch, airflow_says, moment, state):
        one = tries(**WAITING)
        airflow_says(state)
        operator = stopped_when(one, monkeypatch, MOMENTS[moment])
        with pytest.raises(RunwayTaskCancelledError, match=f"t1: .* is {state}; cancelling: cancelled"):
            operator.execute(context_of(one))
        assert one.gateway.deleted == ["t1"]
        assert (one.record["phase"], one.record["outcome"]) == ("closed", "stopped: cancelled")

    def test_a_second_signal_changes_nothing(self, tries, monkeypatch, airflow_says, moment):
        one = tries(**WAITING)
        asked = airflow_says("running")
        operator = stopped_when(one, monkeypatch, MOMENTS[moment])
        give = StopSignal.give
        monkeypatch.setattr(StopSignal, "give", lambda stop: (give(stop), give(stop)))
        with pytest.raises(RunwayStoppedError):
            operator.execute(context_of(one))
        assert len(asked) == 1
        assert one.gateway.deleted == []

    def test_where_airflow_cannot_be_asked_nothing_is_cancelled(
        self, tries, monkeypatch, airflow_says, moment
    ):
        one = tries(**WAITING)
        airflow_says(RuntimeError("the API server is away"))
        operator = stopped_when(one, monkeypatch, MOMENTS[moment])
        with pytest.raises(RunwayStoppedError, match="not known by whom"):
            operator.execute(context_of(one))
        assert "could not be asked who stops this task: the API server is away" in one.log.text
        assert one.gateway.deleted == []

    def test_before_airflow_3_3_nothing_is_asked(self, tries, monkeypatch, airflow_says, moment):
        one = tries(**WAITING)
        asked = airflow_says("failed")
        operator = stopped_when(one, monkeypatch, MOMENTS[moment])
        with pytest.raises(RunwayStoppedError):
            operator.execute({"ti": MemoryTaskInstance(one.crash_point)})
        assert (asked, one.gateway.deleted) == ([], [])

    def test_it_can_be_turned_off(self, tries, monkeypatch, airflow_says, moment):
        one = tries(**WAITING)
        asked = airflow_says("failed")
        operator = stopped_when(one, monkeypatch, MOMENTS[moment], cancel_on_kill=False)
        with pytest.raises(RunwayStoppedError, match="t1 runs on"):
            operator.execute(context_of(one))
        assert (asked, one.gateway.deleted) == ([], [])


class TestBeforeThePost:
    def check_that_a_retry_pays_once(self, one):
        assert "runway_submission" not in one.store.values
        assert (one.gateway.posts, one.gateway.charges) == (0, 0)
        assert one.run() == "t1"
        assert one.gateway.charges == 1

    def test_before_it_began(self, tries, airflow_says):
        one = tries()
        airflow_says("failed")
        operator = one.operator()
        operator.on_kill()
        with pytest.raises(RunwayStoppedError, match="nothing was sent and nothing was charged"):
            operator.execute(context_of(one))
        self.check_that_a_retry_pays_once(one)

    def test_while_the_intent_is_written(self, tries, monkeypatch, airflow_says):
        one = tries()
        airflow_says("running")
        operator = one.operator()
        write = one.store.set

        def stopped(*arguments, **fields):
            operator.on_kill()
            write(*arguments, **fields)

        with monkeypatch.context() as patch:
            patch.setattr(one.store, "set", stopped)
            with pytest.raises(RunwayStoppedError, match="nothing was sent"):
                operator.execute(context_of(one))
        self.check_that_a_retry_pays_once(one)

    def test_before_it_is_sent_a_second_time(self, tries, airflow_says):
        one = tries()
        airflow_says("failed")
        one.gateway.faults = ["unconnected"]
        operator = one.operator()
        one.sleep = lambda seconds: operator.on_kill()
        with pytest.raises(RunwayNotAcceptedError, match="told to stop before its request was sent"):
            operator.execute(context_of(one))
        assert one.gateway.posts == 1
        assert "runway_submission" not in one.store.values


class TestWhoCancels:
    def test_a_request_that_hangs_is_not_waited_for(self, tries, monkeypatch, airflow_says):
        one = tries(**WAITING)
        airflow_says("failed")
        operator = one.operator()
        deleted = threading.Event()

        def send(session, settings, call):
            if a_look(call) and threading.current_thread() is threading.main_thread():
                operator.on_kill()
                assert deleted.wait(30), "only the main thread could have done it"
            answer = one.gateway.send(session, settings, call)
            if call.method == "DELETE":
                deleted.set()
            return answer

        monkeypatch.setattr(_transport, "send", send)
        with pytest.raises(Exception, match="t1"):
            operator.execute(context_of(one))
        assert one.gateway.deleted == ["t1"]

    def test_an_answer_that_is_late_cancels_nothing(self, tries, monkeypatch):
        one = tries()
        answers = threading.Event()
        threads = []

        def late(task_instance):
            threads.append(threading.current_thread())
            answers.wait(30)
            return "failed"

        monkeypatch.setattr(_task_instance, "blocking_state_of", late)
        monkeypatch.setattr(_stopping, "KILL_CLEANUP_TIMEOUT", 0)
        operator = stopped_when(one, monkeypatch, a_post)
        with pytest.raises(RunwayStoppedError, match="t1 runs on"):
            operator.execute(context_of(one))
        answers.set()
        for thread in threads:
            thread.join(30)
        assert one.gateway.deleted == []

    def test_the_tasks_own_success_cancels_nothing(self, tries, monkeypatch):
        one = tries()
        operator = one.operator()
        asked, returned, threads = threading.Event(), threading.Event(), []

        def after_its_end(task_instance):
            threads.append(threading.current_thread())
            asked.set()
            returned.wait(30)
            return "success"

        monkeypatch.setattr(_task_instance, "blocking_state_of", after_its_end)
        ti = MemoryTaskInstance(one.crash_point)
        push = ti.xcom_push

        def stopped(key, value):
            operator.on_kill()
            assert asked.wait(30)
            push(key, value)

        ti.xcom_push = stopped
        assert operator.execute({"ti": ti, "task_state_store": one.store}) == "t1"
        returned.set()
        threads[0].join(30)
        assert one.gateway.deleted == []

    def test_a_signal_after_the_end_is_nobodys_business(self, tries, airflow_says):
        one = tries()
        asked = airflow_says("success")
        operator = one.operator()
        operator.execute(context_of(one))
        operator.on_kill()
        assert (asked, one.gateway.deleted) == ([], [])

    def test_what_an_earlier_try_has_recorded_is_not_cut_off_by_a_clear(
        self, tries, monkeypatch, airflow_says
    ):
        one = tries()
        one.run()
        one.clear()
        airflow_says("restarting")
        operator, write = one.operator(**WAITING), one.store.set

        def cleared_again(*arguments, **fields):
            one.store.cleared_meanwhile = True
            operator.on_kill()
            return write(*arguments, **fields)

        monkeypatch.setattr(one.store, "set", cleared_again)
        with pytest.raises(RunwayStoppedError, match="t1 runs on, nothing was cancelled"):
            operator.execute(context_of(one))
        monkeypatch.undo()
        one.store.cleared_meanwhile = False
        assert one.gateway.deleted == []
        assert "is not in the journal" not in one.log.text
        assert one.record["runway_task_id"] == "t1"

    def test_nor_is_one_that_is_heard_only_after_it(self, tries, monkeypatch, airflow_says):
        one, wakes, stop = tries(), threading.Event(), StopSignal()
        asked = airflow_says("failed")
        monkeypatch.setattr(
            StopSignal, "wait", lambda signal, seconds=None: wakes.wait(30) and signal.is_given
        )
        before, cancel = set(threading.enumerate()), one.gateway.deleted.append
        with StopInquiry(
            stop, context_of(one), cancel_on_kill=True, cancel=lambda: cancel("t1"), log=one.log
        ):
            stop.give()
            [thread] = set(threading.enumerate()) - before
        wakes.set()
        thread.join(30)
        assert (asked, one.gateway.deleted) == ([], [])

    @pytest.mark.parametrize("remote", ["SUCCEEDED", "FAILED"])
    def test_what_has_ended_is_not_deleted_and_stays_on_record(
        self, tries, monkeypatch, airflow_says, remote
    ):
        one = tries()
        airflow_says("failed")
        operator = stopped_when(one, monkeypatch, a_post)
        create = one.gateway._create

        def ended_at_once():
            answer = create()
            one.gateway.tasks["t1"] = remote
            return answer

        monkeypatch.setattr(one.gateway, "_create", ended_at_once)
        with pytest.raises(RunwayTaskCancelledError, match="cancelling: already_finished"):
            operator.execute(context_of(one))
        assert one.gateway.deleted == []
        assert one.record["phase"] == "submitted"

    def test_a_cancellation_that_fails_is_told(self, tries, monkeypatch, airflow_says):
        one = tries()
        airflow_says("failed")
        one.gateway.reads_fail = 99
        operator = stopped_when(one, monkeypatch, a_post)
        with pytest.raises(RunwayTaskCancelledError, match="cancelling: unknown"):
            operator.execute(context_of(one))
        assert one.record["phase"] == "submitted"


class TestDeferred:
    def test_a_task_that_was_told_to_stop_does_not_defer(self, tries, monkeypatch, airflow_says):
        one = tries(wait_for_completion=True)
        airflow_says("running")
        operator = one.operator()
        monkeypatch.setattr(type(operator), "remember_link", lambda self, _: self.on_kill())
        with pytest.raises(RunwayStoppedError, match="t1 runs on"):
            operator.execute(context_of(one))
        assert one.record["phase"] == "submitted"

    def test_on_coming_back_the_result_comes_first(self, tries, monkeypatch, airflow_says):
        one = tries(wait_for_completion=True)
        airflow_says("running")
        with pytest.raises(TaskDeferred):
            one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        operator = stopped_when(one, monkeypatch, a_look)
        event = {"runway_task_id": "t1", "deadline": 2e9, "error": None}
        assert operator.execute_complete(context_of(one), event)["id"] == "t1"

    def test_on_coming_back_too_early_it_runs_on(self, tries, monkeypatch, airflow_says):
        one = tries(wait_for_completion=True)
        airflow_says("running")
        with pytest.raises(TaskDeferred):
            one.run()
        operator = stopped_when(one, monkeypatch, a_look)
        event = {"runway_task_id": "t1", "deadline": 2e9, "error": None}
        with pytest.raises(RunwayStoppedError):
            operator.execute_complete(context_of(one), event)
        assert one.record["phase"] == "submitted"


class TestExecutionTimeout:
    """Airflow raises it in ``execute``, and calls ``on_kill`` when that has been left."""

    @pytest.fixture
    def expired(self, tries, airflow_says):
        def run(remote="RUNNING", **fields):
            one = tries(**WAITING, **fields)
            one.asked = airflow_says("running")

            def expire(seconds):
                one.gateway.tasks["t1"] = remote
                raise AirflowTaskTimeout

            one.sleep = expire
            one.last = one.operator()
            try:
                return one, one.last.execute(context_of(one))
            except AirflowTaskTimeout as error:
                one.last.on_kill()
                return one, error
            except RunwayTaskTimeoutError as error:
                return one, error

        return run

    def test_it_is_a_deadline(self, expired):
        one, error = expired()
        assert isinstance(error, RunwayTaskTimeoutError)
        assert "t1 had not finished by" in str(error)
        assert (one.gateway.deleted, one.asked) == (["t1"], [])
        assert one.record["outcome"] == "timed_out"

    def test_unless_told_otherwise(self, expired):
        one, error = expired(cancel_on_timeout=False)
        assert isinstance(error, AirflowTaskTimeout)
        assert (one.gateway.deleted, one.asked) == ([], [])
        assert "t1 runs on" in one.log.text
        one.gateway.tasks["t1"] = "SUCCEEDED"
        assert one.run()["id"] == "t1"
        assert one.gateway.charges == 1

    def test_what_finished_in_the_last_moment_is_the_result(self, expired):
        one, result = expired("SUCCEEDED")
        assert result["id"] == "t1"
        assert one.gateway.deleted == []


class TestStopSignal:
    def test_it_wakes_whoever_waits_in_the_very_thread_that_is_interrupted(self):
        stop = StopSignal()
        main = threading.main_thread().ident
        before = signal.signal(signal.SIGUSR1, lambda *_: (stop.give(), stop.give()))
        try:
            sender = threading.Thread(target=lambda: signal.pthread_kill(main, signal.SIGUSR1))
            sender.start()
            assert stop.wait(30)
            sender.join()
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert stop.wait(30)

    def test_many_wait(self):
        stop, heard = StopSignal(), []
        threads = [threading.Thread(target=lambda: heard.append(stop.wait(30))) for _ in range(5)]
        for thread in threads:
            thread.start()
        stop.give()
        for thread in threads:
            thread.join(30)
        assert heard == [True] * 5

    def test_being_let_go_is_not_being_told(self):
        stop = StopSignal()
        stop.release()
        assert stop.wait() is False
        assert not stop.is_given


class TestStopInquiry:
    """As others may use it."""

    def inquiry(self, stop, cancel, *, cancel_on_kill=True):
        context = {"ti": SimpleNamespace(), "task_state_store": object()}
        return StopInquiry(stop, context, cancel_on_kill=cancel_on_kill, cancel=cancel, log=SimpleNamespace())

    def test_its_thread_ends_with_its_block(self, airflow_says):
        asked = airflow_says("failed")
        before = set(threading.enumerate())
        with self.inquiry(StopSignal(), list):
            (thread,) = set(threading.enumerate()) - before
        thread.join(30)
        assert not thread.is_alive()
        assert asked == []

    def test_it_tells_what_was_found_and_done(self, airflow_says):
        airflow_says("failed")
        stop = StopSignal()
        with self.inquiry(stop, lambda: "done") as inquiry:
            stop.give()
            assert inquiry.finding() == Finding("failed", _stopping.Fate.ARE_CANCELLED, "done")

    def test_the_handler_never_waits_for_airflows_channel(self, monkeypatch):
        """The main thread is inside a call of its own, and holds the channel, when the signal comes."""
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import TaskStatesResult

        channel = threading.Lock()

        def send(message):
            with channel:
                return TaskStatesResult(task_states={"run": {"task": "failed"}})

        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", SimpleNamespace(send=send), raising=False)
        stop = StopSignal()
        ti = SimpleNamespace(dag_id="dag", run_id="run", task_id="task", map_index=-1)
        context = {"ti": ti, "task_state_store": object()}
        with StopInquiry(stop, context, cancel_on_kill=True, cancel=lambda: "done", log=None) as inquiry:
            with channel:
                stop.give()
            assert inquiry.finding().outcome == "done"


def test_an_operator_that_ran_can_still_be_copied(tries, airflow_says):
    one = tries()
    operator = one.operator()
    operator.execute(context_of(one))
    copied = copy.copy(operator)
    assert copied._stop_signal is None
    assert copied._inquiry is None
    assert copied._store is None
