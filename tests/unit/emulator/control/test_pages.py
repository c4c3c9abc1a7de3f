"""The emulator's pages for people: what was asked for, what came of it, and nothing of a stranger's as markup."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_runway.emulator.files.input_loader import EXAMPLE_PICTURE

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from ..conftest import FakeClock

PERSON = {"accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def person(client: TestClient) -> TestClient:
    """A browser: it has no key, and wants pages."""
    client.headers.pop("authorization")
    client.headers.update(PERSON)
    return client


def test_the_list_shows_what_was_asked_for(client: TestClient, create: Any, clock: FakeClock) -> None:
    first = create(promptText="a <b>fox</b>", promptImage=EXAMPLE_PICTURE)
    clock.pass_seconds(31)
    second = create(promptText="rain")
    client.headers.pop("authorization")
    page = client.get("/_emulator/tasks", headers=PERSON).text
    assert page.index(second) < page.index(first)
    assert "a &lt;b&gt;fox&lt;/b&gt;" in page
    assert f'src="/_emulator/tasks/{first}/input"' in page
    assert "SUCCEEDED" in page
    assert "2 tasks" in page
    assert 'http-equiv="refresh"' in page
    clock.pass_seconds(31)
    assert 'http-equiv="refresh"' not in client.get("/_emulator/tasks", headers=PERSON).text


def test_programs_still_get_json(client: TestClient, create: Any) -> None:
    task = create()
    for headers in ({}, {"accept": "*/*"}, {**PERSON, "authorization": "Bearer key"}):
        assert [one["id"] for one in client.get("/_emulator/tasks", headers=headers).json()] == [task]


def test_a_long_list_names_its_length(client: TestClient, create: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("airflow_runway.emulator.control.routes.MOST_LISTED", 2)
    tasks = [create(promptText=f"number {number}") for number in range(3)]
    client.headers.pop("authorization")
    page = client.get("/_emulator/tasks", headers=PERSON).text
    assert "3 tasks, the last 2 of them here" in page
    assert [one in page for one in tasks] == [False, True, True]


def test_a_task_shows_prompt_input_and_result(client: TestClient, create: Any, clock: FakeClock) -> None:
    task = create(promptText="<script>", promptImage=EXAMPLE_PICTURE, duration=5)
    clock.pass_seconds(31)
    client.headers.pop("authorization")
    page = client.get(f"/_emulator/tasks/{task}", headers=PERSON).text
    assert "&lt;script&gt;" in page
    assert "<script>" not in page
    assert "video 1280 x 720, 5 s" in page
    assert f'src="/_emulator/tasks/{task}/input"' in page
    assert "<video controls" in page
    answer = client.get(f"/_emulator/tasks/{task}/input")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.content.startswith(b"\xff\xd8\xff")


def test_what_has_no_input_says_so(person: TestClient) -> None:
    assert person.get("/_emulator/tasks/none/input").status_code == 404
    assert "0 tasks" in person.get("/_emulator/tasks").text
