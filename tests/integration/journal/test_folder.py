"""The journal folder on a file system and on an S3 server: what is created once stays, and is read by everybody."""

from __future__ import annotations

import threading
from dataclasses import replace
from types import SimpleNamespace

import pytest

from airflow_runway.core.journal.history import History
from airflow_runway.core.journal.record import Phase, Record
from airflow_runway.exceptions import RunwayConfigurationError, RunwayJournalError
from airflow_runway.stores import files as module
from airflow_runway.stores.files import Files, JournalFolderError, TakenError
from airflow_runway.stores.folder import configured_journal
from airflow_runway.stores.history import AnotherWorkerError, InFolder
from airflow_runway.stores.submission import SubmissionStore

INTENT = Record(Phase.INTENT, "same", "runway", "image_to_video", sent_at=1.0, anchored_at=1.0, max_tries=3)
SUBMITTED = replace(INTENT, phase=Phase.SUBMITTED, runway_task_id="t1")
RACES, RACERS = 20, 8


def context(**fields):
    ti = {"dag_id": "dag", "run_id": "run", "task_id": "task", "map_index": -1, "max_tries": 3}
    return {"ti": SimpleNamespace(**ti | fields)}


def overwriting(folder, monkeypatch):
    """A history on a store that creates what is there already."""

    def create(self, path, content):
        self.fs.makedirs(path.rpartition("/")[0], exist_ok=True)
        self.fs.pipe_file(path, content)

    monkeypatch.setattr(Files, "_create", create)
    monkeypatch.setattr(module, "_LOCAL", frozenset())
    keeper = InFolder(folder)
    assert keeper.read() == History()
    return keeper


def names(storage):
    return sorted(
        name.rpartition("/")[2] for name in storage.files() if not name.rpartition("/")[2].startswith(".")
    )


class TestCreation:
    def test_what_was_created_is_not_created_again(self, journal):
        one, other = journal(), journal()
        one.create("0001-intent.json", {"owner": "one"})
        with pytest.raises(TakenError):
            other.create("0001-intent.json", {"owner": "other"})
        assert one.holds("0001-intent.json", {"owner": "one"})

    def test_a_creation_whose_answer_was_lost_is_found_to_be_ones_own(self, journal):
        one = journal()
        one.create("0001-intent.json", {"owner": "one"})
        one.create("0001-intent.json", {"owner": "one"})

    def test_of_several_at_once_one_succeeds(self, journal):
        for number in range(RACES):
            folders = [journal(run_id=f"run {number}") for _ in range(RACERS)]
            gate, winners = threading.Barrier(RACERS), []

            def race(racer, folder, gate=gate, winners=winners):
                gate.wait()
                try:
                    folder.create("0001-intent.json", {"owner": racer})
                except TakenError:
                    return
                winners.append(racer)

            racers = [threading.Thread(target=race, args=each) for each in enumerate(folders)]
            for racer in racers:
                racer.start()
            for racer in racers:
                racer.join()
            assert len(winners) == 1
            assert folders[0].holds("0001-intent.json", {"owner": winners[0]})

    def test_only_the_name_of_a_complete_file_is_seen(self, journal, storage):
        journal().create("0001-intent.json", {"owner": "one"})
        assert names(storage) == ["0001-intent.json"]


class TestHistory:
    def test_another_worker_reads_what_was_written(self, journal):
        one = InFolder(journal())
        one.read()
        one.write(History(INTENT))
        assert InFolder(journal()).read() == History(INTENT)
        one.write(History(SUBMITTED))
        assert InFolder(journal()).read() == History(SUBMITTED)

    def test_of_two_workers_that_saw_the_same_one_submits(self, journal):
        one, other = InFolder(journal()), InFolder(journal())
        assert one.read() == other.read() == History()
        one.write(History(INTENT))
        with pytest.raises(AnotherWorkerError):
            other.write(History(replace(INTENT, sent_at=2.0)))
        assert InFolder(journal()).read() == History(INTENT)

    def test_what_two_workers_say_of_what_was_sent_stays_both(self, journal):
        one, other = InFolder(journal()), InFolder(journal())
        one.read()
        one.write(History(INTENT))
        other.read()
        other.write(History(replace(INTENT, runway_task_id="t1", refused=True)))
        one.write(History(SUBMITTED))
        assert InFolder(journal()).read() == History(SUBMITTED)

    def test_tasks_indices_runs_and_dags_of_similar_names_are_kept_apart(self, journal):
        apart = [
            {}, {"map_index": 0}, {"map_index": 1}, {"task_id": "a/b"}, {"task_id": "a_b"}, {"run_id": "run:1"},
            {"run_id": "run_1"}, {"run_id": ".."}, {"dag_id": "x" * 200}, {"dag_id": "x" * 201},
        ]  # fmt: skip
        for number, fields in enumerate(apart):
            keeper = InFolder(journal(**fields))
            assert keeper.read() == History()
            keeper.write(History(replace(INTENT, sent_at=float(number))))
        for number, fields in enumerate(apart):
            assert InFolder(journal(**fields)).read().current.sent_at == number


