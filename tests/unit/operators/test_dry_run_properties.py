"""After any life of a task, or of a batch, a dry run says what the clear after it does, and changes nothing."""

from __future__ import annotations

import contextlib
import json

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.operators.batch_tries import begin_batch, prompts
from unit.operators.memory import Crash
from unit.operators.test_submission_properties import tries
from unit.operators.tries import PAYLOAD, begin

from airflow_runway.exceptions import RunwayError

pytestmark = pytest.mark.slow


@pytest.mark.property
@pytest.mark.parametrize("on_ambiguous", ["fail", "resubmit"])
@pytest.mark.parametrize("on_clear", ["reuse", "regenerate"])
def test_a_clear_does_what_the_dry_run_said(on_ambiguous, on_clear, set_connection):
    set_connection()

    @settings(
        max_examples=settings.default.max_examples * 2, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(tries, st.sampled_from("ab"))
    def any_life(life, asked):
        with pytest.MonkeyPatch.context() as monkeypatch:
            one = begin(monkeypatch, set_connection, on_clear=on_clear, on_ambiguous_submit=on_ambiguous)
            for step in life:
                if step["clear"]:
                    one.clear()
                for name, status in one.gateway.tasks.items():
                    one.gateway.tasks[name] = step["remote"] if status == "RUNNING" else status
                one.gateway.faults, one.store.broken = [step["fault"]] * 3, step["broken"]
                with contextlib.suppress(Crash, RunwayError, TaskDeferred):
                    payload = {**PAYLOAD, "promptText": step["prompt"]}
                    one.run(crash=step["crash"], after=step["after"], payload=payload)
                one.store.broken = 0
            one.gateway.faults = []
            payload = {**PAYLOAD, "promptText": asked}
            before = json.dumps([one.store.values, one.gateway.tasks, one.gateway.deleted, one.gateway.posts])
            said = ended = ""
            try:
                one.run(dry_run=True, payload=payload)
            except AirflowSkipException:
                found = one.ti.xcoms["runway_dry_run"]
                said = found["reuses"] or "new"
            except RunwayError as error:
                said = type(error).__name__
            after = json.dumps([one.store.values, one.gateway.tasks, one.gateway.deleted, one.gateway.posts])
            assert after == before
            one.clear()
            charges = one.gateway.charges
            try:
                ended = one.run(payload=payload)
            except RunwayError as error:
                ended = type(error).__name__
            if one.gateway.charges > charges:
                assert one.gateway.charges == charges + 1
                ended = "new"
            assert ended == said

    any_life()


batches = st.lists(
    st.fixed_dictionaries(
        {
            "crash": st.one_of(st.none(), st.integers(1, 20)),
            "faults": st.lists(st.sampled_from(["", "", "refuse", "drop", "drop after accept"]), max_size=4),
            "finish": st.booleans(),
            "clear": st.booleans(),
            "requests": st.lists(st.sampled_from("abcd"), min_size=1, max_size=4),
        }
    ),
    max_size=4,
)


@pytest.mark.property
@pytest.mark.parametrize("on_ambiguous", ["fail", "resubmit"])
def test_a_clear_of_a_batch_submits_as_many_as_the_dry_run_said(on_ambiguous, set_connection):
    set_connection()

    @settings(deadline=None, suppress_health_check=list(HealthCheck))
    @given(batches, st.lists(st.sampled_from("abcde"), min_size=1, max_size=5), st.sampled_from(["b", "x"]))
    def any_life(life, asked, failing):
        with pytest.MonkeyPatch.context() as monkeypatch:
            # Limits are told, and not taken off: "would be submitted" is what would be if none struck.
            none = {"max_lost_answers": 0, "max_moderated": 0}
            one = begin_batch(monkeypatch, set_connection, on_ambiguous_submit=on_ambiguous, **none)
            one.gateway.endings = {failing: "FAILED"}
            for step in life:
                if step["clear"]:
                    one.clear()
                one.gateway.faults, one.crash_point.left = list(step["faults"]), step["crash"]
                fields = {"requests": prompts(*step["requests"])}
                with contextlib.suppress(Crash, RunwayError):
                    one.to_the_end(**fields) if step["finish"] else one.begin(**fields)
                one.crash_point.left = None
            one.gateway.faults, one.gateway.endings = [], {}
            fields = {"requests": prompts(*asked)}
            before = json.dumps([one.store.values, one.gateway.tasks, one.gateway.deleted, one.gateway.posts])
            context = one.context()
            refused = ""
            try:
                one.operator(dry_run=True, **fields).execute(context)
            except AirflowSkipException:
                pass
            except RunwayError as error:
                refused = str(error)
            after = json.dumps([one.store.values, one.gateway.tasks, one.gateway.deleted, one.gateway.posts])
            assert after == before
            if refused:
                one.clear()
                posts = one.gateway.posts
                with pytest.raises(RunwayError) as caught:
                    one.begin(**fields)
                assert (str(caught.value), one.gateway.posts) == (refused, posts)
                return
            found = context["ti"].xcoms["runway_dry_run"]
            assert sum(
                found[part]
                for part in (
                    "submit",
                    "keep",
                    "save",
                    "wait",
                    "moderated",
                    "lost_answers",
                    "failed",
                    "broken",
                )
            ) == len(asked)
            one.clear()
            posts = one.gateway.posts
            first = one.begin(**fields)
            assert one.gateway.posts - posts == found["submit"]
            running = len(first.runway_task_ids) if not isinstance(first, dict) else 0
            least = found["submit"] + found["wait"]
            # What has ended meanwhile is not cancelled, but looked at.
            assert least <= running <= least + found["cancel"]

    any_life()
