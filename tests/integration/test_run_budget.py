"""One run of fifty mapped tasks with one budget, on a real Airflow, judged by the gateway's ledger."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from integration.support import connection_to

from airflow_runway.demo.local_airflow import LocalAirflow

BOUND = 220


@pytest.fixture
def with_journal(emulator, tmp_path):
    """An Airflow with a journal folder, and the one Dag."""
    dags = tmp_path / "dags"
    dags.mkdir()
    shutil.copy(Path(__file__).parent / "dags" / "run_budget.py", dags)
    env = {
        "AIRFLOW__RUNWAY__JOURNAL": f"file://{tmp_path}/journal",
        "AIRFLOW__CORE__PARALLELISM": "16",
    }
    with LocalAirflow(
        tmp_path / "airflow", dags, {"runway_default": connection_to(emulator)}, env
    ) as airflow:
        yield airflow


def test_fifty_tasks_together_spend_no_more_than_is_allowed(with_journal, emulator):
    with_journal.wait_for_dag("run_budget")
    run_id = with_journal.trigger_dag("run_budget", {})
    with_journal.wait_until(
        lambda: with_journal.dag_run("run_budget", run_id)["state"] in {"success", "failed"}, 500, "the run"
    )
    charges = emulator.ledger()["charges"]
    spent = sum(charge["credits"] for charge in charges)
    states = Counter(task["state"] for task in with_journal.task_instances("run_budget", run_id))

    assert spent <= BOUND
    # All that there is room for is spent.
    price = charges[0]["credits"]
    assert len(charges) == BOUND // price
    assert states == {"success": len(charges), "failed": 50 - len(charges)}
    failed = next(t for t in with_journal.task_instances("run_budget", run_id) if t["state"] == "failed")
    log = with_journal.task_log("run_budget", run_id, "film", map_index=failed["map_index"])
    assert "max_credits_per_run=220 leaves no room" in str(log)
