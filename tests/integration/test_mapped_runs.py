"""Mapped tasks with a journal folder on a real Airflow, judged by the gateway's ledger."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from integration.support import connection_to

from airflow_runway.demo.local_airflow import LocalAirflow

BOUND = 220


@pytest.fixture(scope="module")
def with_journal(running_emulator, tmp_path_factory):
    """An Airflow with a journal folder, and these Dags."""
    dags, home = tmp_path_factory.mktemp("dags"), tmp_path_factory.mktemp("airflow")
    shutil.copy(Path(__file__).parent / "dags" / "mapped_runs.py", dags)
    env = {
        "AIRFLOW__RUNWAY__JOURNAL": f"file://{tmp_path_factory.mktemp('journal')}",
        "AIRFLOW__CORE__PARALLELISM": "16",
    }
    with LocalAirflow(home, dags, {"runway_default": connection_to(running_emulator)}, env) as airflow:
        yield airflow


def ended(airflow, dag_id, run_id):
    """How a run ends."""
    over = {"success", "failed"}
    airflow.wait_until(lambda: airflow.dag_run(dag_id, run_id)["state"] in over, 500, "the run")
    return airflow.dag_run(dag_id, run_id)["state"]


def test_fifty_tasks_together_spend_no_more_than_is_allowed(with_journal, emulator):
    with_journal.wait_for_dag("run_budget")
    run_id = with_journal.trigger_dag("run_budget", {})
    ended(with_journal, "run_budget", run_id)
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


def test_a_list_in_another_order_after_a_clear_costs_nothing(with_journal, emulator, tmp_path):
    with_journal.wait_for_dag("reordered")
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("one two three")
    run_id = with_journal.trigger_dag("reordered", {"list": str(prompts)})
    assert ended(with_journal, "reordered", run_id) == "success"
    first = [with_journal.xcom("reordered", run_id, "film", map_index=index) for index in range(3)]
    prompts.write_text("three one two")
    with_journal.clear("reordered", run_id)
    assert ended(with_journal, "reordered", run_id) == "success"
    again = [with_journal.xcom("reordered", run_id, "film", map_index=index) for index in range(3)]
    assert again == [first[2], first[0], first[1]]
    assert len(emulator.ledger()["charges"]) == 3
