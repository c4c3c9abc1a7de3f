"""Submissions that survive whatever happens to the worker; everything in memory, nothing patched but the wire."""

from __future__ import annotations

import contextlib
import json
import warnings

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, TaskDeferred
from unit.operators.memory import Crash, MemoryTaskInstance
from unit.operators.tries import PAYLOAD
from unit.scripted import KEY

from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayBudgetError,
    RunwayConfigurationError,
    RunwayJournalError,
    RunwayNotAcceptedError,
    RunwayRequestRefusedError,
    RunwayTaskFailureError,
    RunwayTaskTimeoutError,
    RunwayTransientFailureError,
)
from airflow_runway.hooks import _transport
from airflow_runway.stores import history


class TestJournal:
    def test_a_submission_is_written_down_before_and_after(self, tries):
        one = tries()
        assert one.run() == "t1"
        assert one.record["phase"] == "closed"
        assert one.record["outcome"] == "returned"
        assert one.record["runway_task_id"] == "t1"

    def test_the_record_holds_no_prompt_key_or_url(self, tries):
        one = tries()
        one.run()
        written = json.dumps(one.record)
        assert "secret idea" not in written
        assert KEY not in written
        account = one.record["account"]
        assert account.pop("origin") == "https://api.dev.runwayml.com"
        assert "http" not in json.dumps(one.record)
        assert len(account["digest"]) == 16

    def test_what_it_costs_is_in_xcom(self, tries):
        one = tries()
        one.run()
        assert one.ti.xcoms["runway_credits"] == {"estimated": 25, "charged": None}

    @pytest.mark.parametrize("fault", ["refuse", "limit", "unconnected"])
    def test_a_refusal_leaves_no_trace(self, tries, fault):
        one = tries()
        one.gateway.faults = [fault] * 3
        with pytest.raises((RunwayRequestRefusedError, RunwayNotAcceptedError)):
            one.run()
        assert one.store.values == {}
        one.gateway.faults = []
        assert one.run() == "t1"
        assert one.gateway.charges == 1

    @pytest.mark.parametrize("fault", ["drop", "drop after accept", "502 after accept", "empty after accept"])
    def test_a_lost_answer_stops_and_stays_stopped(self, tries, fault):
        one = tries()
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

    def test_evidence_is_told(self, tries):
        one = tries()
        one.gateway.faults = ["drop after accept"]
        with pytest.raises(RunwayAmbiguousSubmissionError) as caught:
            one.run()
        assert "showed 1000 credits before and shows 975 credits now, so a generation was most likely" in str(
            caught.value
        )
        two = tries()
        two.gateway.faults = ["drop"]
        with pytest.raises(RunwayAmbiguousSubmissionError, match="probably not accepted"):
            two.run()

    def test_resubmit_sends_again_when_a_person_says_so(self, tries):
        one = tries()
        one.gateway.faults = ["drop after accept"]
        with pytest.raises(RunwayAmbiguousSubmissionError):
            one.run()
        one.clear()
        assert one.run(on_ambiguous_submit="resubmit") == "t2"
        assert one.gateway.posts == 2

    def test_deleting_the_entry_does_the_same(self, tries):
        one = tries()
        one.gateway.faults = ["drop"]
        with pytest.raises(RunwayAmbiguousSubmissionError):
            one.run()
        one.store.values.clear()
        assert one.run() == "t1"

    def test_an_unreadable_journal_sends_nothing(self, tries):
        one = tries()
        one.store.broken = 1
        with pytest.raises(RunwayJournalError, match="Nothing was sent"):
            one.run()
        one.store.values["runway_submission"] = {"odd": True}
        with pytest.raises(RunwayJournalError):
            one.run()
        assert one.gateway.posts == 0

    def test_a_journal_that_cannot_be_written_sends_nothing(self, tries, monkeypatch):
        one = tries()
        monkeypatch.setattr(one.store, "set", lambda *args, **kwargs: None)
        with pytest.raises(RunwayJournalError, match="could not be written"):
            one.run()
        assert one.gateway.posts == 0

    def test_an_intent_that_was_written_but_not_confirmed_is_no_lost_answer(self, tries, monkeypatch):
        one = tries()
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

    def test_an_id_that_cannot_be_written_is_in_the_log_and_xcom(self, tries, monkeypatch):
        one = tries()
        real, writes = one.store.set, []

        def flaky(*args, **kwargs):
            writes.append(1)
            if 1 < len(writes) < 4:
                raise ConnectionError
            real(*args, **kwargs)

        monkeypatch.setattr(one.store, "set", flaky)
        assert one.run() == "t1"
        assert one.record["runway_task_id"] == "t1"

    @pytest.mark.parametrize("lost", [False, True])
    def test_an_event_of_another_task_gives_it_no_other_clip(self, tries, lost):
        """SQLite gives the id of a deleted trigger away again, and with it the event of that one."""
        one = tries(wait_for_completion=True, timeout=600)
        one.defer()
        one.gateway.add("another", "SUCCEEDED")
        with pytest.raises(TaskDeferred) as deferred:
            one.run("execute_complete", told="another", lost=lost)
        trigger = deferred.value.trigger
        assert (trigger.runway_task_id, trigger.cancel_on_kill) == ("t1", True)
        assert trigger.deadline == one.record["anchored_at"] + 600
        assert one.record["phase"] == "submitted"
        assert "An event of another task came (Runway task another)" in one.log.text
        one.gateway.tasks["t1"] = "SUCCEEDED"
        assert one.run("execute_complete", told="another", lost=lost)["id"] == "t1"

    @pytest.mark.parametrize(("ends", "error"), [("SUCCEEDED", None), ("FAILED", RunwayTaskFailureError)])
    def test_what_it_did_cost_is_written_down_with_its_end(self, tries, ends, error):
        one = tries(wait_for_completion=True)
        with pytest.raises(TaskDeferred):
            one.run()
        assert one.record["charged_credits"] is None
        one.gateway.tasks["t1"], one.gateway.cost = ends, 20.0
        with pytest.raises(error) if error else contextlib.nullcontext():
            one.run("execute_complete")
        assert one.record["charged_credits"] == 20.0

    def test_it_says_which_model_and_whose_money(self, tries, monkeypatch):
        tags = {"dag_id": "dag", "task_id": "task", "team_name": "film"}
        monkeypatch.setattr(MemoryTaskInstance, "stats_tags", tags, raising=False)
        one = tries()
        one.run()
        assert (one.record["model"], one.record["team_name"]) == ("gen4_turbo", "film")

    def test_without_teams_there_is_none(self, tries):
        one = tries(payload={"promptText": "a secret idea"})
        one.run()
        assert (one.record["model"], one.record["team_name"]) == ("", "")

    def test_without_a_store_it_warns_once(self, tries, monkeypatch):

        monkeypatch.setattr(history, "_warned", set())
        one = tries()
        context = {"ti": MemoryTaskInstance(one.crash_point)}
        with pytest.warns(RuntimeWarning, match="no task_state_store"):
            assert one.operator().execute(context) == "t1"
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert one.operator().execute(context) == "t2"

    def test_a_token_in_the_callback_names_a_lost_answer(self, tries, set_connection):
        one = tries(
            route="pro/generate", payload={"prompt": "x", "callback_url": "https://mine.example/?t={token}"}
        )
        set_connection(gateway="cometapi")
        one.gateway.faults = ["drop"]
        with pytest.raises(RunwayAmbiguousSubmissionError) as caught:
            one.run()
        assert one.record["token"]
        assert f"whose address holds {one.record['token']} would carry its id" in str(caught.value)

    def test_so_does_one_in_the_connections_callback(self, tries, set_connection, monkeypatch):
        one = tries(route="pro/generate", payload={"prompt": "x"})
        set_connection(gateway="cometapi", callback_url="https://mine.example/?t={token}")
        sent = []
        real = one.gateway.send
        monkeypatch.setattr(
            _transport,
            "send",
            lambda session, settings, call: sent.append(call) or real(session, settings, call),
        )
        assert one.run() == "t1"
        assert sent[-1].json["callback_url"] == f"https://mine.example/?t={one.record['token']}"

    def test_what_is_refused_here_leaves_no_intent(self, tries):
        one = tries(route="no_such_route")
        with pytest.raises(RunwayConfigurationError, match="has no route"):
            one.run()
        assert one.store.values == {}

    def test_a_refusal_gives_the_earlier_record_back(self, tries):
        one = tries(on_clear="regenerate")
        one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.clear()
        one.gateway.faults = ["refuse"]
        with pytest.raises(RunwayRequestRefusedError):
            one.run()
        assert one.record["runway_task_id"] == "t1"


