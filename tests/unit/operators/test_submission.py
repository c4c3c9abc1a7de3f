"""Submissions that survive whatever happens to the worker; everything in memory, nothing patched but the wire."""

from __future__ import annotations

import contextlib
import json
import warnings

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.operators.memory import Crash, Fuse, Log, MemoryGateway, MemoryStore, MemoryTaskInstance
from unit.scripted import KEY

from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayBudgetError,
    RunwayConfigurationError,
    RunwayError,
    RunwayJournalError,
    RunwayNotAcceptedError,
    RunwayRequestRefusedError,
    RunwayTaskCancelledError,
    RunwayTaskTimeoutError,
    RunwayTransientFailureError,
)
from airflow_runway.hooks import transport
from airflow_runway.journal import fingerprint
from airflow_runway.operators.runway import RunwaySubmitOperator

PAYLOAD = {"model": "gen4_turbo", "promptImage": "https://e/a.jpg", "promptText": "a secret idea"}


class Story:
    """One task instance through its tries."""

    def __init__(self, **fields):
        self.fuse = Fuse()
        self.store = MemoryStore(self.fuse)
        self.gateway = MemoryGateway(self.fuse)
        self.log = Log()
        self.fields = fields
        self.max_tries = 3
        self.ti = None
        self.said = ""
        self.now = 1_000_000.0

    def sleep(self, seconds):
        self.now += seconds

    def operator(self, **fields):
        operator = RunwaySubmitOperator(
            **{"task_id": "task", "route": "image_to_video", "payload": PAYLOAD, **self.fields, **fields}
        )
        operator.hook.pause_between_tries = lambda state: 0
        return operator

    def run(self, method="execute", *, crash=None, after=False, **fields):
        """One try; returns what it returns, raises what it raises."""
        self.fuse.left, self.fuse.after = crash, after
        self.ti = MemoryTaskInstance(self.fuse, self.max_tries)
        context = {"ti": self.ti, "task_state_store": self.store}
        try:
            operator = self.operator(**fields)
            if method == "execute":
                return operator.execute(context)
            event = {"runway_task_id": self.record["runway_task_id"], "deadline": 2e9, "error": None}
            return operator.resume_execution("execute_complete", {"event": event}, context)
        except RunwayError as error:
            self.said += f"{error}\n"
            raise
        finally:
            self.fuse.left = None

    def clear(self):
        self.max_tries += 1

    @property
    def recorded_request(self):
        return self.store.values.get("runway_submission", {}).get("fingerprint")

    @property
    def recorded_generation(self):
        return self.store.values.get("runway_submission", {}).get("runway_task_id")

    @property
    def was_cleared(self):
        recorded = self.store.values.get("runway_submission", {}).get("max_tries")
        return recorded not in {None, self.max_tries}

    @staticmethod
    def request_of(prompt):
        return fingerprint("runway", "runway_default", "image_to_video", {**PAYLOAD, "promptText": prompt})

    @property
    def record(self):
        return self.store.values["runway_submission"]


@pytest.fixture
def story(monkeypatch, set_connection):
    return lambda **fields: begin(monkeypatch, set_connection, **fields)


def begin(monkeypatch, set_connection, **fields):
    set_connection()
    story = Story(**fields)
    monkeypatch.setattr(transport, "send", story.gateway.send)
    monkeypatch.setattr(RunwaySubmitOperator, "log", story.log)
    # Time passes only by sleeping.
    monkeypatch.setattr("time.time", lambda: story.now)
    monkeypatch.setattr("time.sleep", story.sleep)
    return story


