from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from ..conftest import FakeClock

MISSING = "17f20503-6c24-4c16-946b-35dbbce2af2f"
ALWAYS = {"id", "status", "createdAt"}


def fail(client: TestClient, kind: str, **fields: Any) -> None:
    answer = client.post("/_emulator/faults", json={"on": "create", "kind": kind, **fields})
    assert answer.status_code == 200, answer.text


def test_the_life_of_a_task_on_runway(client: TestClient, create: Any, clock: FakeClock) -> None:
    path = f"/v1/tasks/{create()}"
    pending = client.get(path).json()
    assert (pending["status"], set(pending)) == ("PENDING", ALWAYS | {"estimatedCost"})
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", pending["createdAt"])
    clock.pass_seconds(15)
    running = client.get(path).json()
    assert (running["status"], set(running)) == ("RUNNING", ALWAYS | {"progress", "estimatedCost"})
    assert 0 < running["progress"] < 1
    clock.pass_seconds(16)
    done = client.get(path).json()
    assert (done["status"], set(done)) == ("SUCCEEDED", ALWAYS | {"output", "cost"})
    assert done["cost"] == {"credits": 10}
    assert client.get("/_emulator/tasks").json()[0]["reads"] == 3


def test_other_endings(client: TestClient, create: Any, clock: FakeClock) -> None:
    fail(client, "fail_task", failure="Flagged.", failure_code="SAFETY.INPUT.IMAGE")
    fail(client, "fail_task", cost=4)
    fail(client, "cancel_task")
    fail(client, "stall_task")
    tasks = [create() for _ in range(4)]
    clock.pass_seconds(31)
    shown = [client.get(f"/v1/tasks/{task}").json() for task in tasks]
    assert [task["status"] for task in shown] == ["FAILED", "FAILED", "CANCELLED", "RUNNING"]
    assert set(shown[0]) == ALWAYS | {"failure", "failureCode", "cost"}
    assert (shown[0]["failure"], shown[0]["failureCode"]) == ("Flagged.", "SAFETY.INPUT.IMAGE")
    assert set(shown[1]) == ALWAYS | {"failure", "cost"}
    assert set(shown[2]) == ALWAYS | {"cost"}
    assert [task.get("cost") for task in shown[:3]] == [{"credits": 0}, {"credits": 4}, {"credits": 0}]
    refunds = [charge["refunded_credits"] for charge in client.get("/_emulator/ledger").json()["charges"]]
    assert refunds == [10, 6, 10, 0]


def test_throttled_shape(client: TestClient, create: Any) -> None:
    fail(client, "throttle_task", seconds=60)
    shown = client.get(f"/v1/tasks/{create()}").json()
    assert (shown["status"], set(shown)) == ("THROTTLED", ALWAYS | {"estimatedCost"})


def test_unknown_tasks(client: TestClient, create: Any) -> None:
    answer = client.get(f"/v1/tasks/{MISSING}")
    assert (answer.status_code, answer.json()) == (404, {"error": "Task not found."})
    answer = client.get(f"/runwayml/v1/tasks/{create()}")
    assert answer.status_code == 400
    assert answer.json() == {"code": "task_not_exist", "message": "task_not_exist", "data": None}


def test_cometapi_shows_tasks_late(client: TestClient, create: Any, clock: FakeClock) -> None:
    client.post("/_emulator/settings", json={"cometapi_visible_after": 5})
    path = f"/runwayml/v1/tasks/{create('/runwayml')}"
    assert client.get(path).status_code == 400
    clock.pass_seconds(5)
    assert client.get(path).status_code == 200
    assert client.get(f"/v1/tasks/{create()}").status_code == 200


@pytest.mark.parametrize("variant", [False, True])
def test_cancelling(client: TestClient, create: Any, clock: FakeClock, variant: bool) -> None:
    if variant:
        client.post("/_emulator/settings", json={"cancelled_reads": "variant"})
    early, late = create(), create()
    assert client.delete(f"/v1/tasks/{early}").status_code == 204
    clock.pass_seconds(10)
    answer = client.delete(f"/v1/tasks/{late}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.delete(f"/v1/tasks/{late}").status_code == 404
    answer = client.get(f"/v1/tasks/{late}")
    assert answer.status_code == (200 if variant else 404)
    if variant:
        assert answer.json()["status"] == "CANCELLED"
        assert answer.json()["cost"] == {"credits": 10}
    ledger = client.get("/_emulator/ledger").json()
    assert [charge["refunded_credits"] for charge in ledger["charges"]] == [10, 0]
    assert [charge["status"] for charge in ledger["charges"]] == ["CANCELLED", "CANCELLED"]
    assert ledger["total_credits"] == 10


def test_deleting_a_finished_task_destroys_its_output(
    client: TestClient, create: Any, clock: FakeClock
) -> None:
    path = f"/v1/tasks/{create()}"
    clock.pass_seconds(31)
    link = client.get(path).json()["output"][0]
    assert client.get(link).status_code == 200
    assert client.delete(path).status_code == 204
    assert client.get(link).status_code == 404
    assert client.get(path).status_code == 404
    assert client.delete(path).status_code == 404
    charge = client.get("/_emulator/ledger").json()["charges"][0]
    assert (charge["status"], charge["refunded_credits"]) == ("DELETED", 0)


def test_reads_and_deletes_need_key_and_version(client: TestClient, create: Any) -> None:
    path = f"/v1/tasks/{create()}"
    for header, status in (("authorization", 401), ("x-runway-version", 400)):
        value = client.headers.pop(header)
        assert client.get(path).status_code == status
        assert client.delete(path).status_code == status
        assert client.get("/v1/organization").status_code == status
        client.headers[header] = value
    assert client.get("/_emulator/tasks").json()[0]["status"] == "PENDING"