class TestRetry:
    @pytest.mark.parametrize("remote", ["RUNNING", "SUCCEEDED", "FAILED", "CANCELLED", "ODD"])
    def test_a_retry_picks_the_generation_up(self, tries, remote):
        one = tries()
        with pytest.raises(Crash):
            one.run(crash=7)
        assert one.record["phase"] == "submitted"
        one.gateway.tasks["t1"] = remote
        assert one.run() == "t1"
        assert one.gateway.posts == 1

    def test_a_retry_while_the_gateway_is_away_picks_it_up_all_the_same(self, tries):
        one = tries()
        with pytest.raises(Crash):
            one.run(crash=7)
        one.gateway.reads_fail = 99
        assert one.run() == "t1"

    def test_what_the_server_no_longer_knows_is_submitted_afresh(self, tries):
        one = tries()
        with pytest.raises(Crash):
            one.run(crash=7)
        one.gateway.tasks["t1"] = "GONE"
        assert one.run() == "t2"
        assert one.history.ids() == ("t1", "t2")


class TestClear:
    def test_reuse_costs_nothing(self, tries):
        one = tries()
        one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.clear()
        assert one.run() == "t1"
        assert one.gateway.posts == 1

    def test_regenerate_makes_another(self, tries):
        one = tries(on_clear="regenerate")
        one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.clear()
        assert one.run() == "t2"
        assert one.gateway.deleted == []

    def test_regenerate_does_not_mistake_a_retry_for_a_clear(self, tries):
        one = tries(on_clear="regenerate")
        one.run()
        assert one.run() == "t1"

    @pytest.mark.parametrize("remote", ["FAILED", "CANCELLED", "GONE"])
    def test_what_failed_is_made_anew(self, tries, remote):
        one = tries()
        one.run()
        one.gateway.tasks["t1"] = remote
        one.clear()
        assert one.run() == "t2"

    def test_a_gateway_that_cannot_be_asked_is_waited_for(self, tries):
        one = tries()
        one.run()
        one.clear()
        one.gateway.reads_fail = 99
        with pytest.raises(RunwayJournalError, match="t1 could not be read"):
            one.run()
        one.gateway.reads_fail = 0
        assert one.run() == "t1"

    def test_a_changed_request_is_a_new_generation_and_the_old_one_is_cancelled(self, tries):
        one = tries()
        one.run()
        one.clear()
        assert one.run(payload={**PAYLOAD, "promptText": "another"}) == "t2"
        assert one.gateway.deleted == ["t1"]
        assert "t1 was for an earlier request of this task; it was cancelled" in one.log.text

    def test_the_finished_result_of_an_old_request_is_left_alone(self, tries):
        one = tries()
        one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.clear()
        assert one.run(payload={**PAYLOAD, "promptText": "another"}) == "t2"
        assert one.gateway.deleted == []