class TestJournal:
    def test_a_submission_is_written_down_before_and_after(self, story):
        one = story()
        assert one.run() == "t1"
        assert one.record["phase"] == "closed"
        assert one.record["outcome"] == "returned"
        assert one.record["runway_task_id"] == "t1"

    def test_the_record_holds_no_prompt_key_or_url(self, story):
        one = story()
        one.run()
        written = json.dumps(one.record)
        assert "secret idea" not in written
        assert KEY not in written
        assert "http" not in written

    def test_what_it_costs_is_in_xcom(self, story):
        one = story()
        one.run()
        assert one.ti.xcoms["runway_credits"] == {"estimated": 25, "charged": None}

    @pytest.mark.parametrize("fault", ["refuse", "limit", "unconnected"])
    def test_a_refusal_leaves_no_trace(self, story, fault):
        one = story()
        one.gateway.faults = [fault] * 3
        with pytest.raises((RunwayRequestRefusedError, RunwayNotAcceptedError)):
            one.run()
        assert one.store.values == {}
        one.gateway.faults = []
        assert one.run() == "t1"
        assert one.gateway.charges == 1

    @pytest.mark.parametrize("fault", ["drop", "drop after accept", "502 after accept", "empty after accept"])
    def test_a_lost_answer_stops_and_stays_stopped(self, story, fault):
        one = story()
        one.gateway.faults = [fault]
        with pytest.raises(RunwayAmbiguousSubmissionError) as first:
            one.run()
        assert isinstance(first.value, AirflowFailException)
        assert "request history" in str(first.value)
        with pytest.raises(
            RunwayAmbiguousSubmissionError, match="An earlier try of this task sent"
        ) as second:
            one.run()
        assert 'on_ambiguous_submit="resubmit"' in str(second.value)
        assert one.gateway.posts == 1

    def test_evidence_is_told(self, story):
        one = story()
        one.gateway.faults = ["drop after accept"]
        with pytest.raises(RunwayAmbiguousSubmissionError) as caught:
            one.run()
        assert "showed 1000 credits before and shows 975 credits now, so a generation was most likely" in str(
            caught.value
        )
        two = story()
        two.gateway.faults = ["drop"]
        with pytest.raises(RunwayAmbiguousSubmissionError, match="probably not accepted"):
            two.run()

    def test_resubmit_sends_again_when_a_person_says_so(self, story):
        one = story()
        one.gateway.faults = ["drop after accept"]
        with pytest.raises(RunwayAmbiguousSubmissionError):
            one.run()
        one.clear()
        assert one.run(on_ambiguous_submit="resubmit") == "t2"
        assert one.gateway.posts == 2

    def test_deleting_the_entry_does_the_same(self, story):
        one = story()
        one.gateway.faults = ["drop"]
        with pytest.raises(RunwayAmbiguousSubmissionError):
            one.run()
        one.store.values.clear()
        assert one.run() == "t1"

    def test_an_unreadable_journal_sends_nothing(self, story):
        one = story()
        one.store.broken = 1
        with pytest.raises(RunwayJournalError, match="Nothing was sent"):
            one.run()
        one.store.values["runway_submission"] = {"odd": True}
        with pytest.raises(RunwayJournalError):
            one.run()
        assert one.gateway.posts == 0

    def test_a_journal_that_cannot_be_written_sends_nothing(self, story, monkeypatch):
        one = story()
        monkeypatch.setattr(one.store, "set", lambda *args, **kwargs: None)
        with pytest.raises(RunwayJournalError, match="could not be written"):
            one.run()
        assert one.gateway.posts == 0

    def test_an_intent_that_was_written_but_not_confirmed_is_no_lost_answer(self, story, monkeypatch):
        one = story()
        real, reads = one.store.get, []

        def flaky(*args, **kwargs):
            reads.append(1)
            if len(reads) == 2:
                raise ConnectionError
            return real(*args, **kwargs)

        monkeypatch.setattr(one.store, "get", flaky)
        with pytest.raises(RunwayJournalError, match="nothing was sent"):
            one.run()
        assert one.gateway.posts == 0
        assert one.run() == "t1"
        assert one.gateway.posts == 1

    def test_an_id_that_cannot_be_written_is_in_the_log_and_xcom(self, story, monkeypatch):
        one = story()
        real, writes = one.store.set, []

        def flaky(*args, **kwargs):
            writes.append(1)
            if 1 < len(writes) < 4:
                raise ConnectionError
            real(*args, **kwargs)

        monkeypatch.setattr(one.store, "set", flaky)
        assert one.run() == "t1"
        assert one.record["runway_task_id"] == "t1"

    def test_without_a_store_it_warns_once(self, story, monkeypatch):
        from airflow_runway import journal_store

        monkeypatch.setattr(journal_store, "_warned", False)
        one = story()
        context = {"ti": MemoryTaskInstance(one.fuse)}
        with pytest.warns(RuntimeWarning, match="no task_state_store"):
            assert one.operator().execute(context) == "t1"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert one.operator().execute(context) == "t2"

    def test_a_token_in_the_callback_names_a_lost_answer(self, story, set_connection):
        one = story(
            route="pro/generate", payload={"prompt": "x", "callback_url": "https://mine.example/?t={token}"}
        )
        set_connection(gateway="cometapi")
        one.gateway.faults = ["drop"]
        with pytest.raises(RunwayAmbiguousSubmissionError) as caught:
            one.run()
        assert one.record["token"]
        assert f"whose address holds {one.record['token']} would carry its id" in str(caught.value)

    def test_so_does_one_in_the_connections_callback(self, story, set_connection, monkeypatch):
        one = story(route="pro/generate", payload={"prompt": "x"})
        set_connection(gateway="cometapi", callback_url="https://mine.example/?t={token}")
        sent = []
        real = one.gateway.send
        monkeypatch.setattr(
            transport,
            "send",
            lambda session, settings, call: sent.append(call) or real(session, settings, call),
        )
        assert one.run() == "t1"
        assert sent[-1].json["callback_url"] == f"https://mine.example/?t={one.record['token']}"

    def test_what_is_refused_here_leaves_no_intent(self, story):
        one = story(route="no_such_route")
        with pytest.raises(RunwayConfigurationError, match="has no route"):
            one.run()
        assert one.store.values == {}

    def test_a_refusal_gives_the_earlier_record_back(self, story):
        one = story(on_clear="regenerate")
        one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.clear()
        one.gateway.faults = ["refuse"]
        with pytest.raises(RunwayRequestRefusedError):
            one.run()
        assert one.record["runway_task_id"] == "t1"


