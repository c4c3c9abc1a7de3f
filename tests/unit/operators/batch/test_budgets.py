"""A batch that spends from the budget of its run, judged by the gateway's charges."""

from __future__ import annotations

import os

import pytest
from fsspec.implementations.local import LocalFileSystem
from unit.operators.batch_tries import begin_batch, prompts

from airflow_runway.core.journal.budgets import Standing, Word, reservation_of
from airflow_runway.core.journal.entries import TaskKey
from airflow_runway.exceptions import RunwayBudgetError, RunwayConfigurationError
from airflow_runway.operators._batch.steps import BatchSteps
from airflow_runway.stores.budgets import Ledgers, of_run
from airflow_runway.stores.files import Files

OTHER = TaskKey("dag", "run", "other")


@pytest.fixture
def ledgers(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL", f"file://{tmp_path}")
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    path = str(tmp_path / "-")
    return Ledgers(Files(LocalFileSystem(), path, f"file://{path}"))


@pytest.fixture
def batch(monkeypatch, set_connection, ledgers):
    tries = begin_batch(monkeypatch, set_connection, requests=prompts(*"abcdef"), max_credits_per_run=100)
    # A thread of the pool waits, and time passes only by sleeping.
    monkeypatch.setattr(BatchSteps, "_pause_for_room", lambda self, seconds: tries.sleep(seconds))
    return tries


def spent(ledgers):
    found = ledgers.standings(of_run(OTHER))
    return sorted((one.word.value, one.amount / 1e6) for one in found if one.amount is not None)


def other_spends(ledgers, credits_, word=Word.ACCEPTED):
    own = reservation_of(OTHER, 999_999.0, "x", "deadbeef")
    ledgers.write(
        of_run(OTHER), Standing(own, word, None if credits_ is None else credits_ * 1_000_000), OTHER
    )
    return own


def test_nothing_is_sent_that_would_exceed_it_and_what_was_is_waited_for(batch, ledgers):
    with pytest.raises(RunwayBudgetError, match="max_credits_per_run=100 leaves no room: 100 credits"):
        batch.to_the_end()
    assert batch.gateway.charges == 4
    assert not [one for one, status in batch.gateway.tasks.items() if status == "RUNNING"]


def test_what_is_charged_makes_room(batch, ledgers):
    batch.gateway.cost = 10
    result = batch.to_the_end(max_in_flight=2)
    assert result["succeeded"] == 6
    assert spent(ledgers) == [("settled", 10.0)] * 6


def test_what_others_spend_counts(batch, ledgers):
    other_spends(ledgers, 60)
    with pytest.raises(RunwayBudgetError, match="other of dag 60 for 1"):
        batch.to_the_end()
    assert batch.gateway.charges == 1


def test_others_who_are_about_to_be_sent_are_waited_for_without_a_worker(batch, ledgers):
    own = other_spends(ledgers, None, Word.RESERVED)
    trigger = batch.begin()
    assert batch.gateway.charges == 0
    assert trigger.resume_at is not None
    ledgers.write(of_run(OTHER), Standing(own, Word.ACCEPTED, 0), OTHER)
    batch.now = max(batch.now, trigger.resume_at)
    batch.go_on(trigger)
    assert batch.gateway.charges == 4


def test_several_at_once(batch, ledgers):
    with pytest.raises(RunwayBudgetError):
        batch.to_the_end(submissions_at_once=4)
    assert batch.gateway.charges <= 4


def test_a_later_try_counts_what_an_earlier_one_lost(batch, ledgers):
    batch.gateway.faults = ["ok", "drop after accept"]
    with pytest.raises(RunwayBudgetError):
        batch.to_the_end()
    assert batch.gateway.charges == 4
    assert [word for word, _ in spent(ledgers)].count("lost") == 1


def test_without_a_journal_nothing_is_sent(batch, monkeypatch):
    monkeypatch.delenv("AIRFLOW__RUNWAY__JOURNAL")
    with pytest.raises(RunwayConfigurationError, match="max_credits_per_run cannot be kept"):
        batch.to_the_end()
    assert batch.gateway.posts == 0


def test_a_dry_run_reserves_nothing(batch, tmp_path):
    with pytest.raises(Exception, match="would be submitted"):
        batch.begin(dry_run=True)
    assert not list(tmp_path.rglob("*.json"))
