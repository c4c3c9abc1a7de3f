"""Budgets on both storages: of many processes that want to spend at once, all together stay within the bound."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from integration.transfer.storages import CONNECTION

from airflow_runway.core.journal.budgets import Word
from airflow_runway.core.journal.entries import TaskKey
from airflow_runway.stores.budgets import Ledgers, of_run
from airflow_runway.stores.folder import configured_journal

PRICE, BOUND = 10, 95


@pytest.fixture
def environment(journal, storage, tmp_path):
    """What the racing processes are started with; they load Airflow with a home of their own."""
    journal()  # the configuration
    names = ("AIRFLOW__RUNWAY__JOURNAL", "AIRFLOW__RUNWAY__JOURNAL_NAMESPACE", CONNECTION)
    return {
        **{name: value for name, value in os.environ.items() if name in {"PATH", "PYTHONPATH", *names}},
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "AIRFLOW_HOME": str(tmp_path / "airflow"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
    }


def race(environment, racers, run_id):
    command = [
        sys.executable,
        "-m",
        "integration.journal.budget_race",
        *map(str, (racers, PRICE, BOUND, run_id)),
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(
    ("races", "racers"), [(2, 20), pytest.param(20, 50, marks=pytest.mark.release)], ids=["some", "all"]
)
def test_of_many_at_once_all_together_stay_within_the_bound(environment, races, racers):
    for number in range(races):
        run_id = f"run-{number}"
        ends = race(environment, racers, run_id)
        assert len(ends) == racers
        assert {one["ended"] for one in ends} <= {"accepted", "no room", "cancelled"}
        spent = sum(one["spent"] for one in ends)
        assert spent <= BOUND
        # And what there is room for is spent.
        assert spent == BOUND // PRICE * PRICE
        ledgers = Ledgers(configured_journal().files)
        standings = ledgers.standings(of_run(TaskKey("campaign", run_id, "film")))
        assert (
            sum(one.amount or 0 for one in standings if one.word is not Word.WITHDRAWN) == spent * 1_000_000
        )


def test_a_listing_of_what_is_settled_holds_one_name_each(environment, storage):
    """On object storage; a thousand tasks are one page."""
    race(environment, 5, "run-1")
    names = [name for name in storage.files() if "/budgets/run_" in f"/{name}"]
    assert len(names) == (5 if CONNECTION in environment and "s3" in storage.url else 10)
