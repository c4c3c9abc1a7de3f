"""The journal of one submission: what is written down when, and what happens where that does not work."""

from __future__ import annotations

import logging
import warnings
from dataclasses import replace
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowException, AirflowRuntimeError, ErrorType
from airflow.sdk.execution_time.comms import ErrorResponse
from unit.stores.state_store import context

from airflow_runway.core.journal.history import OPEN_KEPT
from airflow_runway.core.journal.submission import UNREADABLE, History, Phase, Record
from airflow_runway.exceptions import RunwayJournalError
from airflow_runway.stores import history as module
from airflow_runway.stores.history import KEY, kept_for_good
from airflow_runway.stores.submission import SubmissionStore, no_longer_there

INTENT = Record(
    Phase.INTENT, "same", "runway", "image_to_video", sent_at=1.0, anchored_at=1.0, max_tries=3, token="x"
)
EARLIER = replace(
    INTENT,
    phase=Phase.CLOSED,
    runway_task_id="t0",
    outcome="failed",
    evidence={"credits": 5.0},
)


def opened(memory, *, holding=None, max_tries=3):
    """The store of a new try."""
    if holding is not None:
        memory.values[KEY] = History(holding).as_json()
    store = SubmissionStore(context(memory, max_tries))
    store.load()
    return store


def read_again(memory):
    """The current record, as the next try finds it."""
    return history_in(memory).current


def history_in(memory):
    return SubmissionStore(context(memory)).load()


class TestLoad:
    def test_nothing(self, memory):
        store = SubmissionStore(context(memory))
        assert store.load() == History()
        assert store.record is None
        assert store.is_kept

    def test_what_an_earlier_try_wrote(self, memory):
        memory.values[KEY] = History(EARLIER, (INTENT,), ("t9",)).as_json()
        store = SubmissionStore(context(memory))
        assert store.load() == store.history == History(EARLIER, (INTENT,), ("t9",))
        assert store.record == EARLIER

    @pytest.mark.parametrize("value", [{"phase": "of tomorrow"}, [], "x", 7])
    def test_what_cannot_be_understood_is_not_nothing(self, memory, value):
        memory.values[KEY] = value
        store = SubmissionStore(context(memory))
        assert store.load() is UNREADABLE
        assert store.record is None

    def test_what_cannot_be_read_is_not_nothing(self, memory, caplog):
        memory.values[KEY] = History(EARLIER).as_json()
        memory.failures = 1
        store = SubmissionStore(context(memory))
        assert store.load() is UNREADABLE
        assert store.record is None
        assert "could not be read" in caplog.text


@pytest.mark.parametrize(
    ("recorded", "now", "cleared"),
    [(3, 3, False), (3, 5, True), (3, 0, True), (None, 3, False), (3, None, False), (None, None, False)],
)
def test_a_clear_is_known_by_the_number_of_tries(memory, recorded, now, cleared):
    store = opened(memory, holding=replace(EARLIER, max_tries=recorded), max_tries=now)
    assert store.was_cleared(store.record) is cleared


def test_without_a_record_nothing_was_cleared(memory):
    assert opened(memory).was_cleared(None) is False


class TestIntend:
    def test_it_is_written_and_looked_at(self, memory):
        store = opened(memory)
        memory.operations.clear()
        store.intend(INTENT)
        assert memory.operations == ["set", "get"]
        assert store.record == read_again(memory) == INTENT

    def test_an_earlier_record_is_kept_beside_it(self, memory):
        opened(memory, holding=EARLIER).intend(INTENT)
        assert history_in(memory) == History(INTENT, (EARLIER,))

    def test_an_earlier_lost_answer_is_kept_too(self, memory):
        lost = replace(INTENT, fingerprint="other")
        opened(memory, holding=lost).intend(INTENT)
        assert history_in(memory).open() == (INTENT, lost)

    def test_what_does_not_fit_any_more_is_named(self, memory, caplog):
        store = opened(memory)
        for number in range(OPEN_KEPT + 2):
            store.intend(replace(INTENT, fingerprint=str(number), sent_at=float(number)))
        assert "is full and forgets the submission at 0 (seconds since the epoch): note it." in caplog.text

    @pytest.mark.parametrize("earlier", [None, EARLIER])
    @pytest.mark.parametrize("fault", ["failures", "failures_afterwards"])
    def test_what_could_not_be_written_is_taken_back_and_nothing_may_be_sent(self, memory, earlier, fault):
        store = opened(memory, holding=earlier)
        setattr(memory, fault, 1)
        with pytest.raises(RunwayJournalError, match=r"\(ConnectionError\), so nothing was sent and nothing"):
            store.intend(INTENT)
        assert store.record == read_again(memory) == earlier

    @pytest.mark.parametrize("earlier", [None, EARLIER])
    def test_another_record_that_comes_back_is_a_failure(self, memory, earlier, monkeypatch):
        store = opened(memory, holding=earlier)
        real, answers = memory.get, [{"phase": "odd"}]
        monkeypatch.setattr(memory, "get", lambda key: answers.pop() if answers else real(key))
        with pytest.raises(RunwayJournalError, match=r"\(RuntimeError\)"):
            store.intend(INTENT)
        assert read_again(memory) == earlier

    def test_an_intent_that_cannot_be_taken_back_either_stays_and_is_logged(self, memory, caplog):
        store = opened(memory)
        memory.failures_afterwards, memory.operations = 1, []
        delete = memory.delete

        def away(key):
            memory.failures = 1
            delete(key)

        memory.delete = away
        with pytest.raises(RunwayJournalError):
            store.intend(INTENT)
        assert "The intent could not be taken back." in caplog.text
        assert read_again(memory) == INTENT