class TestStore:
    def test_a_submission_and_its_retry(self, journal, storage):
        store = SubmissionStore(context())
        assert store.load() == History()
        assert store.is_kept
        store.intend(INTENT)
        store.put(phase=Phase.SUBMITTED, runway_task_id="t1")
        store.close("returned")
        assert names(storage) == ["0001-intent.json", "0002-submitted.json"]
        assert SubmissionStore(context()).load().current.runway_task_id == "t1"

    def test_what_was_provably_not_taken_is_forgotten(self, journal, storage):
        store = SubmissionStore(context())
        store.load()
        store.intend(INTENT)
        store.forget()
        assert names(storage) == ["0001-intent.json", "0002-forgotten.json"]
        assert SubmissionStore(context()).load() == History()

    def test_the_second_of_two_workers_sends_nothing(self, journal):
        one, other = SubmissionStore(context()), SubmissionStore(context())
        one.load(), other.load()
        one.intend(INTENT)
        with pytest.raises(RunwayJournalError, match="Another worker of this very task"):
            other.intend(replace(INTENT, sent_at=2.0))
        assert SubmissionStore(context()).load() == History(INTENT)

    def test_a_dry_run_writes_nothing(self, journal, storage):
        store = SubmissionStore(context(), is_dry_run=True)
        store.load()
        store.intend(INTENT)
        assert storage.files() == {}


class TestTrouble:
    def test_a_file_of_somebody_else_is_named(self, journal):
        journal().create("notes.txt", {})
        with pytest.raises(JournalFolderError, match=r"holds 'notes.txt', which is none of its files"):
            InFolder(journal()).read()

    def test_a_file_that_was_edited_is_named(self, journal):
        journal().create("0001-intent.json", {"version": 1})
        with pytest.raises(JournalFolderError, match=r"0001-intent.json in .* cannot be understood"):
            InFolder(journal()).read()

    def test_a_store_that_does_not_refuse_is_none_for_a_journal(self, journal, monkeypatch):
        keeper = overwriting(journal(), monkeypatch)
        with pytest.raises(RunwayConfigurationError, match="created the same file twice"):
            keeper.write(History(INTENT))
        assert InFolder(journal()).read() == History()

    def test_unless_somebody_takes_the_risk(self, journal, monkeypatch):
        monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL_UNSAFE", "True")
        keeper = overwriting(journal(), monkeypatch)
        keeper.write(History(INTENT))
        assert InFolder(journal()).read() == History(INTENT)


class TestOverview:
    def test_every_task_that_has_sent_anything_is_found(self, journal):
        sent = [
            {"task_id": "group.a"}, {"task_id": "b", "map_index": 7}, {"run_id": "manual__2026-11-25T03:00:00+00:00"},
            {"dag_id": "other"},
        ]  # fmt: skip
        for fields in sent:
            keeper = InFolder(journal(**fields))
            keeper.read()
            keeper.write(History(INTENT))
        found = configured_journal().tasks()
        assert {
            (one.task.dag_id, one.task.run_id, one.task.task_id, one.task.map_index) for one in found
        } == {
            ("dag", "run", "group.a", None),
            ("dag", "run", "b", 7),
            ("dag", "manual__2026-11-25T03:00:00+00:00", "task", None),
            ("other", "run", "task", None),
        }
        (one,) = configured_journal().tasks("dag", "manual__2026-11-25T03:00:00+00:00")
        assert InFolder(one).read() == History(INTENT)
        assert [one.task.map_index for one in configured_journal().tasks("dag", "run")] == [7, None]

    def test_an_empty_journal_has_none(self, journal):
        journal()
        assert list(configured_journal().tasks()) == []
        assert list(configured_journal().tasks("dag", "run")) == []

    def test_what_cannot_be_understood_is_named(self, journal):
        journal().create("0001-intent.json", {"version": 1})
        with pytest.raises(JournalFolderError, match=r"0001-intent.json in .* cannot be understood"):
            list(configured_journal().tasks())
