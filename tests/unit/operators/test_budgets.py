"""Budgets of a task, a run and a day, by an operator with its journal in memory, judged by the gateway's charges."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from functools import partial

import pytest
from airflow.providers.common.compat.sdk import AirflowSkipException
from unit.operators.memory import Crash
from unit.operators.tries import TaskTries, begin

from airflow_runway.core.journal.budgets import Standing, Word, reservation_of
from airflow_runway.core.journal.entries import TaskKey
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayBudgetError,
    RunwayConfigurationError,
    RunwayJournalError,
    RunwayNotAcceptedError,
    RunwayRequestRefusedError,
)
from airflow_runway.stores.budgets import Ledgers, of_day, of_run
from airflow_runway.stores.files import Files

OTHER = TaskKey("dag", "run", "other", 7)


class BudgetTries(TaskTries):
    """Airflow's store keeps the record, and a folder the budgets."""

    def __init__(self, root, monkeypatch, **fields):
        super().__init__(**fields)
        self.root = root / "journal"
        monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL", f"file://{self.root}")
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)

    @property
    def ledgers(self):
        from fsspec.implementations.local import LocalFileSystem

        path = str(self.root / "-")
        return Ledgers(Files(LocalFileSystem(), path, f"file://{path}"))

    @property
    def run_ledger(self):
        return of_run(TaskKey("dag", "run", "task"))

    def standings(self, ledger=None):
        found = self.ledgers.standings(ledger or self.run_ledger)
        return sorted((one.word.value, None if one.amount is None else one.amount / 1e6) for one in found)

    def ended_and_cleared(self):
        self.gateway.tasks = dict.fromkeys(self.gateway.tasks, "SUCCEEDED")
        self.now += 60
        self.clear()

    def others_spent(self, credits_, word=Word.ACCEPTED, *, kind="deadbeef", task=OTHER, ledger=None):
        own = reservation_of(task, self.now, f"{credits_}-{word}", kind)
        amount = None if credits_ is None else int(credits_ * 1e6)
        self.ledgers.write(ledger or self.run_ledger, Standing(own, word, amount), task)
        return own


@pytest.fixture
def task(monkeypatch, set_connection, tmp_path):
    return begin(
        monkeypatch, set_connection, kind=partial(BudgetTries, tmp_path, monkeypatch), max_credits_per_run=60
    )


class TestRoom:
    def test_without_a_bound_nothing_is_written(self, task):
        task.run(max_credits_per_run=None)
        assert not task.root.exists()

    def test_a_submission_reserves_and_says_what_it_may_cost(self, task):
        task.run()
        assert task.standings() == [("accepted", 25), ("reserved", None)] or task.standings() == [
            ("accepted", 25)
        ]
        assert task.record["kind"]

    def test_where_others_have_spent_too_much_nothing_is_sent(self, task):
        task.run()
        task.others_spent(30)
        task.ended_and_cleared()
        with pytest.raises(RunwayBudgetError) as told:
            task.run(on_clear="regenerate")
        assert task.gateway.posts == 1
        text = told.value.message
        assert told.value.headline.startswith("max_credits_per_run=60 leaves no room. Raise the bound")
        assert text.startswith(
            "max_credits_per_run=60 leaves no room: 55 credits are spent or reserved, this needs 25."
        )
        assert "other of dag 30 for 1, task of dag 25 for 1" in text
        assert task.standings() == [("accepted", 25), ("accepted", 30)]

    def test_the_last_credit_may_be_spent(self, task):
        task.others_spent(35)
        task.run()
        assert task.gateway.posts == 1

    def test_the_first_of_its_kind_that_is_too_dear_is_cancelled_at_once(self, task):
        task.others_spent(40)
        with pytest.raises(
            RunwayBudgetError, match=r"may cost 25 credits, more than is left of max_credits_per_run=60"
        ):
            task.run()
        assert task.gateway.deleted == ["t1"]
        assert task.standings() == [("accepted", 25), ("accepted", 40)]

    def test_the_next_of_that_kind_is_not_sent(self, task):
        task.others_spent(40)
        with pytest.raises(RunwayBudgetError):
            task.run()
        task.clear()
        with pytest.raises(RunwayBudgetError, match="leaves no room"):
            task.run()
        assert task.gateway.posts == 1

    def test_max_credits_is_reserved_where_no_price_is_known(self, task):
        task.gateway.estimate = None
        task.run(max_credits=50)
        assert task.standings() == [("accepted", 50)]

    def test_a_gateway_without_prices_lets_nothing_more_through(self, task):
        task.others_spent(None)
        with pytest.raises(
            RunwayBudgetError, match=r"cannot be kept: nobody knows what 1 earlier submissions cost"
        ):
            task.run()
        assert task.gateway.posts == 0

    def test_others_who_are_about_to_be_sent_are_waited_for(self, task, monkeypatch):
        own = task.others_spent(None, Word.RESERVED)
        began = task.now
        sleep = task.sleep

        def others_go_on(seconds):
            sleep(seconds)
            if task.now > began + 3:
                task.ledgers.write(task.run_ledger, Standing(own, Word.ACCEPTED, 1_000_000), OTHER)

        task.sleep = others_go_on
        task.run()
        assert task.now > began
        assert task.record["sent_at"] == pytest.approx(task.now)
        assert task.gateway.posts == 1

    def test_not_for_ever(self, task):
        real = task.sleep

        def others_come(seconds):
            real(seconds)
            task.others_spent(None, Word.RESERVED)

        task.sleep = others_come
        task.others_spent(None, Word.RESERVED)
        with pytest.raises((RunwayNotAcceptedError, RunwayBudgetError), match="max_credits_per_run=60"):
            task.run()
        assert task.gateway.posts == 0


