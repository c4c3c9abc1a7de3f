"""What a person settles counts in budgets, and for others who ask the same router."""

from __future__ import annotations

import pytest
from unit.operators.folder_tries import begin_in_folder
from unit.recover.conftest import TASK, fail

from airflow_runway.core.journal.entries import TaskKey
from airflow_runway.core.journal.record import Phase, Record
from airflow_runway.stores.budgets import Ledgers, of_day, of_run
from airflow_runway.stores.folder import configured_journal
from airflow_runway.stores.routers import RouterNotes

ROUTED = {"configId": "film", "input": {"promptText": "a"}}

BOUND = {"max_credits_per_run": 60, "max_credits": 30}
THIS = TaskKey("dag", "run", "task")


def standings(ledger=None):
    found = Ledgers(configured_journal().files).standings(ledger or of_run(THIS))
    return [(one.word.value, None if one.amount is None else one.amount / 1e6) for one in found]


def test_what_is_forgotten_is_no_longer_reserved(one, recover, monkeypatch):
    monkeypatch.setenv("AIRFLOW__RUNWAY__MAX_CREDITS_PER_DAY", "100")
    today = of_day(one.now, dag_id="dag")
    fail(one, "drop after accept", **BOUND)
    assert standings() == standings(today) == [("lost", 30)]
    code, said, _ = recover("forget", *TASK, "--yes")
    assert (code, "budget" in said) == (0, False)
    assert standings() == standings(today) == [("withdrawn", 30)]


def test_what_is_attached_counts_as_what_it_may_cost(one, recover):
    fail(one, "drop after accept", **BOUND)
    one.gateway.created["t1"] = "1970-01-12T13:46:40.123Z"
    assert recover("attach", "t1", *TASK, "--yes")[0] == 0
    assert standings() == [("accepted", 30)]


def test_trouble_with_the_budget_is_said_and_the_decision_stands(one, recover, monkeypatch):
    fail(one, "drop after accept", **BOUND)

    def broken(self, ledger):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Ledgers, "standings", broken)
    code, said, _ = recover("forget", *TASK, "--yes")
    assert code == 0
    assert "Its budget could not be told, and still counts what was reserved" in " ".join(said.split())


def test_without_a_budget_nothing_is_looked_for(one, recover, monkeypatch):
    fail(one, "drop after accept")
    monkeypatch.setattr(Ledgers, "standings", None)
    assert recover("forget", *TASK, "--yes")[0] == 0


class TestRouters:
    """Of two lost answers in one minute nobody can tell whose a generation is, unless a person has settled one."""

    @pytest.fixture
    def other(self, monkeypatch, set_connection, tmp_path, airflow):
        one = begin_in_folder(
            monkeypatch, set_connection, tmp_path / "journal", route="generate/video", payload=ROUTED
        )
        fail(one, "drop after accept")
        return one

    def notes(self, other):
        now = Record(
            Phase.INTENT, "f", "runway", "r", sent_at=other.now, taken_until=other.now + 60, router="film"
        )
        return RouterNotes(configured_journal().files, "film", TaskKey("dag", "run", "x")).of(now)

    def test_what_is_forgotten_is_no_longer_open(self, other, recover):
        assert self.notes(other).others_open == 1
        assert recover("forget", *TASK, "--yes")[0] == 0
        assert self.notes(other).others_open == 0

    def test_what_is_attached_is_held(self, other, recover):
        other.gateway.created["t1"] = "1970-01-12T13:46:40.123Z"
        assert recover("attach", "t1", *TASK, "--yes")[0] == 0
        assert self.notes(other).others_open == 0
        assert self.notes(other).holds("t1")
        claim = RouterNotes(configured_journal().files, "film", TaskKey("dag", "run", "x"))
        lost = Record(Phase.INTENT, "f", "runway", "r", sent_at=other.now)
        assert claim.is_claimed(lost, "t1")
