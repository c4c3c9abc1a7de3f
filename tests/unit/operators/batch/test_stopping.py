"""A batch whose worker is told to stop: Airflow says whether what runs is cancelled (decision 15)."""

from __future__ import annotations

import threading

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from unit.operators.batch_tries import prompts
from unit.operators.memory import _says
from unit.scripted import KEY

from airflow_runway.exceptions import RunwayBatchError, RunwayConfigurationError, RunwayStoppedError
from airflow_runway.hooks import _transport
from airflow_runway.triggers import _task_instance

NEW_KEY = "key_fedcba9876543210fedcba9876543210"
#: What Airflow says after an eviction, an orphan's reset, a clear; ``None``: the Dag run was deleted.
NOT_OVER = ["running", "queued", "restarting", "scheduled", None]
OVER = ["failed", "success", "skipped", "upstream_failed", "removed"]


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


def stopped_at(one, monkeypatch, post, **fields):
    """An operator whose task gets SIGTERM during the POST of that number; 0 = before any."""
    operator = one.operator(**fields)

    def send(session, settings, call):
        if call.method == "POST" and one.gateway.posts + 1 == post:
            operator.on_kill()
            operator.on_kill()
        return one.gateway.send(session, settings, call)

    monkeypatch.setattr(_transport, "send", send)
    if not post:
        operator.on_kill()
    return operator


@pytest.mark.parametrize("post", [0, 1, 2, 3])
class TestWhileItSubmits:
    @pytest.mark.parametrize("state", NOT_OVER)
    def test_from_outside_nothing_is_cancelled_and_a_retry_sends_the_rest(
        self, batch, monkeypatch, airflow_says, post, state
    ):
        one = batch()
        asked = airflow_says(state)
        said = f"{post} unfinished Runway tasks" if post else "while none of its generations ran"
        with pytest.raises(RunwayStoppedError, match=said) as caught:
            stopped_at(one, monkeypatch, post).execute(one.context())
        assert not isinstance(caught.value, AirflowFailException)
        assert len(asked) == 1
        assert (one.gateway.posts, one.gateway.deleted) == (post, [])
        assert one.to_the_end()["succeeded"] == 3
        assert (one.gateway.posts, one.gateway.charges) == (3, 3)

    @pytest.mark.parametrize("state", OVER)
    def test_by_a_person_all_that_runs_is_cancelled_once(self, batch, monkeypatch, airflow_says, post, state):
        one = batch()
        airflow_says(state)
        with pytest.raises(RunwayBatchError, match=f"Airflow says that it is {state}"):
            stopped_at(one, monkeypatch, post).execute(one.context())
        assert sorted(set(one.gateway.deleted)) == [f"t{number}" for number in range(1, post + 1)]
        assert set(one.gateway.tasks.values()) <= {"GONE"}
        one.clear()
        one.now += 400
        assert one.to_the_end()["succeeded"] == 3
        assert one.gateway.posts == post + 3

    def test_where_airflow_cannot_be_asked_nothing_is_cancelled(self, batch, monkeypatch, airflow_says, post):
        one = batch()
        airflow_says(RuntimeError("the API server is away"))
        said = "not known by whom" if post else "while none of its generations ran"
        with pytest.raises(RunwayStoppedError, match=said):
            stopped_at(one, monkeypatch, post).execute(one.context())
        assert "could not be asked who stops this task: the API server is away" in one.log.text
        assert one.gateway.deleted == []

    def test_it_can_be_turned_off(self, batch, monkeypatch, airflow_says, post):
        one = batch(cancel_on_kill=False)
        asked = airflow_says("failed")
        with pytest.raises(RunwayStoppedError):
            stopped_at(one, monkeypatch, post).execute(one.context())
        assert (asked, one.gateway.deleted) == ([], [])


def test_after_a_deferral_too(batch, monkeypatch, airflow_says):
    one = batch(max_in_flight=1)
    trigger = one.begin()
    one.gateway.finish(trigger.runway_task_ids)
    airflow_says("failed")
    operator = stopped_at(one, monkeypatch, 2)
    event = {"ended": dict.fromkeys(trigger.runway_task_ids), "pauses": 0}
    with pytest.raises(RunwayBatchError, match="Airflow says that it is failed"):
        operator.execute_complete(one.context(), event)
    assert one.gateway.tasks == {"t1": "SUCCEEDED", "t2": "GONE"}


def test_after_its_end_a_signal_asks_and_cancels_nothing(batch, airflow_says):
    one = batch()
    asked = airflow_says("failed")
    operator = one.operator()
    one._phase(lambda: operator.execute(one.context()))
    operator.on_kill()
    assert (asked, one.gateway.deleted) == ([], [])


def test_nothing_of_a_stop_is_left_on_an_operator_that_is_copied(batch):
    one = batch()
    operator = one.operator()
    one._phase(lambda: operator.execute(one.context()))
    assert operator._signal is operator._inquiry is None


def killed_at(one, monkeypatch, operator, method, name="", *, then=None):
    """Give the signal at the first call of that kind; ``then`` answers such calls instead of the gateway."""
    given = []

    def send(session, settings, call):
        if call.method != method or not call.path.endswith(name):
            return one.gateway.send(session, settings, call)
        if not given:
            given.append(call)
            operator.on_kill()
        return (then or one.gateway.send)(session, settings, call)

    monkeypatch.setattr(_transport, "send", send)


def failing_deletes_of(one, monkeypatch, name):
    """Let the DELETE of one generation be answered with 500."""
    send = _transport.send

    def broken(session, settings, call):
        if call.method == "DELETE" and call.path.endswith(name):
            return _says({"error": "Something broke."}, 500)
        return send(session, settings, call)

    monkeypatch.setattr(_transport, "send", broken)