class TestForget:
    def test_nothing_was_there_before(self, memory):
        store = opened(memory)
        store.intend(INTENT)
        store.forget()
        assert KEY not in memory.values
        assert store.record is None
        assert read_again(memory) is None

    def test_what_was_there_before_counts_again(self, memory):
        store = opened(memory, holding=EARLIER)
        store.intend(INTENT)
        store.forget()
        assert store.record == read_again(memory) == EARLIER

    def test_a_store_that_is_away_is_logged_and_no_error(self, memory, caplog):
        store = opened(memory)
        store.intend(INTENT)
        memory.failures = 1
        store.forget()
        assert "could not be taken back" in caplog.text
        assert read_again(memory) == INTENT


class TestPut:
    def test_changes_are_written(self, memory):
        store = opened(memory)
        store.intend(INTENT)
        store.put(phase=Phase.SUBMITTED, runway_task_id="t1", estimated_credits=25.0)
        submitted = replace(INTENT, phase=Phase.SUBMITTED, runway_task_id="t1", estimated_credits=25.0)
        assert store.record == read_again(memory) == submitted

    def test_without_a_record_there_is_nothing_to_change(self, memory):
        store = opened(memory)
        store.put(runway_task_id="t1")
        assert memory.operations == ["get"]
        assert store.record is None

    @pytest.mark.parametrize(("failures", "pauses"), [(1, [1]), (2, [1, 2]), (3, [1, 2, 4])])
    def test_what_was_paid_for_is_written_persistently(self, memory, naps, caplog, failures, pauses):
        store = opened(memory)
        store.intend(INTENT)
        memory.failures = failures
        store.put(phase=Phase.SUBMITTED, runway_task_id="t1")
        assert naps == pauses
        assert read_again(memory).runway_task_id == "t1"
        assert caplog.text.count("The journal could not be written.") == failures
        assert not [record for record in caplog.records if record.levelno >= logging.ERROR]

    def test_in_the_end_the_id_is_logged_and_the_task_goes_on(self, memory, naps, caplog):
        store = opened(memory)
        store.intend(INTENT)
        memory.failures = 4
        store.put(phase=Phase.SUBMITTED, runway_task_id="t1")
        assert naps == [1, 2, 4]
        (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert line == "Runway task t1 is not in the journal: note this id."
        assert store.record.runway_task_id == "t1"
        assert read_again(memory) == INTENT


class TestTakeUp:
    def test_an_earlier_submission_counts_again(self, memory):
        store = opened(memory, holding=EARLIER)
        store.intend(INTENT)
        store.take_up(EARLIER, phase=Phase.SUBMITTED)
        assert history_in(memory) == History(replace(EARLIER, phase=Phase.SUBMITTED), (INTENT,))

    def test_the_current_one_is_changed(self, memory):
        store = opened(memory, holding=EARLIER)
        store.take_up(EARLIER, max_tries=7)
        assert history_in(memory) == History(replace(EARLIER, max_tries=7))

    def test_without_a_change_nothing_is_written(self, memory):
        store = opened(memory, holding=EARLIER)
        store.take_up(EARLIER)
        assert memory.operations == ["get"]


class TestReplaced:
    def test_what_was_cancelled_has_ended_and_what_was_not_is_left_to_the_next_try(self, memory):
        store = opened(memory, holding=EARLIER)
        store.intend(replace(INTENT, replaces=("t0", "t5")))
        store.replaced(["t0"], ("t5",))
        cancelled = replace(EARLIER, phase=Phase.CLOSED, outcome="cancelled")
        assert history_in(memory) == History(replace(INTENT, replaces=("t5",)), (cancelled,))

    def test_without_a_record_there_is_nothing_to_record(self, memory):
        opened(memory).replaced(["t0"], ())
        assert memory.operations == ["get"]


class TestClearedMeanwhile:
    """Airflow gives a cleared task another id: what the old worker writes is answered with 404."""

    def put(self, memory, status):
        store = opened(memory)
        store.intend(INTENT)
        detail = {"status_code": status, "message": "", "detail": None}
        answer = ErrorResponse(error=ErrorType.API_SERVER_ERROR, detail=detail)

        def refuse(key):
            memory.asked += 1
            raise AirflowRuntimeError(answer)

        memory.asked, memory.at_write = 0, refuse
        store.put(phase=Phase.SUBMITTED, runway_task_id="t1")
        return store

    @pytest.mark.parametrize("status", [404, 410])
    def test_one_attempt_and_the_id_is_in_the_log_at_once(self, memory, naps, caplog, status):
        store = self.put(memory, status)
        assert memory.asked == 1
        assert naps == []
        assert store.is_cut_off
        (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
        assert line.startswith("Runway task t1 is not in the journal: this task was cleared meanwhile")

    @pytest.mark.parametrize("status", [500, None])
    def test_other_answers_may_pass(self, memory, naps, status):
        store = self.put(memory, status)
        assert memory.asked == 4
        assert naps == [1, 2, 4]
        assert not store.is_cut_off

    @pytest.mark.parametrize("error", [ConnectionError(), AirflowException("x"), KeyError("error")])
    def test_other_errors_are_no_such_answer(self, error):
        assert not no_longer_there(error)


@pytest.mark.parametrize(("map_index", "mapped"), [(-1, False), (0, True), (7, True), (None, False)])
def test_a_mapped_task_is_known_by_its_index(memory, map_index, mapped):
    ti = SimpleNamespace(max_tries=3, map_index=map_index)
    assert SubmissionStore({"task_state_store": memory, "ti": ti}).is_mapped is mapped


class TestEmptiedOnSuccess:
    def test_it_is_said_once(self, memory, monkeypatch):
        monkeypatch.setattr(module, "_warned", set())
        monkeypatch.setenv("AIRFLOW__STATE_STORE__CLEAR_ON_SUCCESS", "True")
        with pytest.warns(RuntimeWarning, match="a clear after a success submits, and pays, again"):
            SubmissionStore(context(memory))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            SubmissionStore(context(memory))

    def test_where_it_is_off_nothing_is_said(self, memory, monkeypatch):
        monkeypatch.setattr(module, "_warned", set())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            SubmissionStore(context(memory))


class TestClose:
    @pytest.mark.parametrize("phase", [Phase.SUBMITTED, Phase.CLOSED])
    def test_the_outcome_and_the_tries_are_recorded(self, memory, phase):
        submitted = replace(EARLIER, phase=phase, outcome="", max_tries=2)
        store = opened(memory, holding=submitted, max_tries=5)
        store.close("succeeded")
        closed = replace(submitted, phase=Phase.CLOSED, outcome="succeeded", max_tries=5)
        assert store.record == read_again(memory) == closed

    def test_an_intent_stays_one(self, memory):
        store = opened(memory)
        store.intend(INTENT)
        store.close("failed")
        assert read_again(memory) == INTENT

    def test_without_a_record_nothing_is_closed(self, memory):
        opened(memory).close("failed")
        assert memory.operations == ["get"]


class TestWithoutAStore:
    @pytest.fixture
    def store(self, monkeypatch):
        monkeypatch.setattr(module, "_warned", {"no store"})
        return SubmissionStore(context(None))

    def test_it_holds_nothing(self, store):
        assert not store.is_kept
        assert store.load() == History()
        assert store.was_cleared(store.record) is False

    def test_within_the_same_try_it_remembers(self, store):
        store.intend(INTENT)
        assert store.record == INTENT
        store.put(phase=Phase.SUBMITTED, runway_task_id="t1")
        store.close("succeeded")
        assert (store.record.runway_task_id, store.record.outcome) == ("t1", "succeeded")

    def test_an_intent_is_forgotten(self, store):
        store.intend(INTENT)
        store.forget()
        assert store.record is None

    def test_what_that_costs_is_said_once(self, monkeypatch):
        monkeypatch.setattr(module, "_warned", set())
        with pytest.warns(
            RuntimeWarning, match=r"retry or clear of a submitting task submits, and pays, again"
        ):
            SubmissionStore({"ti": object()})
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            SubmissionStore(context(None))


def test_no_record_expires(memory):
    from airflow.sdk.execution_time.context import NEVER_EXPIRE

    store = opened(memory, holding=EARLIER)
    store.intend(INTENT)
    store.put(phase=Phase.SUBMITTED, runway_task_id="t1")
    store.close("succeeded")
    store.forget()
    assert memory.retentions == [NEVER_EXPIRE] * 4
    assert kept_for_good() == {"retention": NEVER_EXPIRE}


def test_an_airflow_without_retention_is_not_asked_for_it(monkeypatch):
    from airflow.sdk.execution_time import context as airflow_context

    monkeypatch.delattr(airflow_context, "NEVER_EXPIRE")
    assert kept_for_good() == {}


def test_what_is_stored_holds_no_prompt_key_or_link(memory):
    opened(memory).intend(INTENT)
    assert set(memory.values[KEY]) == {"version", "current", "earlier", "previous"}
    assert set(memory.values[KEY]["current"]) == {
        "phase", "fingerprint", "gateway", "route", "sent_at", "runway_task_id", "refused", "anchored_at",
        "max_tries", "estimated_credits", "charged_credits", "token", "account", "evidence", "outcome",
        "as_written", "replaces", "model", "team_name", "kind", "router", "taken_until",
    }  # fmt: skip
