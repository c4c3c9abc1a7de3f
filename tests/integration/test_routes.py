"""Every official route through the operator that takes any, from the submission to the finished task."""

from __future__ import annotations

import json

import pytest
from integration.support import connection_to
from unit.emulator.bodies import VARIANTS

from airflow_runway.core.protocol.gateways import GATEWAYS
from airflow_runway.hooks.runway import RunwayHook
from airflow_runway.models import CancelOutcome, TaskStatus
from airflow_runway.operators.runway import RunwaySubmitOperator

#: Route → the smallest body that the catalogue takes.
BODIES = {path.removeprefix("/v1/"): body for path, _, body in reversed(VARIANTS)}


class TaskInstance:
    def xcom_push(self, key, value):
        pass


@pytest.fixture
def quick(emulator, monkeypatch):
    """The emulator, whose generations end at once; ``runway_default`` leads to it."""
    monkeypatch.setenv("AIRFLOW_CONN_RUNWAY_DEFAULT", json.dumps(connection_to(emulator)))
    emulator.settings(seconds=0.001)
    yield emulator
    emulator.settings(seconds=30)


def submit(route, payload):
    operator = RunwaySubmitOperator(task_id="submit", route=route, payload=payload)
    return operator.execute({"ti": TaskInstance()})


@pytest.mark.parametrize("route", GATEWAYS["runway"].creates)
def test_an_official_route(route, quick):
    runway_task_id = submit(route.replace("{id}", "my-flow"), BODIES[route])
    (charge,) = quick.ledger()["charges"]
    assert charge["runway_task_id"] == runway_task_id
    task = RunwayHook().get_task(runway_task_id)
    assert task.status is TaskStatus.SUCCEEDED
    assert task.output


def test_a_workflow_that_succeeds_in_part_says_so_and_cannot_be_cancelled(quick):
    quick.add_fault(on="create", kind="node_errors")
    runway_task_id = submit("workflows/my-flow", {})
    task = RunwayHook().get_task(runway_task_id)
    assert task.status is TaskStatus.SUCCEEDED
    assert task.failure.startswith("node ")
    assert RunwayHook().cancel_task(runway_task_id) is CancelOutcome.ALREADY_FINISHED
    quick.settings(seconds=600)
    running = submit("workflows/my-flow", {})
    assert RunwayHook().cancel_task(running) is CancelOutcome.NOT_SUPPORTED
    assert [charge["status"] for charge in quick.ledger()["charges"]][-1] != "CANCELLED"