def states(one):
    return [item["state"] for item in one.store.values["runway_batch_0000"]]


class TestByAPerson:
    @pytest.fixture(autouse=True)
    def over(self, airflow_says):
        airflow_says("failed")

    def test_what_was_cancelled_is_on_record_and_hinders_no_new_key(self, batch, monkeypatch, set_connection):
        one = batch()
        one.gateway.keys = {KEY: "studio", NEW_KEY: "studio"}
        with pytest.raises(RunwayBatchError, match=r"What was running is cancelled\."):
            stopped_at(one, monkeypatch, 3).execute(one.context())
        assert states(one) == ["failed"] * 3
        monkeypatch.setattr(_transport, "send", one.gateway.send)
        set_connection(password=NEW_KEY)
        one.clear()
        assert one.to_the_end()["succeeded"] == 3
        assert one.gateway.charges == 6

    def test_what_could_not_be_cancelled_is_named_and_waited_for(self, batch, monkeypatch):
        one = batch()
        operator = stopped_at(one, monkeypatch, 3)
        failing_deletes_of(one, monkeypatch, "t2")
        with pytest.raises(
            RunwayBatchError, match=r"is cancelled, but for 1\. .* charged if they finish: t2\."
        ):
            operator.execute(one.context())
        assert one.gateway.tasks == {"t1": "GONE", "t2": "RUNNING", "t3": "GONE"}
        assert states(one) == ["failed", "running", "failed"]
        one.clear()
        monkeypatch.setattr(_transport, "send", one.gateway.send)
        assert one.to_the_end()["succeeded"] == 3
        assert one.gateway.charges == 5

    def test_what_only_an_error_named_is_left_alone_and_named(self, batch, monkeypatch):
        one = batch()
        one.gateway.faults = ["", "502 with its id"]
        with pytest.raises(
            RunwayBatchError, match=r"is cancelled, but for 1\. .* charged if they finish: t2\."
        ):
            stopped_at(one, monkeypatch, 3).execute(one.context())
        assert one.gateway.tasks == {"t1": "GONE", "t2": "RUNNING", "t3": "GONE"}

    def test_what_is_accepted_while_a_cancellation_hangs_is_cancelled_too(self, batch, monkeypatch):
        one = batch(requests=prompts("a", "b"))
        operator, hangs, goes_on, first = one.operator(), threading.Event(), threading.Event(), []

        class Impatient(threading.Event):
            """Has no three seconds."""

            def wait(self, timeout=None):
                return self.is_set()

        def send(session, settings, call):
            if call.method == "DELETE" and not first:
                first.append(call)
                hangs.set()
                assert goes_on.wait(30)
            if call.method == "POST" and one.gateway.posts == 1:
                operator._inquiry._done = Impatient()
                operator.on_kill()
                assert hangs.wait(30)
            return one.gateway.send(session, settings, call)

        monkeypatch.setattr(_transport, "send", send)
        try:
            with pytest.raises(RunwayBatchError, match=r"What was running is cancelled\."):
                operator.execute(one.context())
        finally:
            goes_on.set()
            for thread in threading.enumerate():
                if thread.name == "runway-stop":
                    thread.join(30)
        assert one.gateway.tasks == {"t1": "GONE", "t2": "GONE"}
        assert states(one) == ["failed", "failed"]

    def test_trouble_with_the_list_of_a_cleared_task_cancels_what_runs(self, batch, monkeypatch):
        one = batch()
        one.begin()
        one.clear()
        one.now += 400
        operator = one.operator(requests=[])
        killed_at(one, monkeypatch, operator, "GET")
        with pytest.raises(RunwayConfigurationError, match="requests is empty"):
            operator.execute(one.context())
        assert set(one.gateway.tasks.values()) == {"GONE"}
        assert states(one) == ["failed"] * 3


@pytest.mark.parametrize(
    ("state", "error", "left"), [("failed", RunwayBatchError, "GONE"), ("running", RunwayStoppedError, "RUNNING")]
)  # fmt: skip
def test_a_signal_that_comes_just_before_the_deferral_is_met(
    batch, monkeypatch, airflow_says, state, error, left
):
    one = batch()
    asked = airflow_says(state)
    operator = one.operator()
    wait = operator._wait

    def late(*arguments):
        operator.on_kill()
        wait(*arguments)

    monkeypatch.setattr(operator, "_wait", late)
    with pytest.raises(error, match=f"Airflow says that it is {state}"):
        operator.execute(one.context())
    assert len(asked) == 1
    assert set(one.gateway.tasks.values()) == {left}


def test_from_outside_what_only_an_error_named_is_told(batch, monkeypatch, airflow_says):
    one = batch(requests=prompts("a", "b"))
    airflow_says("running")
    one.gateway.faults = ["502 with its id"]
    with pytest.raises(RunwayStoppedError, match=r"1 unfinished Runway tasks \(t1\)"):
        stopped_at(one, monkeypatch, 1).execute(one.context())
    assert one.to_the_end()["succeeded"] == 2
    assert one.gateway.charges == 2


def test_what_exceeds_the_bound_is_cancelled_though_the_task_is_told_to_stop(
    batch, monkeypatch, airflow_says
):
    one = batch(requests=prompts("a"), max_credits=20)
    airflow_says("running")
    with pytest.raises(RunwayStoppedError, match="none of its generations ran"):
        stopped_at(one, monkeypatch, 1).execute(one.context())
    assert one.gateway.deleted == ["t1"]
    assert states(one) == ["failed"]