class TestSettling:
    def test_what_was_charged_counts(self, task):
        task.gateway.cost = 5
        task.defer(wait_for_completion=True)
        task.gateway.tasks["t1"] = "SUCCEEDED"
        task.run("execute_complete", wait_for_completion=True)
        assert task.standings() == [("settled", 5)]

    def test_what_was_refused_costs_nothing(self, task):
        task.gateway.faults = ["refuse"]
        with pytest.raises(RunwayRequestRefusedError):
            task.run()
        assert task.standings() == []

    def test_what_was_lost_stays_reserved(self, task):
        task.run()
        task.ended_and_cleared()
        task.gateway.faults = ["drop after accept"]
        with pytest.raises(RunwayAmbiguousSubmissionError):
            task.run(on_clear="regenerate", max_credits_per_run=100)
        assert [word for word, _ in task.standings()] == ["accepted", "lost"]
        task.now += 60
        with pytest.raises(RunwayBudgetError, match="task of dag 50 for 2, 1 of them without an answer"):
            task.run(on_ambiguous_submit="resubmit")

    @pytest.mark.parametrize("after", [False, True])
    @pytest.mark.parametrize("crash", range(1, 9))
    def test_a_worker_that_dies_anywhere_leaves_no_less_reserved_than_was_charged(self, task, crash, after):
        with suppress(Crash):
            task.run(crash=crash, after=after)
        task.now += 60
        # Where the price of what was lost is not known, nothing more is sent.
        with suppress(RunwayBudgetError):
            task.run(on_ambiguous_submit="resubmit", max_credits_per_run=1000)
        words = [word for word, _ in task.standings()]
        assert sum(word in {"accepted", "lost"} for word in words) >= task.gateway.charges
        assert "reserved" not in words


