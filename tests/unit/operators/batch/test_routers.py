"""A batch through a router notes each submission beside those of others, so that nobody takes up what is its own."""

from __future__ import annotations

import os

import pytest
from unit.operators.batch_tries import begin_batch

from airflow_runway.core.journal.entries import TaskKey
from airflow_runway.core.journal.record import Phase, Record
from airflow_runway.exceptions import RunwayJournalError
from airflow_runway.stores.files import Files
from airflow_runway.stores.folder import configured_journal
from airflow_runway.stores.routers import RouterNotes

REQUESTS = [{"configId": "film", "input": {"promptText": text}} for text in "abc"]


@pytest.fixture
def batch(monkeypatch, set_connection, tmp_path):
    monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL", f"file://{tmp_path}")
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    return begin_batch(monkeypatch, set_connection, requests=REQUESTS, route="generate/video")


def notes(batch):
    """What a single task reads whose answer was lost in the same time."""
    lost = Record(
        Phase.INTENT, "f", "runway", "generate/video", sent_at=batch.now, taken_until=batch.now + 60
    )
    return RouterNotes(configured_journal().files, "film", TaskKey("dag", "run", "single")).of(lost)


def test_what_was_accepted_is_held(batch):
    batch.begin()
    found = notes(batch)
    assert batch.gateway.charges == 3
    assert all(found.holds(name) for name in batch.gateway.tasks)
    assert found.others_open == 0


def test_a_lost_answer_is_open(batch):
    batch.gateway.faults = ["", "drop after accept"]
    batch.begin()
    assert notes(batch).others_open == 1


def test_what_was_refused_is_not(batch):
    batch.gateway.faults = ["", "refuse"]
    batch.begin()
    assert notes(batch).others_open == 0


def test_where_it_cannot_be_noted_nothing_is_sent(batch, monkeypatch):
    def full(self, path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Files, "_create", full)
    with pytest.raises(RunwayJournalError, match="so nothing was sent"):
        batch.begin()
    assert batch.gateway.posts == 0


def test_without_a_journal_folder_it_is_sent_all_the_same(batch, monkeypatch):
    monkeypatch.delenv("AIRFLOW__RUNWAY__JOURNAL")
    batch.begin()
    assert batch.gateway.charges == 3
