"""PostgreSQL is restarted while clips are waited for, and while one is submitted."""

from __future__ import annotations

import json
import time

import pytest
from integration.chaos.case import SLOW_CREATE
from integration.chaos.stage import until
from integration.support import KEY

from airflow_runway.demo.rest import RestError

pytestmark = pytest.mark.release

#: Seconds: the generations outlive the restart.
GENERATION = 60
#: Seconds without a database.
OUTAGE = 8
PATIENCE = 180
OVER = {"success", "failed"}


class Run:
    """One run, during which the database is restarted."""

    def __init__(self, airflow, backing, gateway, dag_id):
        self.airflow, self.backing, self.gateway, self.dag_id = airflow, backing, gateway, dag_id
        gateway.reset()
        gateway.clear_faults()
        gateway.settings(seconds=GENERATION, max_concurrent=None)
        airflow.wait_for_dag(dag_id)

    def start(self):
        self.run_id = self.airflow.trigger_dag(self.dag_id)

    def until(self, condition, what):
        until(self.airflow, condition, PATIENCE, what)

    def tasks(self):
        """The task instances, asked of an Airflow that may be without its database."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return self.airflow.task_instances(self.dag_id, self.run_id)
            except (RestError, OSError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def states(self):
        return {one["task_id"]: one["state"] for one in self.tasks()}

    def lose_the_database(self, note):
        """Restart it, and whatever does not bear that, and wait for the end of the run."""
        with self.airflow.managed() as start_what_ended:
            self.backing.restart_database(OUTAGE)
            back = time.time()

            def is_over():
                for name in start_what_ended():
                    note(f"{name} ended without its database", time.time() - back)
                return OVER.issuperset(self.states().values())

            self.until(is_over, "the end")
            note(f"{self.dag_id}: from the database's return to the end", time.time() - back)

    def log(self):
        """The logs of all tries."""
        logs = json.dumps(
            [
                self.airflow.task_log(self.dag_id, self.run_id, one["task_id"], try_number=number)
                for one in self.tasks()
                for number in range(1, one["try_number"] + 1)
            ]
        )
        assert KEY not in logs
        return logs

    def check_paid(self, count):
        """Each generation was paid for once, and nobody cancelled it; gives back their ids."""
        charges = [charge["runway_task_id"] for charge in self.gateway.ledger()["charges"]]
        assert len(charges) == count, charges
        methods = [request["method"] for request in self.gateway.requests()]
        assert (methods.count("POST"), methods.count("DELETE")) == (count, 0)
        return charges


def test_while_clips_are_waited_for(whole_airflow, backing, gateway, note):
    """Both are there at the end."""
    run = Run(whole_airflow, backing, gateway, "database_waits")
    run.start()
    run.until(lambda: run.states() == {"deferred": "deferred", "in_worker": "running"}, "both waits")
    run.until(lambda: [bool(task["reads"]) for task in gateway.tasks()] == [True, True], "first looks")
    run.lose_the_database(note)
    assert set(run.states().values()) == {"success"}, run.log()[-6000:]
    results = [run.airflow.xcom(run.dag_id, run.run_id, one["task_id"]) for one in run.tasks()]
    assert {one["id"] for one in results} == set(run.check_paid(2))


def test_while_one_is_submitted(whole_airflow, backing, gateway, note):
    """The answer comes while nothing can be written down: the clip is found by a later try, or named."""
    run = Run(whole_airflow, backing, gateway, "database_submits")
    gateway.add_fault(**SLOW_CREATE)
    run.start()
    run.until(lambda: gateway.ledger()["charges"], "a charge")
    run.lose_the_database(note)
    (runway_task_id,) = run.check_paid(1)
    if run.states() == {"submit": "success"}:
        assert run.airflow.xcom(run.dag_id, run.run_id, "submit") == runway_task_id
    else:
        assert f"Runway task {runway_task_id}" in run.log()
        assert "may have been charged" in run.log()