class TestBounds:
    def test_of_all_tries_of_a_task(self, task):
        task.others_spent(1000)
        task.run(max_credits_per_run=None, max_credits_per_task=30)
        task.ended_and_cleared()
        with pytest.raises(RunwayBudgetError, match="max_credits_per_task=30 leaves no room: 25 credits"):
            task.run(max_credits_per_run=None, max_credits_per_task=30, on_clear="regenerate")
        assert task.gateway.posts == 1

    def test_the_configuration_bounds_every_run(self, task, monkeypatch):
        monkeypatch.setenv("AIRFLOW__RUNWAY__MAX_CREDITS_PER_RUN", "20")
        task.others_spent(20)
        with pytest.raises(RunwayBudgetError, match="max_credits_per_run=20"):
            task.run()
        assert task.gateway.posts == 0

    def test_a_day(self, task, monkeypatch):
        monkeypatch.setenv("AIRFLOW__RUNWAY__MAX_CREDITS_PER_DAY", "dag:dag=40")
        today = of_day(task.now, dag_id="dag")
        task.others_spent(40, ledger=today)
        with pytest.raises(RunwayBudgetError, match="max_credits_per_day=40 leaves no room"):
            task.run(max_credits_per_run=None)
        task.now += 86_400
        task.run(max_credits_per_run=None)
        assert task.gateway.posts == 1

    def test_what_one_bound_refuses_is_reserved_in_no_other(self, task, monkeypatch):
        monkeypatch.setenv("AIRFLOW__RUNWAY__MAX_CREDITS_PER_DAY", "40")
        today = of_day(task.now, dag_id="dag")
        task.others_spent(40, ledger=today)
        with pytest.raises(RunwayBudgetError):
            task.run()
        assert task.standings() == []
        assert task.standings(today) == [("accepted", 40)]


class TestTrouble:
    def test_a_bound_without_a_journal_is_told_before_anything_is_sent(self, task, monkeypatch):
        monkeypatch.delenv("AIRFLOW__RUNWAY__JOURNAL")
        with pytest.raises(
            RunwayConfigurationError, match=r"max_credits_per_run cannot be kept: \[runway\] journal"
        ):
            task.run()
        assert task.gateway.posts == 0

    def test_what_was_paid_for_is_picked_up_all_the_same(self, task, monkeypatch):
        task.run()
        monkeypatch.delenv("AIRFLOW__RUNWAY__JOURNAL")
        assert task.run() == "t1"

    @pytest.mark.parametrize("name", ["MAX_CREDITS_PER_RUN", "MAX_CREDITS_PER_DAY"])
    def test_a_configuration_that_is_no_number(self, task, monkeypatch, name):
        monkeypatch.setenv(f"AIRFLOW__RUNWAY__{name}", "a lot")
        with pytest.raises(RunwayConfigurationError, match=r"is 'a lot', which is no number of credits"):
            task.run()
        assert task.gateway.posts == 0

    def test_a_foreign_file_stops_everything(self, task):
        task.others_spent(1)
        (task.root / "-" / "budgets" / task.run_ledger / "notes.txt").write_text("x")
        with pytest.raises(RunwayJournalError, match=r"holds 'notes.txt', which is none of its files"):
            task.run()
        assert task.gateway.posts == 0

    @pytest.mark.parametrize("operation", ["within", "_create"])
    def test_a_ledger_that_cannot_be_used_stops_everything(self, task, monkeypatch, operation):
        def broken(*args):
            raise OSError(5, "Input/output error")

        monkeypatch.setattr(Files, operation, broken)
        with pytest.raises(RunwayJournalError, match="Nothing was sent"):
            task.run()
        assert task.gateway.posts == 0

    @pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "5", True])
    @pytest.mark.parametrize("name", ["max_credits", "max_credits_per_task", "max_credits_per_run"])
    def test_what_is_no_number_is_told_when_the_dag_is_parsed(self, task, name, value):
        with pytest.raises(ValueError, match=f"{name} must be a number of credits or None"):
            task.operator(**{name: value})

    def test_no_prompt_and_no_key_is_written(self, task):
        task.run()
        texts = [path.name + path.read_text() for path in task.root.rglob("*.json")]
        assert texts
        assert "secret" not in json.dumps(texts)


class TestDryRun:
    def test_it_says_what_would_stop_the_real_run_and_writes_nothing(self, task):
        task.others_spent(60)
        before = sorted(task.root.rglob("*"))
        with pytest.raises(RunwayBudgetError, match="leaves no room"):
            task.run(dry_run=True)
        assert sorted(task.root.rglob("*")) == before

    def test_it_reserves_nothing(self, task):
        with pytest.raises(AirflowSkipException, match="would submit one"):
            task.run(dry_run=True)
        assert not list(task.root.rglob("*.json"))
