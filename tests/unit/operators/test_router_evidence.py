"""Answers that were lost on the way from a router: what its list names, who may take it, and when."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from functools import partial

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, TaskDeferred
from unit.operators.memory import Crash
from unit.operators.router_tries import PAYLOAD, attempt, begin_with_router, history_of, sibling
from unit.scripted import KEY

from airflow_runway.core.journal.evidence import LONGEST_PREPARATION, closes_at
from airflow_runway.core.journal.record import Phase
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayConfigurationError,
    RunwayEvidencePendingError,
    RunwayJournalError,
    RunwayLostAnswerError,
    RunwayRequestRefusedError,
)
from airflow_runway.operators.runway import RunwaySubmitOperator
from airflow_runway.retry_policy import RunwayRetryPolicy
from airflow_runway.stores import history
from airflow_runway.stores.claims import claim
from airflow_runway.stores.files import Files
from airflow_runway.stores.folder import configured_journal
from airflow_runway.stores.routers import RouterNotes

LOST = "502 after accept"


@pytest.fixture
def router(monkeypatch, set_connection, tmp_path):
    return partial(begin_with_router, monkeypatch, set_connection, tmp_path / "journal")


@pytest.fixture(params=["folder", "store"])
def kept(request, router):
    return partial(router, kept=request.param)


def lose(one, fault=LOST):
    one.gateway.faults = [fault]
    error = attempt(one)
    assert type(error) is RunwayEvidencePendingError
    return error


def until_closed(one, more=0.0):
    (record,) = history_of(one).open()
    one.clock.now = closes_at(record) + more


class TestOneTask:
    def test_a_retry_takes_up_what_the_list_names_and_pays_nothing(self, kept):
        one = kept()
        lose(one)
        until_closed(one)
        assert one.run() == "t1"
        assert one.gateway.posts == 1
        record = history_of(one).current
        assert not record.is_open
        assert (record.runway_task_id, record.estimated_credits) == ("t1", 25.0)
        assert one.ti.xcoms["runway_task_id"] == "t1"

    def test_and_from_then_on_it_is_a_generation_like_any_other(self, kept):
        one = kept(wait_for_completion=True)
        lose(one)
        until_closed(one)
        with pytest.raises(TaskDeferred):
            one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        assert one.run()["status"] == "SUCCEEDED"
        one.clear()
        assert one.run()["id"] == "t1"
        assert one.gateway.posts == 1

    def test_a_worker_that_died_is_healed_too(self, kept):
        healed = 0
        for number, after in itertools.product(range(1, 12), [False, True]):
            one = kept()
            assert attempt(one, crash=number, after=after) in {Crash, "t1"}
            if one.gateway.charges and history_of(one).open():
                until_closed(one)
                healed += 1
                assert one.run() == "t1"
                assert one.gateway.posts == 1
        assert healed > 1

    def test_before_the_list_is_certain_nothing_is_taken(self, kept):
        one = kept()
        error = lose(one)
        until_closed(one, more=-0.1)
        with pytest.raises(
            RunwayEvidencePendingError, match=r"Runway task t1 \(gen4\.5, at most 25 credits"
        ) as caught:
            one.run()
        assert caught.value.retry_after == pytest.approx(0.1)
        assert error.retry_after == pytest.approx(840, abs=5)
        assert one.gateway.posts == 1

    def test_what_the_error_says(self, router):
        one = router()
        error = str(lose(one))
        assert "may exist and may be charged" in error
        assert "for certain from 1970-01-12 14:00:40 UTC on: a retry sends nothing" in error
        assert "From 1970-01-12 14:01:40 UTC on it is left to a person" in error
        assert "resubmit" not in error

    def test_the_retry_policy_waits_until_the_list_is_certain(self, router):
        one = router()
        error = lose(one)
        decision = RunwayRetryPolicy().evaluate(error, 1, 3)
        assert decision.retry_delay == timedelta(seconds=error.retry_after)

    def test_with_nothing_in_the_list_it_is_left_to_a_person_in_the_end(self, kept):
        one = kept()
        lose(one, "drop")
        until_closed(one)
        with pytest.raises(RunwayEvidencePendingError, match="lists no generation between"):
            one.run()
        one.now += 60
        with pytest.raises(
            RunwayAmbiguousSubmissionError, match=r"lists no generation .*None is taken"
        ) as caught:
            one.run()
        assert isinstance(caught.value, AirflowFailException)
        assert isinstance(caught.value, RunwayLostAnswerError)
        assert "To decide" in str(caught.value)
        assert one.gateway.posts == 1

    def test_a_row_that_comes_while_one_looks_is_found(self, router):
        one = router(evidence_timeout=3600)
        one.gateway.lates = [1000.0]
        lose(one)
        until_closed(one)
        assert type(attempt(one)) is RunwayEvidencePendingError
        one.now += 1000
        assert one.run() == "t1"

    def test_a_list_that_cannot_be_read_is_never_nothing_there(self, router):
        one = router()
        lose(one)
        until_closed(one)
        one.gateway.lists_fail = 99
        with pytest.raises(RunwayEvidencePendingError, match="could not be read: Runway could not be asked"):
            one.run()
        one.gateway.lists_fail = 0
        assert one.run() == "t1"

    def test_several_are_named_and_none_is_taken(self, kept):
        one = kept()
        lose(one)
        one.gateway.foreign("theirs", one.now + 5)
        until_closed(one, more=100)
        with pytest.raises(RunwayAmbiguousSubmissionError, match=r"Runway task theirs .*; Runway task t1 "):
            one.run()
        assert one.gateway.posts == 1

    def test_rows_of_another_time_are_not_its_own(self, kept):
        one = kept()
        one.gateway.foreign("earlier", one.now - 61)
        lose(one)
        one.gateway.foreign("later", history_of(one).current.taken_until + 61)
        until_closed(one)
        assert one.run() == "t2"

    @pytest.mark.parametrize("policy", ["fail", "resubmit"])
    def test_only_whoever_asks_for_it_gets_it(self, router, policy):
        one = router(on_ambiguous_submit=policy)
        one.gateway.faults = [LOST]
        assert type(attempt(one)) is RunwayAmbiguousSubmissionError
        until_closed(one)
        assert one.run(on_ambiguous_submit="recover") == "t1"

    def test_where_nothing_keeps_the_intent_a_retry_would_pay_again_so_there_is_none(
        self, router, monkeypatch
    ):
        one = router(kept="store only")
        monkeypatch.setattr(history, "_warned", set())
        monkeypatch.setattr(one, "context", lambda: {"ti": one.ti})
        one.gateway.faults = [LOST]
        with pytest.warns(RuntimeWarning, match="no task_state_store"):
            assert type(attempt(one)) is RunwayAmbiguousSubmissionError

    def test_a_route_without_evidence_is_as_ever(self, router):
        one = router(
            route="image_to_video", payload={"model": "gen4_turbo", "promptImage": "https://e/a.jpg"}
        )
        one.gateway.faults = [LOST]
        assert type(attempt(one)) is RunwayAmbiguousSubmissionError
        assert type(attempt(one)) is RunwayAmbiguousSubmissionError
        assert not (one.root / "-" / "routers").exists()

    def test_on_another_account_nothing_is_looked_for(self, router, set_connection):
        one = router()
        lose(one)
        until_closed(one)
        set_connection(password="key_22222222222222222222222222222222")
        assert type(attempt(one)) is RunwayAmbiguousSubmissionError

    def test_without_a_journal_folder_it_is_named_and_not_taken(self, router):
        one = router(kept="store only")
        lose(one)
        until_closed(one, more=100)
        with pytest.raises(
            RunwayAmbiguousSubmissionError, match=r"Runway task t1 .*Without a journal folder"
        ):
            one.run()
        assert one.gateway.posts == 1

    def test_a_folder_that_was_set_up_afterwards_knows_nothing_of_it(self, router, monkeypatch, tmp_path):
        one = router(kept="store only")
        lose(one)
        until_closed(one, more=100)
        monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL", f"file://{tmp_path / 'journal'}")
        with pytest.raises(
            RunwayAmbiguousSubmissionError, match=r"Runway task t1 .*does not hold this submission"
        ):
            one.run()

    def test_a_dry_run_says_it_and_claims_nothing(self, router):
        one = router()
        lose(one)
        until_closed(one)
        before = sorted(one.root.rglob("*"))
        with pytest.raises(AirflowSkipException, match="t1 would be reused"):
            one.run(dry_run=True)
        assert sorted(one.root.rglob("*")) == before
        assert not history_of(one).ids()

    def test_no_secret_and_no_prompt_is_written_down(self, router):
        one = router()
        lose(one)
        until_closed(one)
        one.run()
        written = "".join(path.read_text() + path.name for path in one.root.rglob("*") if path.is_file())
        assert KEY not in written
        assert PAYLOAD["input"]["promptText"] == "a"
        assert "promptText" not in written + one.log.text + one.said

    @pytest.mark.parametrize("wrong", [-1, "soon", None, True])
    def test_a_timeout_that_is_none_is_refused_when_the_dag_is_parsed(self, wrong):
        with pytest.raises(ValueError, match="evidence_timeout"):
            RunwaySubmitOperator(task_id="x", route="generate/video", payload={}, evidence_timeout=wrong)


class TestTwoTasks:
    def test_neither_takes_what_may_be_the_others(self, kept):
        one = kept(mapped=True)
        other = sibling(one, 1)
        lose(one)
        lose(other, "drop")
        for task in (one, other):
            until_closed(task, more=100)
        for task in (one, other):
            with pytest.raises(RunwayAmbiguousSubmissionError, match=r"Runway task t1 .*1 other submission"):
                task.run()
        assert one.gateway.posts == 2

    def test_what_the_other_holds_is_not_taken(self, kept):
        one = kept(mapped=True)
        other = sibling(one, 1)
        lose(one, "drop")
        assert other.run() == "t1"
        until_closed(one, more=100)
        with pytest.raises(RunwayAmbiguousSubmissionError, match="lists no generation"):
            one.run()

    def test_what_the_other_holds_does_not_stand_in_the_way(self, kept):
        one = kept(mapped=True)
        other = sibling(one, 1)
        lose(one)
        assert other.run() == "t2"
        until_closed(one)
        assert one.run() == "t1"

    def test_another_that_was_refused_does_not_stand_in_the_way(self, kept):
        one = kept(mapped=True)
        other = sibling(one, 1)
        lose(one)
        one.gateway.faults = ["refuse"]
        assert type(attempt(other)) is RunwayRequestRefusedError
        until_closed(one)
        assert one.run() == "t1"

    def test_of_another_time_both_are_taken_up(self, kept):
        one = kept(mapped=True)
        other = sibling(one, 1)
        lose(one)
        until_closed(one)
        lose(other)
        assert one.run() == "t1"
        until_closed(other)
        assert other.run() == "t2"

    def test_what_somebody_has_claimed_is_not_taken(self, kept):
        one = kept()
        lose(one)
        assert claim(configured_journal().files, "t1", by="a person")
        until_closed(one, more=100)
        with pytest.raises(RunwayAmbiguousSubmissionError, match="lists no generation"):
            one.run()

    def test_what_somebody_claims_in_between_is_not_taken(self, kept, monkeypatch):
        one = kept()
        lose(one)
        until_closed(one)
        monkeypatch.setattr("airflow_runway.stores.routers.claim", lambda *args, **kwargs: False)
        with pytest.raises(RunwayEvidencePendingError, match="somebody else was quicker"):
            one.run()

    def test_a_note_that_was_not_written_blocks_others_until_the_next_try_of_its_task(
        self, kept, monkeypatch
    ):
        one = kept(mapped=True)
        other = sibling(one, 1)
        lose(one)

        def away(self, record, runway_task_id):
            raise OSError(5, "Input/output error")

        with monkeypatch.context() as patch:
            patch.setattr(RouterNotes, "hold", away)
            assert other.run() == "t2"
        assert "What became of a request to router film is not noted (OSError)." in one.log.text
        until_closed(one)
        with pytest.raises(RunwayEvidencePendingError, match="1 other submission"):
            one.run()
        assert other.run() == "t2"
        assert one.run() == "t1"

    def test_a_policy_of_the_other_plays_no_part(self, kept):
        one = kept(mapped=True)
        other = sibling(one, 1)
        other.fields["on_ambiguous_submit"] = "fail"
        lose(one, "drop")
        assert other.run() == "t1"
        until_closed(one, more=100)
        assert type(attempt(one)) is RunwayAmbiguousSubmissionError


class TestTrouble:
    def test_a_folder_that_cannot_be_written_sends_nothing(self, router, monkeypatch):
        real = Files._create

        def full(self, path, content):
            if "/routers/" in path:
                raise OSError(28, "No space left on device")
            real(self, path, content)

        one = router(kept="store")
        monkeypatch.setattr(Files, "_create", full)
        with pytest.raises(
            RunwayJournalError, match=r"folder could not be written \(OSError\), so nothing was sent"
        ):
            one.run()
        assert one.gateway.posts == 0
        assert not history_of(one).open()

    def test_one_that_is_configured_wrongly_sends_nothing(self, router, monkeypatch):
        one = router(kept="store")
        monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL", "s3://aws_default@bucket/journal")
        with pytest.raises(RunwayConfigurationError, match="journal_namespace is empty"):
            one.run()
        assert one.gateway.posts == 0
        assert not history_of(one).open()

    def test_a_post_that_would_come_too_late_to_be_told_by_its_time_is_not_sent(self, router, monkeypatch):
        one = router(kept="store")
        real = Files._create

        def slow(self, path, content):
            one.now += LONGEST_PREPARATION + 1
            real(self, path, content)

        monkeypatch.setattr(Files, "_create", slow)
        with pytest.raises(RunwayJournalError, match="took 61 s, and a generation"):
            one.run()
        assert one.gateway.posts == 0
        monkeypatch.setattr(Files, "_create", real)
        assert one.run() == "t1"

    def test_foreign_files_in_the_index_are_told(self, router):
        one = router()
        lose(one)
        next(one.root.rglob("*-open.json")).with_name("notes.txt").write_text("mine")
        until_closed(one, more=100)
        with pytest.raises(
            RunwayAmbiguousSubmissionError, match=r"t1 .*'routers/film/.*notes.txt', which is none"
        ):
            one.run()

    def test_what_was_accepted_and_could_not_be_recorded_is_found_by_its_own_note(self, router):
        """The task was cleared while its worker ran: Airflow's store takes no more, the folder does."""
        one = router(kept="store")
        real = one.gateway.send

        def send(session, settings, call):
            one.store.cleared_meanwhile = call.method == "POST" or one.store.cleared_meanwhile
            return real(session, settings, call)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("airflow_runway.hooks._transport.send", send)
            one.run()
        assert [record.phase for record in history_of(one).newest_first()] == [Phase.INTENT]
        one.gateway.foreign("theirs", one.now)
        one.clear()
        assert one.run() == "t1"  # at once: it is certain
        assert one.gateway.posts == 1

    def test_a_submission_through_a_router_takes_two_operations_more(self, router, monkeypatch):
        one, operations = router(kept="folder"), []
        for name in ("within", "_create", "found"):
            real = getattr(Files, name)

            def counted(self, *args, name=name, real=real):
                operations.append(name)
                return real(self, *args)

            monkeypatch.setattr(Files, name, counted)
        one.run()
        assert operations == ["within", "_create", "found", "_create", "_create", "_create"]

    def test_the_index_holds_names_only(self, router):
        one = router()
        one.run()
        names = sorted(path for path in one.root.rglob("*") if "routers" in path.parts and path.is_file())
        assert [path.parent.name for path in names] == ["1970-01-12"] * 2
        assert {tuple(json.loads(path.read_text())) for path in names} == {("task",)}
