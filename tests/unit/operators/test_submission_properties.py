"""Any life of a task: crash points, faults, clears and changes, in any order."""

from __future__ import annotations

import contextlib
import json

import pytest
from airflow.providers.common.compat.sdk import TaskDeferred
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.operators.memory import Crash
from unit.operators.tries import PAYLOAD, begin
from unit.scripted import KEY

from airflow_runway.exceptions import (
    RunwayError,
)

pytestmark = pytest.mark.slow

faults = st.sampled_from(
    [
        "",
        "",
        "refuse",
        "limit",
        "unconnected",
        "drop",
        "drop after accept",
        "502 after accept",
        "empty after accept",
    ]
)
remotes = st.sampled_from(["RUNNING", "RUNNING", "SUCCEEDED", "FAILED", "GONE"])
tries = st.lists(
    st.fixed_dictionaries(
        {
            "crash": st.one_of(st.none(), st.integers(1, 14)),
            "after": st.booleans(),
            "fault": faults,
            "remote": remotes,
            "clear": st.booleans(),
            "reads_fail": st.sampled_from([0, 0, 0, 1, 99]),
            "broken": st.sampled_from([0, 0, 0, 1, 2]),
            "payload": st.sampled_from(["a", "a", "a", "b"]),
        }
    ),
    min_size=1,
    max_size=7,
)


@pytest.mark.property
@pytest.mark.parametrize("wait", [False, True], ids=["submit", "wait"])
@pytest.mark.parametrize("on_clear", ["reuse", "regenerate"])
def test_no_interleaving_pays_twice_or_forgets_an_id(wait, on_clear, set_connection):
    set_connection()

    @settings(
        max_examples=settings.default.max_examples * 4, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(tries)
    def any_life(life):
        with pytest.MonkeyPatch.context() as monkeypatch:
            one = begin(monkeypatch, set_connection, wait_for_completion=wait, on_clear=on_clear)
            # How often somebody asked for a generation: the first time, and for each reason named below.
            asked = 1
            for step in life:
                if step["clear"]:
                    one.clear()
                if one.gateway.tasks and step["remote"] != "RUNNING":
                    last = max(one.gateway.tasks, key=lambda name: int(name[1:]))
                    if one.gateway.tasks[last] == "RUNNING":
                        one.gateway.tasks[last] = step["remote"]
                # What counts is the generation that the task knows; older ones were for other requests.
                names = [one.recorded_generation] if one.recorded_generation else one.gateway.tasks
                live = [name for name in names if one.gateway.tasks[name] in {"RUNNING", "SUCCEEDED"}]
                payload = step["payload"]
                changed = one.recorded_request not in {None, one.request_of(payload)}
                # A clear, a changed request or a generation that is no longer there may ask for one more.
                may_ask = changed or not live or (one.was_cleared and on_clear == "regenerate")
                before = one.gateway.charges
                one.gateway.faults, one.gateway.reads_fail = [step["fault"]] * 3, step["reads_fail"]
                one.store.broken = step["broken"]
                with contextlib.suppress(Crash, RunwayError, TaskDeferred):
                    one.run(
                        crash=step["crash"], after=step["after"], payload={**PAYLOAD, "promptText": payload}
                    )
                one.gateway.reads_fail = one.store.broken = 0
                new = one.gateway.charges - before
                assert new <= 1
                asked += 1 if may_ask and before else 0
                assert new == 0 or may_ask or not before
                assert one.gateway.charges <= asked
            known = one.log.text + one.said + json.dumps(one.store.values)
            for runway_task_id in one.gateway.received:
                assert runway_task_id in known
            assert KEY not in known

    any_life()
