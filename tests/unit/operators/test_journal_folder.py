"""A task whose journal is a folder: two workers of it at once, runs that were made again, and folders in trouble."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException, TaskDeferred
from unit.operators.folder_tries import begin_in_folder
from unit.operators.memory import MemoryTaskInstance

from airflow_runway.core.journal.record import Phase
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayConfigurationError,
    RunwayError,
    RunwayJournalError,
)
from airflow_runway.hooks import _transport
from airflow_runway.stores.files import Files


@pytest.fixture
def in_folder(monkeypatch, set_connection, tmp_path):
    return partial(begin_in_folder, monkeypatch, set_connection, tmp_path / "journal")


class TestOneWorker:
    def test_a_submission_is_written_down_before_and_after(self, in_folder):
        one = in_folder()
        assert one.run() == "t1"
        assert list(one.files) == ["0001-intent.json", "0002-submitted.json"]

    def test_a_retry_and_a_clear_pay_nothing(self, in_folder):
        one = in_folder()
        one.run()
        assert one.run() == "t1"
        one.clear()
        assert one.run() == "t1"
        assert one.gateway.posts == 1

    def test_a_lost_answer_is_left_to_a_person(self, in_folder):
        one = in_folder()
        one.gateway.faults = ["drop after accept"]
        for _ in range(2):
            with pytest.raises(RunwayAmbiguousSubmissionError):
                one.run()
        assert one.gateway.posts == 1

    def test_the_error_says_how_it_is_settled(self, in_folder):
        one = in_folder()
        one.gateway.faults = ["drop after accept"]
        for _ in range(2):
            with pytest.raises(
                RunwayAmbiguousSubmissionError,
                match=r"recover attach ID --dag dag --run run --task task; .* recover forget --dag dag .* --yes",
            ):
                one.run()
        with pytest.raises(RunwayAmbiguousSubmissionError):
            one.run()
        assert "state entry" not in one.said

    def test_a_submission_takes_four_operations(self, in_folder, monkeypatch):
        """List, create the intent and read it back, create what became of it; the proof of the store is free here."""
        one, operations = in_folder(), []
        for name in ("within", "_create", "found", "contents"):
            real = getattr(Files, name)

            def counted(self, *args, name=name, real=real):
                if name != "contents" or args[0]:
                    operations.append(name)
                return real(self, *args)

            monkeypatch.setattr(Files, name, counted)
        one.run()
        assert operations == ["within", "_create", "found", "_create"]

    def test_where_airflow_empties_its_own_store_the_folder_is_used(self, in_folder, monkeypatch):
        monkeypatch.setenv("AIRFLOW__STATE_STORE__CLEAR_ON_SUCCESS", "True")
        one = in_folder()
        monkeypatch.setattr(one, "context", lambda: {"ti": one.ti, "task_state_store": SimpleNamespace()})
        assert one.run() == "t1"
        assert len(one.files) == 2

    def test_a_dry_run_reads_it_and_writes_nothing(self, in_folder):
        one = in_folder()
        one.run()
        before = one.files
        with pytest.raises(AirflowSkipException, match="t1 would be reused"):
            one.run(dry_run=True)
        assert one.files == before


class Paused:
    """A worker that stops before its n-th operation until it may go on."""

    def __init__(self, one, monkeypatch, number):
        self.left, self.reached, self.may_go_on = number, threading.Event(), threading.Event()
        self.outcome = None
        self._thread = threading.Thread(target=self._run, args=(one,))
        for owner, name in ((Files, "within"), (Files, "_create"), (_transport, "send")):
            monkeypatch.setattr(owner, name, self._around(getattr(owner, name)))

    def _around(self, real):
        def operate(*args):
            if threading.current_thread() is self._thread:
                self.left -= 1
                if self.left == 0:
                    self.reached.set()
                    assert self.may_go_on.wait(20)
            return real(*args)

        return operate

    def _run(self, one):
        self.outcome = outcome_of(one)
        self.reached.set()

    def until_there(self):
        self._thread.start()
        assert self.reached.wait(20)

    def to_the_end(self):
        self.may_go_on.set()
        self._thread.join(20)
        assert not self._thread.is_alive()
        return self.outcome


def outcome_of(one):
    ti = MemoryTaskInstance(one.crash_point, one.max_tries)
    operator = one.operator()
    try:
        return operator.execute({"ti": ti})
    except RunwayError as error:
        return type(error)


class TestTwoWorkers:
    @pytest.mark.parametrize("fault", ["", "refuse", "drop after accept"])
    @pytest.mark.parametrize("number", range(1, 8))
    def test_one_submits_and_nothing_is_paid_twice(self, in_folder, monkeypatch, number, fault):
        one = in_folder()
        one.ti = MemoryTaskInstance(one.crash_point)
        one.gateway.faults = [fault]
        first = Paused(one, monkeypatch, number)
        first.until_there()
        second = outcome_of(one)
        first.to_the_end()
        assert one.gateway.charges <= 1
        assert one.gateway.posts == 1 or (fault == "refuse" and one.gateway.posts == 2)
        if not fault:
            assert "t1" in {first.outcome, second}
            assert one.history.current.runway_task_id == "t1"
        elif fault == "drop after accept":
            assert [record.phase for record in one.history.newest_first()] == [Phase.INTENT]

    def test_the_one_that_was_late_sends_nothing_and_finds_it_in_a_retry(self, in_folder, monkeypatch):
        one = in_folder()
        one.ti = MemoryTaskInstance(one.crash_point)
        first = Paused(one, monkeypatch, 2)  # it has read that there is nothing
        first.until_there()
        assert outcome_of(one) == "t1"
        assert first.to_the_end() is RunwayJournalError
        assert outcome_of(one) == "t1"
        assert one.gateway.posts == 1


class TestARunThatWasMadeAgain:
    @pytest.mark.parametrize(("clear_number", "is_told"), [(0, True), (1, False)])
    def test_it_picks_up_what_the_one_before_paid_for_and_says_so(
        self, in_folder, monkeypatch, caplog, clear_number, is_told
    ):
        one = in_folder()
        one.run()
        later = datetime.fromtimestamp(one.now + 86_400, UTC)
        run = SimpleNamespace(start_date=later, clear_number=clear_number)
        monkeypatch.setattr(one, "context", lambda: {"ti": one.ti, "dag_run": run})
        assert one.run() == "t1"
        assert ("1970-01-12 13:46:40 UTC, before this run began" in caplog.text) is is_told


class TestTrouble:
    def test_foreign_files_are_named_and_nothing_is_sent(self, in_folder):
        one = in_folder()
        one.run()
        next(one.root.rglob("0001-intent.json")).with_name("notes.txt").write_text("mine")
        with pytest.raises(
            RunwayJournalError, match=r"Nothing was sent and .*: the journal folder .*'notes.txt'"
        ):
            one.run()
        assert one.gateway.posts == 1

    def test_a_folder_that_cannot_be_listed_sends_nothing(self, in_folder):
        one = in_folder()
        one.root.mkdir()
        (one.root / "-").write_text("a file")
        with pytest.raises(RunwayJournalError, match=r"could not be read \(NotADirectoryError"):
            one.run()
        assert one.gateway.posts == 0

    def test_one_that_cannot_be_written_sends_nothing(self, in_folder, monkeypatch):
        def full(self, path, content):
            raise OSError(28, "No space left on device")

        one = in_folder()
        monkeypatch.setattr(Files, "_create", full)
        with pytest.raises(
            RunwayJournalError, match=r"could not be written \(OSError\), so nothing was sent"
        ):
            one.run()
        assert one.gateway.posts == 0

    @pytest.mark.parametrize(
        ("variable", "value", "said"),
        [
            ("JOURNAL", "nowhere://x/y", "nothing that ObjectStoragePath understands"),
            ("JOURNAL", "s3://aws_default@bucket/journal", "journal_namespace is empty"),
        ],
    )
    def test_a_wrong_configuration_is_told_before_anything_is_sent(
        self, in_folder, monkeypatch, variable, value, said
    ):
        one = in_folder()
        monkeypatch.setenv(f"AIRFLOW__RUNWAY__{variable}", value)
        with pytest.raises(RunwayConfigurationError, match=said):
            one.run()
        assert one.gateway.posts == 0

    def test_a_wait_that_is_resumed_ends_well_though_the_folder_is_away(self, in_folder):
        one = in_folder(wait_for_completion=True)
        with pytest.raises(TaskDeferred):
            one.run()
        one.gateway.tasks["t1"] = "SUCCEEDED"
        one.store.broken = 99
        assert one.run("execute_complete")["status"] == "SUCCEEDED"
        assert one.store.broken < 99
