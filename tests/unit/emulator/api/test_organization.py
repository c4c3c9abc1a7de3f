"""Limits, use and money of the official account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ..conftest import FakeClock, body, sample

if TYPE_CHECKING:
    from starlette.testclient import TestClient

DAY = 24 * 3600


def status_of(client: TestClient, task: str) -> str:
    word: str = client.get(f"/v1/tasks/{task}").json()["status"]
    return word


def test_what_is_over_the_concurrency_waits_in_order(
    client: TestClient, create: Any, clock: FakeClock
) -> None:
    early = create()
    client.post("/_emulator/settings", json={"max_concurrent": 2})
    tasks = [create() for _ in range(4)]
    other = create(model="gen4.5")
    assert [status_of(client, task) for task in tasks] == ["PENDING", *["THROTTLED"] * 3]
    assert {status_of(client, task) for task in (early, other)} == {"PENDING"}
    clock.pass_seconds(31)
    assert [status_of(client, task) for task in tasks] == ["SUCCEEDED", "PENDING", "PENDING", "THROTTLED"]
    assert client.delete(f"/v1/tasks/{tasks[1]}").status_code == 204
    assert [status_of(client, task) for task in tasks[2:]] == ["PENDING", "PENDING"]
    clock.pass_seconds(31)
    assert [status_of(client, task) for task in tasks[2:]] == ["SUCCEEDED", "SUCCEEDED"]


def test_nobody_needs_to_look_for_the_queue_to_move(
    client: TestClient, create: Any, clock: FakeClock
) -> None:
    client.post("/_emulator/settings", json={"max_concurrent": 1})
    tasks = [create() for _ in range(5)]
    clock.pass_seconds(4 * 30 + 15)
    assert [status_of(client, task) for task in tasks] == [*["SUCCEEDED"] * 4, "RUNNING"]


def test_a_raised_limit_starts_nothing_in_the_past(client: TestClient, create: Any, clock: FakeClock) -> None:
    client.post("/_emulator/settings", json={"max_concurrent": 1})
    client.post("/_emulator/faults", json={"on": "create", "kind": "stall_task"})
    stalled, waiting = create(), create()
    clock.pass_seconds(100)
    client.post("/_emulator/settings", json={"max_concurrent": None})
    assert [status_of(client, task) for task in (stalled, waiting)] == ["RUNNING", "PENDING"]


def test_a_throttled_task_that_is_cancelled_costs_nothing(client: TestClient, create: Any) -> None:
    client.post("/_emulator/settings", json={"max_concurrent": 1, "cancelled_reads": "variant"})
    create()
    waiting = create()
    client.delete(f"/v1/tasks/{waiting}")
    shown = client.get(f"/v1/tasks/{waiting}").json()
    assert (shown["status"], shown["cost"]) == ("CANCELLED", {"credits": 0})


def test_the_daily_count_rolls(client: TestClient, create: Any, clock: FakeClock) -> None:
    client.post("/_emulator/settings", json={"max_daily": 2})
    create()
    clock.pass_seconds(DAY / 2)
    create()
    answer = client.post("/v1/image_to_video", json=body())
    documented = sample("runway.image_to_video.error.daily_limit_429")
    assert (answer.status_code, answer.json()) == (429, documented)
    create(model="gen4.5")
    organization = client.get("/v1/organization").json()
    assert set(organization) == set(sample("runway.organization.read.sample"))
    assert organization["usage"]["models"]["gen4_turbo"] == {"dailyGenerations": 2}
    assert organization["tier"]["models"]["gen4_turbo"] == {
        "maxConcurrentGenerations": None,
        "maxDailyGenerations": 2,
    }
    clock.pass_seconds(DAY / 2)
    create()
    assert client.get("/v1/organization").json()["usage"]["models"]["gen4_turbo"] == {"dailyGenerations": 2}


def test_the_older_answers_show_no_costs(client: TestClient, create: Any, clock: FakeClock) -> None:
    client.post("/_emulator/settings", json={"costs": "absent"})
    answer = client.post("/v1/image_to_video", json=body()).json()
    assert set(answer) == set(sample("runway.image_to_video.response.id_only"))
    clock.pass_seconds(31)
    shown = client.get(f"/v1/tasks/{answer['id']}").json()
    assert set(shown) == set(sample("runway.tasks.read.succeeded_without_cost"))


def test_usage_by_day_and_model(client: TestClient, create: Any, clock: FakeClock) -> None:
    create()
    create(model="gen4.5")
    late = create()
    client.post("/_emulator/faults", json={"on": "create", "kind": "throttle_task", "seconds": 2 * DAY})
    waiting = create()
    clock.pass_seconds(DAY)
    client.delete(f"/v1/tasks/{waiting}")
    answer = client.post(
        "/v1/organization/usage", json={"startDate": "2026-05-01", "beforeDate": "2026-05-30"}
    )
    documented = sample("runway.organization_usage.response.sample")
    assert set(answer.json()) == set(documented)
    assert answer.json() == {
        "results": [
            {
                "date": "2026-05-01",
                "usedCredits": [{"model": "gen4_turbo", "amount": 30}, {"model": "gen4.5", "amount": 24}],
            },
            {"date": "2026-05-02", "usedCredits": [{"model": "gen4_turbo", "amount": -10}]},
        ],
        "models": ["gen4.5", "gen4_turbo"],
    }
    later = client.post(
        "/v1/organization/usage", json={"startDate": "2026-05-02", "beforeDate": "2026-05-03"}
    )
    assert [result["date"] for result in later.json()["results"]] == ["2026-05-02"]
    assert len(client.post("/v1/organization/usage").json()["results"]) == 1
    assert late


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"startDate": "2026-01-01", "beforeDate": "2026-04-02"}, "beforeDate"),
        ({"startDate": "2026-01-02", "beforeDate": "2026-01-01"}, "beforeDate"),
        ({"startDate": "yesterday"}, "startDate"),
        ({"beforeDate": 5}, "beforeDate"),
    ],
)
def test_usage_that_is_refused(client: TestClient, asked: dict[str, Any], path: str) -> None:
    answer = client.post("/v1/organization/usage", json=asked)
    assert (answer.status_code, answer.json()["issues"][0]["path"]) == (400, [path])
    assert client.post("/v1/organization/usage", json=[]).status_code == 400
