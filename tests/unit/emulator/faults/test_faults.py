from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_runway.emulator.faults.book import FaultBook
from airflow_runway.emulator.faults.kinds import BEFORE_KINDS
from airflow_runway.emulator.faults.rule import parse_fault

from ..conftest import body, sample

if TYPE_CHECKING:
    from starlette.testclient import TestClient

URL = "/v1/image_to_video"


def rule(client: TestClient, **fields: Any) -> None:
    answer = client.post("/_emulator/faults", json={"on": "create", **fields})
    assert answer.status_code == 200, answer.text


def accepted(client: TestClient) -> int:
    return len(client.get("/_emulator/ledger").json()["charges"])


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        {},
        {"on": "never", "kind": "drop"},
        {"on": "read", "kind": "fail_task"},
        {"on": "output", "kind": "empty"},
        {"on": "read", "kind": "drop", "status": 500},
        {"kind": "drop", "count": "many"},
        {"kind": "drop", "probability": 2},
        {"kind": "hang", "seconds": "long"},
        {"kind": "status", "status": 7},
        {"kind": "status", "headers": {"a": 1}},
        {"on": "create", "kind": "fail_task", "failure": 5},
    ],
)
def test_rules_that_make_no_sense(client: TestClient, wrong: Any) -> None:
    answer = client.post("/_emulator/faults", json=wrong)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert client.get("/_emulator/faults").json() == []


@pytest.mark.parametrize("suffix", ["", "_after_accept"])
@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        (
            {"kind": "status", "status": 503, "body": {"error": "x"}, "headers": {"Retry-After": "7"}},
            503,
            "x",
        ),
        ({"kind": "html"}, 200, "<!doctype html>"),
        ({"kind": "empty"}, 200, "{}"),
        ({"kind": "redirect", "location": "/elsewhere", "status": 301}, 301, ""),
    ],
)
def test_wrong_answers(
    client: TestClient, suffix: str, fields: dict[str, Any], status: int, text: str
) -> None:
    rule(client, **{**fields, "kind": fields["kind"] + suffix})
    answer = client.post(URL, json=body())
    assert (answer.status_code, text in answer.text) == (status, True)
    if fields["kind"] == "status":
        assert answer.headers["retry-after"] == "7"
    assert accepted(client) == (1 if suffix else 0)
    entry = client.get("/_emulator/requests").json()[-1]
    assert (entry["status"], entry["fault"]) == (status, fields["kind"] + suffix)
    assert client.post(URL, json=body()).json()["id"]


@pytest.mark.parametrize(
    ("kind", "charges"), [("drop", 0), ("drop_after_accept", 1), ("hang", 0), ("hang_after_accept", 1)]
)
def test_no_answer(client: TestClient, kind: str, charges: int) -> None:
    rule(client, kind=kind, **({"seconds": 0} if "hang" in kind else {}))
    with pytest.raises(ConnectionAbortedError):
        client.post(URL, json=body())
    assert accepted(client) == charges
    entry = client.get("/_emulator/requests").json()[-1]
    assert (entry["status"], entry["body"]["model"]) == (None, "gen4_turbo")


def test_reads_and_deletes(client: TestClient, create: Any) -> None:
    path = f"/v1/tasks/{create()}"
    rule(client, on="read", kind="status", status=502)
    rule(client, on="delete", kind="status_after_accept", status=500)
    assert client.get(path).status_code == 502
    assert client.get(path).status_code == 200
    assert client.delete(path).status_code == 500
    assert client.get(path).status_code == 404


def test_a_rule_for_one_route(client: TestClient) -> None:
    rule(client, kind="status", route="text_to_image", count=None)
    assert client.post(URL, json=body()).status_code == 200
    image = {"model": "gen4_image", "promptText": "a boat", "ratio": "1280:720"}
    for _ in range(3):
        assert client.post("/v1/text_to_image", json=image).status_code == 500
    client.delete("/_emulator/faults")
    assert client.post("/v1/text_to_image", json=image).status_code == 200


def test_after_and_count() -> None:
    book = FaultBook()
    book.add(parse_fault({"on": "read", "kind": "drop", "after": 2, "count": 2}))
    picks = [book.pick(("read",), "runway", None, BEFORE_KINDS) is not None for _ in range(6)]
    assert picks == [False, False, True, True, False, False]
    assert book.pick(("create",), "runway", None, BEFORE_KINDS) is None


def test_probability_can_be_repeated() -> None:
    runs = []
    for _ in range(2):
        book = FaultBook()
        book.add(parse_fault({"kind": "drop", "count": None, "probability": 0.5}))
        runs.append([book.pick(("read",), "runway", None, BEFORE_KINDS) is not None for _ in range(200)])
    assert runs[0] == runs[1]
    assert 60 < sum(runs[0]) < 140


def test_a_slow_answer_is_the_right_one(client: TestClient, create: Any) -> None:
    task = create()
    rule(client, on="read", kind="slow", bytes_per_second=2000)
    assert client.get(f"/v1/tasks/{task}").json()["id"] == task
    assert client.get("/_emulator/requests").json()[-1]["fault"] == "slow"


def test_rules_for_the_other_ways_to_read(client: TestClient, create: Any) -> None:
    task = create("/runwayml")
    rule(client, on="feed", kind="status", status=502)
    assert client.get(f"/runwayml/v1/tasks/{task}").status_code == 200
    assert client.post("/runway/feed", json={"task_id": task}).status_code == 502
    rule(client, on="read", kind="status", status=503)
    assert client.post("/runway/feed", json={"task_id": task}).status_code == 503
    rule(client, on="workflow", kind="status", status=504)
    assert client.get("/v1/workflow_invocations/x").status_code == 504


def test_money_and_limits_of_a_slot(client: TestClient) -> None:
    rule(client, on="upload", kind="status", status=429, body=sample("runway.uploads.error.rate_limited_429"))
    asked = sample("runway.uploads.request.ephemeral")
    assert client.post("/v1/uploads", json=asked).status_code == 429
    assert client.post("/v1/uploads", json=asked).status_code == 200
