"""Control addresses obey programs and people on this machine, and no page that a browser has open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:8765", "127.0.0.1", "localhost:8765", "LOCALHOST", "[::1]:8765", "127.8.9.10", "testserver"],
)
def test_names_of_this_machine(client: TestClient, host: str) -> None:
    assert client.post("/_emulator/reset", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "10.0.0.1",
        "[::2]",
        "",
        "[",
        "testserver2",
    ],
)
def test_others_are_refused(client: TestClient, host: str) -> None:
    """A name that was made to mean this machine is still that name."""
    for method, path in (("POST", "reset"), ("GET", "ledger"), ("GET", "requests"), ("DELETE", "faults")):
        answer = client.request(method, f"/_emulator/{path}", headers={"Host": host})
        assert answer.status_code == 403
        assert "--allow-host" in answer.json()["error"]


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1.evil.example", "file://", ""]
)
def test_a_page_of_elsewhere_controls_nothing(client: TestClient, origin: str) -> None:
    answer = client.post(
        "/_emulator/faults", json={"on": "create", "kind": "drop"}, headers={"Origin": origin}
    )
    assert answer.status_code == 403
    assert client.get("/_emulator/faults").json() == []


def test_a_page_of_our_own_may(client: TestClient) -> None:
    answer = client.post("/_emulator/reset", headers={"Origin": "http://127.0.0.1:8765"})
    assert answer.status_code == 200


@pytest.mark.parametrize("kind", [FORM, "text/plain", "multipart/form-data; boundary=x", ""])
def test_what_a_form_can_send_is_no_body(client: TestClient, kind: str) -> None:
    answer = client.post("/_emulator/settings", content=b'{"lenient": true}', headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert client.get("/_emulator/settings").json()["lenient"] is False


def test_a_hosted_file_is_given_to_whoever_fetches_an_input(client: TestClient) -> None:
    client.put("/_emulator/media/a.png", content=b"x")
    assert client.get("/_emulator/media/a.png", headers={"Host": "emulator:8765"}).status_code == 200
    assert client.put("/_emulator/media/a.png", content=b"y", headers={"Host": "emulator"}).status_code == 403


def test_the_api_itself_has_any_name(client: TestClient) -> None:
    assert client.get("/v1/organization", headers={"Host": "emulator:8765"}).status_code == 200