class TestWaiting:
    def test_an_internal_failure_may_be_retried_and_pays_again(self, tries):
        one = tries(wait_for_completion=True)
        with pytest.raises(TaskDeferred):
            one.run()
        one.gateway.tasks["t1"] = "FAILED"
        with pytest.raises(RunwayTransientFailureError) as failed:
            one.run("execute_complete")
        assert not isinstance(failed.value, AirflowFailException)
        with pytest.raises(TaskDeferred):
            one.run()
        assert one.gateway.charges == 2

    def test_a_retry_after_anything_else_reattaches(self, tries):
        one = tries(wait_for_completion=True)
        with pytest.raises(TaskDeferred):
            one.run()
        with pytest.raises(TaskDeferred) as again:
            one.run()
        assert again.value.trigger.runway_task_id == "t1"
        assert again.value.trigger.deadline == pytest.approx(one.record["sent_at"] + 7200)
        assert one.gateway.posts == 1

    def test_a_clear_after_success_returns_the_same_result(self, tries):
        one = tries(wait_for_completion=True)
        with pytest.raises(TaskDeferred):
            one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        assert one.run("execute_complete")["id"] == "t1"
        assert one.ti.xcoms["runway_credits"]["estimated"] == 25
        one.clear()
        assert one.run()["id"] == "t1"
        assert one.gateway.posts == 1

    def test_the_deadline_cancels(self, tries):
        one = tries(wait_for_completion=True, deferrable=False, timeout=5)
        with pytest.raises(RunwayTaskTimeoutError, match="It was cancelled; a refund is not promised"):
            one.run(poll_interval=5)
        assert one.gateway.deleted == ["t1"]

    def test_unless_told_otherwise(self, tries):
        one = tries(wait_for_completion=True, deferrable=False, timeout=5, cancel_on_timeout=False)
        with pytest.raises(RunwayTaskTimeoutError, match="It goes on"):
            one.run(poll_interval=5)
        assert one.gateway.deleted == []


class TestBudget:
    def test_what_is_too_dear_is_cancelled_at_once(self, tries):
        one = tries(max_credits=20)
        with pytest.raises(RunwayBudgetError, match="may cost 25 credits, more than max_credits=20"):
            one.run()
        assert one.gateway.deleted == ["t1"]

    def test_what_was_paid_for_and_is_there_is_given_back(self, tries):
        one = tries()
        one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.clear()
        assert one.run(max_credits=20) == "t1"
        assert one.gateway.deleted == []

    def test_a_lowered_bound_does_not_cancel_what_an_earlier_try_has_accepted(self, tries):
        one = tries()
        with pytest.raises(Crash):
            one.run(crash=7)
        assert one.record["phase"] == "submitted"
        assert one.run(max_credits=20) == "t1"
        assert one.gateway.deleted == []

    @pytest.mark.parametrize(("estimate", "bound"), [(25, 25), (None, 1), (25, None)])
    def test_what_is_not_is_not(self, tries, estimate, bound):
        one = tries(max_credits=bound)
        one.gateway.estimate = estimate
        assert one.run() == "t1"


# -- every interleaving -------------------------------------------------------------------------------------
