"""Routers and the list of what they have been asked, with the faults that a list may have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from ..conftest import FakeClock

REQUEST = {"configId": "film", "input": {"promptText": "a boat", "duration": 2}}


def make(client: TestClient, **changes: Any) -> str:
    answer = client.post("/v1/generate/video", json={**REQUEST, **changes})
    assert answer.status_code == 200, answer.text
    identifier: str = answer.json()["id"]
    return identifier


def fault(client: TestClient, **rule: Any) -> None:
    answer = client.post("/_emulator/faults", json={"on": "create", **rule})
    assert answer.status_code == 200, answer.text


def router_of(client: TestClient, slug: str = "film") -> Any:
    return next(
        one for one in client.get("/v1/routers", params={"limit": 50}).json()["data"] if one["slug"] == slug
    )


def rows(client: TestClient, slug: str = "film", **query: Any) -> Any:
    name = router_of(client, slug)["id"]
    return client.get(f"/v1/routers/{name}/requests", params={"limit": 50, **query}).json()


def test_a_router_is_there_once_it_was_asked_and_has_an_id_and_a_slug(client: TestClient) -> None:
    assert client.get("/v1/routers", params={"limit": 50}).json() == {"data": [], "nextCursor": None}
    make(client)
    router = router_of(client)
    assert router["id"] != "film"
    assert client.get(f"/v1/routers/{router['id']}").json() == router
    # A slug is for creations; here only the id counts (contracts §1.7).
    assert client.get("/v1/routers/film").status_code == 404
    assert client.get("/v1/routers/film/requests", params={"limit": 50}).status_code == 404


def test_each_accepted_creation_has_a_row_newest_first(client: TestClient, clock: FakeClock) -> None:
    first = make(client)
    clock.pass_seconds(5)
    second = make(client)
    make(client, configId="other")
    client.post("/v1/generate/video", json={"configId": "film", "input": {"duration": "long"}})
    listed = rows(client)["data"]
    assert [row["taskId"] for row in listed] == [second, first]
    assert listed[0]["createdAt"] == "2026-05-01T01:46:45.250Z"
    assert {row["status"] for row in listed} == {"routed"}
    assert listed[0]["estimatedCredits"] == client.get("/_emulator/ledger").json()["charges"][0]["credits"]


def test_it_goes_on_where_the_cursor_says(client: TestClient, clock: FakeClock) -> None:
    made = []
    for _ in range(3):
        made.insert(0, make(client))
        clock.pass_seconds(1)
    page = rows(client, limit=2)
    rest = rows(client, limit=2, cursor=page["nextCursor"])
    assert [row["taskId"] for row in page["data"] + rest["data"]] == made
    assert rest["nextCursor"] is None


@pytest.mark.parametrize("query", [{}, {"limit": "0"}, {"limit": "many"}, {"limit": "1", "cursor": "x"}])
def test_a_limit_is_required(client: TestClient, query: dict[str, str]) -> None:
    assert client.get("/v1/routers", params=query).status_code == 400


def test_a_row_may_come_late(client: TestClient, clock: FakeClock) -> None:
    fault(client, kind="late_row", seconds=90)
    name = make(client)
    assert rows(client)["data"] == []
    clock.pass_seconds(90)
    assert [row["taskId"] for row in rows(client)["data"]] == [name]


def test_a_row_may_be_somebody_elses_and_charges_nothing(client: TestClient) -> None:
    fault(client, kind="foreign_row", seconds=3)
    name = make(client)
    foreign, own = rows(client)["data"]
    assert own["taskId"] == name
    assert client.get(f"/v1/tasks/{foreign['taskId']}").status_code == 404
    assert len(client.get("/_emulator/ledger").json()["charges"]) == 1


def test_a_creation_whose_answer_is_lost_is_listed(client: TestClient) -> None:
    fault(client, kind="status_after_accept", status=502)
    assert client.post("/v1/generate/video", json=REQUEST).status_code == 502
    (charge,) = client.get("/_emulator/ledger").json()["charges"]
    assert [row["taskId"] for row in rows(client)["data"]] == [charge["runway_task_id"]]


def test_reads_of_routers_meet_faults(client: TestClient) -> None:
    fault(client, on="router", kind="status", status=503)
    assert client.get("/v1/routers", params={"limit": 1}).status_code == 503


def test_a_reset_forgets_them(client: TestClient) -> None:
    make(client)
    client.post("/_emulator/reset")
    assert client.get("/v1/routers", params={"limit": 1}).json()["data"] == []