class TestRetry:
    @pytest.mark.parametrize("remote", ["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED", "ODD"])
    def test_a_retry_picks_the_generation_up(self, story, remote):
        one = story()
        with pytest.raises(Crash):
            one.run(crash=7)
        assert one.record["phase"] == "submitted"
        one.gateway.tasks["t1"] = remote
        assert one.run() == "t1"
        assert one.gateway.posts == 1

    def test_a_retry_while_the_gateway_is_away_picks_it_up_all_the_same(self, story):
        one = story()
        with pytest.raises(Crash):
            one.run(crash=7)
        one.gateway.reads_fail = 99
        assert one.run() == "t1"

    def test_what_the_server_no_longer_knows_is_submitted_afresh(self, story):
        one = story()
        with pytest.raises(Crash):
            one.run(crash=7)
        one.gateway.tasks["t1"] = "GONE"
        assert one.run() == "t2"
        assert one.record["previous"] == ["t1"]


class TestClear:
    def test_reuse_costs_nothing(self, story):
        one = story()
        one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.clear()
        assert one.run() == "t1"
        assert one.gateway.posts == 1

    def test_regenerate_makes_another(self, story):
        one = story(on_clear="regenerate")
        one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.clear()
        assert one.run() == "t2"
        assert one.gateway.deleted == []

    def test_regenerate_does_not_mistake_a_retry_for_a_clear(self, story):
        one = story(on_clear="regenerate")
        one.run()
        assert one.run() == "t1"

    @pytest.mark.parametrize("remote", ["FAILED", "CANCELLED", "GONE"])
    def test_what_failed_is_made_anew(self, story, remote):
        one = story()
        one.run()
        one.gateway.tasks["t1"] = remote
        one.clear()
        assert one.run() == "t2"

    def test_a_gateway_that_cannot_be_asked_is_waited_for(self, story):
        one = story()
        one.run()
        one.clear()
        one.gateway.reads_fail = 99
        with pytest.raises(RunwayJournalError, match="t1 could not be read"):
            one.run()
        one.gateway.reads_fail = 0
        assert one.run() == "t1"

    def test_a_changed_request_is_a_new_generation_and_the_old_one_is_cancelled(self, story):
        one = story()
        one.run()
        one.clear()
        assert one.run(payload={**PAYLOAD, "promptText": "another"}) == "t2"
        assert one.gateway.deleted == ["t1"]
        assert "t1 was for an earlier request of this task; it was cancelled" in one.log.text

    def test_the_finished_result_of_an_old_request_is_left_alone(self, story):
        one = story()
        one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.clear()
        assert one.run(payload={**PAYLOAD, "promptText": "another"}) == "t2"
        assert one.gateway.deleted == []


