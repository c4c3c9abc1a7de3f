"""A batch whose worker is told to stop: Airflow says whether what runs is cancelled (decision 15)."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_runway.exceptions import RunwayBatchError, RunwayStoppedError
from airflow_runway.hooks import _transport
from airflow_runway.triggers import _task_instance

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
