"""Any life of a task in which somebody stops it: signals, crashes, clears, at any moment of any try."""

from __future__ import annotations

import contextlib
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.operators.memory import Crash, MemoryTaskInstance
from unit.operators.tries import begin

from airflow_runway.core.stopping import TASK_IS_OVER
from airflow_runway.exceptions import RunwayError
from airflow_runway.hooks import _transport
from airflow_runway.triggers import _task_instance

pytestmark = pytest.mark.slow

states = st.sampled_from(["running", "queued", "restarting", None, OSError("away"), "failed", "success"])
tries = st.lists(
    st.fixed_dictionaries(
        {
            # The call to gateway or journal at which SIGTERM comes; 0 = before the first.
            "stop": st.one_of(st.none(), st.integers(0, 12)),
            "twice": st.booleans(),
            "state": states,
            "crash": st.one_of(st.none(), st.none(), st.integers(1, 14)),
            "after": st.booleans(),
            "fault": st.sampled_from(["", "", "", "unconnected", "limit", "drop after accept"]),
            "finishes": st.booleans(),
            "cancel_on_kill": st.sampled_from([True, True, True, False]),
        }
    ),
    min_size=1,
    max_size=6,
)


class Signals:
    """SIGTERM at a counted call of the main thread."""

    def __init__(self, operator, step):
        self.operator, self.left, self.twice = operator, step["stop"], step["twice"]
        if self.left == 0:
            self.operator.on_kill()

    def one_more_call(self):
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                for _ in range(1 + self.twice):
                    self.operator.on_kill()


def said(state):
    """Airflow's answer."""
    if isinstance(state, Exception):
        raise state
    return state


def running(one):
    """Generations that have not ended."""
    return [name for name, status in one.gateway.tasks.items() if status == "RUNNING"]


def play(one, step, monkeypatch):
    """One try."""
    operator = one.operator(
        wait_for_completion=True, deferrable=False, poll_interval=5, cancel_on_kill=step["cancel_on_kill"]
    )
    signals = Signals(operator, step)

    def send(session, settings, call):
        if threading.current_thread() is not threading.main_thread():
            # A crash counts the calls of the main thread.
            return one.gateway._answer(call)
        signals.one_more_call()
        return one.gateway.send(session, settings, call)

    def sleep(seconds):
        one.now += seconds
        signals.one_more_call()
        if step["finishes"]:
            one.gateway.tasks.update(dict.fromkeys(running(one), "SUCCEEDED"))

    monkeypatch.setattr(_task_instance, "blocking_state_of", lambda _: said(step["state"]))
    monkeypatch.setattr(_transport, "send", send)
    one.sleep = sleep
    one.gateway.faults = [step["fault"]]
    one.crash_point.left, one.crash_point.after = step["crash"], step["after"]
    ti = MemoryTaskInstance(one.crash_point, one.max_tries)
    with contextlib.suppress(RunwayError, Crash):
        operator.execute({"ti": ti, "task_state_store": one.store})
    # What the worker's thread still does belongs to this try.
    for thread in threading.enumerate():
        if thread.name == "runway-stop":
            thread.join(30)
    one.crash_point.left = None


@pytest.mark.property
def test_only_a_task_that_is_over_loses_its_generation(set_connection):
    set_connection()

    @settings(
        max_examples=settings.default.max_examples * 2, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(tries)
    def any_life(life):
        with pytest.MonkeyPatch.context() as monkeypatch:
            one = begin(monkeypatch, set_connection, timeout=100, cancel_on_timeout=False)
            # How often a generation was asked for: the first time, and once for each that was cancelled.
            asked, deleted = 1, 0
            for step in life:
                play(one, step, monkeypatch)
                now_deleted = len(one.gateway.deleted) - deleted
                if now_deleted:
                    is_over = isinstance(step["state"], str) and step["state"] in TASK_IS_OVER
                    assert step["cancel_on_kill"], "cancelled against the author's wish"
                    assert is_over, f"cancelled while Airflow said {step['state']}"
                deleted += now_deleted
                assert one.gateway.charges <= asked, f"paid {one.gateway.charges} times, asked for {asked}"
                asked = 1 + deleted
                # Every id that anybody saw is in the log, or in the journal.
                known = str(one.store.values) + one.log.text
                assert [name for name in one.gateway.received if name not in known] == []

    any_life()