class TestWaiting:
    def test_an_internal_failure_may_be_retried_and_pays_again(self, story):
        one = story(wait_for_completion=True)
        with pytest.raises(TaskDeferred):
            one.run()
        one.gateway.tasks["t1"] = "FAILED"
        with pytest.raises(RunwayTransientFailureError) as failed:
            one.run("execute_complete")
        assert not isinstance(failed.value, AirflowFailException)
        with pytest.raises(TaskDeferred):
            one.run()
        assert one.gateway.charges == 2

    def test_a_retry_after_anything_else_reattaches(self, story):
        one = story(wait_for_completion=True)
        with pytest.raises(TaskDeferred):
            one.run()
        with pytest.raises(TaskDeferred) as again:
            one.run()
        assert again.value.trigger.runway_task_id == "t1"
        assert again.value.trigger.deadline == pytest.approx(one.record["sent_at"] + 7200)
        assert one.gateway.posts == 1

    def test_a_clear_after_success_returns_the_same_result(self, story):
        one = story(wait_for_completion=True)
        with pytest.raises(TaskDeferred):
            one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        assert one.run("execute_complete")["id"] == "t1"
        assert one.ti.xcoms["runway_credits"]["estimated"] == 25
        one.clear()
        assert one.run()["id"] == "t1"
        assert one.gateway.posts == 1

    def test_the_deadline_cancels(self, story):
        one = story(wait_for_completion=True, deferrable=False, timeout=5)
        with pytest.raises(RunwayTaskTimeoutError, match="It was cancelled; a refund is not promised"):
            one.run(poll_interval=5)
        assert one.gateway.deleted == ["t1"]

    def test_unless_told_otherwise(self, story):
        one = story(wait_for_completion=True, deferrable=False, timeout=5, cancel_on_timeout=False)
        with pytest.raises(RunwayTaskTimeoutError, match="It goes on"):
            one.run(poll_interval=5)
        assert one.gateway.deleted == []


class TestBudget:
    def test_what_is_too_dear_is_cancelled_at_once(self, story):
        one = story(max_credits=20)
        with pytest.raises(RunwayBudgetError, match="may cost 25 credits, more than max_credits=20"):
            one.run()
        assert one.gateway.deleted == ["t1"]

    def test_what_was_paid_for_and_is_there_is_given_back(self, story):
        one = story()
        one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.clear()
        assert one.run(max_credits=20) == "t1"
        assert one.gateway.deleted == []

    @pytest.mark.parametrize(("estimate", "bound"), [(25, 25), (None, 1), (25, None)])
    def test_what_is_not_is_not(self, story, estimate, bound):
        one = story(max_credits=bound)
        one.gateway.estimate = estimate
        assert one.run() == "t1"


class TestKill:
    def test_a_kill_during_the_post_cancels_right_after_it(self, story, monkeypatch):
        one = story()
        operator = one.operator()
        real = one.gateway.send

        def killed_meanwhile(session, settings, call):
            if call.method == "POST":
                operator.on_kill()
            return real(session, settings, call)

        monkeypatch.setattr(transport, "send", killed_meanwhile)
        context = {"ti": MemoryTaskInstance(one.fuse), "task_state_store": one.store}
        with pytest.raises(
            RunwayTaskCancelledError, match="t1 was submitted while this task was being stopped"
        ):
            operator.execute(context)
        assert one.gateway.deleted == ["t1"]

    def test_a_kill_afterwards_cancels(self, story):
        one = story()
        operator = one.operator()
        operator.execute({"ti": MemoryTaskInstance(one.fuse), "task_state_store": one.store})
        operator.on_kill()
        assert one.gateway.deleted == ["t1"]

    @pytest.mark.parametrize("remote", ["SUCCEEDED", "FAILED"])
    def test_what_has_ended_is_not_deleted(self, story, remote):
        one = story()
        operator = one.operator()
        operator.execute({"ti": MemoryTaskInstance(one.fuse), "task_state_store": one.store})
        one.gateway.tasks["t1"] = remote
        operator.on_kill()
        assert one.gateway.deleted == []

    def test_it_never_raises_and_can_be_turned_off(self, story, monkeypatch):
        one = story(cancel_on_kill=False)
        operator = one.operator()
        operator.execute({"ti": MemoryTaskInstance(one.fuse), "task_state_store": one.store})
        operator.on_kill()
        assert one.gateway.deleted == []
        operator.cancel_on_kill = True
        monkeypatch.setattr(transport, "send", lambda *args: 1 / 0)
        operator.on_kill()
        assert "could not be cancelled" in one.log.text


# -- every interleaving -------------------------------------------------------------------------------------

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


@pytest.mark.parametrize("wait", [False, True], ids=["submit", "wait"])
@pytest.mark.parametrize("on_clear", ["reuse", "regenerate"])
def test_no_interleaving_pays_twice_or_forgets_an_id(wait, on_clear, set_connection):
    set_connection()

    @settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
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
