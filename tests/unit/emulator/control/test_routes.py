"""What tests and people use to look inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from ..conftest import FakeClock

URL = "/v1/image_to_video"


def test_settings_and_reset(client: TestClient, create: Any) -> None:
    assert client.post("/_emulator/settings", json={"nonsense": 1}).status_code == 400
    assert client.post("/_emulator/settings", json={"cometapi_reads": "other"}).status_code == 400
    assert client.post("/_emulator/settings", json={"seconds": 5}).json()["seconds"] == 5
    create()
    client.put("/_emulator/media/a.png", content=b"x")
    client.post("/_emulator/faults", json={"kind": "drop"})
    client.post("/_emulator/reset")
    assert client.get("/_emulator/settings").json()["seconds"] == 30
    for address in ("tasks", "faults", "requests"):
        assert client.get(f"/_emulator/{address}").json() == []
    assert client.get("/_emulator/media/a.png").status_code == 404
    assert client.get("/_emulator/health").json() == {"ok": True}


@pytest.mark.parametrize(
    "text", [b'{"seconds": NaN}', b'{"seconds": 1e999}', b'{"x": "\\ud800"}', b"[" * 100_000]
)
def test_what_could_not_be_shown_again_is_refused(client: TestClient, text: bytes) -> None:
    for address in ("/_emulator/settings", "/_emulator/faults", URL):
        assert (
            client.post(address, content=text, headers={"Content-Type": "application/json"}).status_code
            == 400
        )
    assert client.get("/_emulator/requests").status_code == 200


def test_browsers_get_a_page(client: TestClient, create: Any, clock: FakeClock) -> None:
    task = create(promptText="<script>")
    client.headers.pop("authorization")
    answer = client.get(f"/v1/tasks/{task}", headers={"Accept": "text/html,*/*"})
    assert (answer.status_code, answer.headers["location"]) == (303, f"/_emulator/tasks/{task}")
    page = client.get(f"/_emulator/tasks/{task}").text
    assert "PENDING" in page
    assert "refresh" in page
    clock.pass_seconds(31)
    page = client.get(f"/_emulator/tasks/{task}").text
    assert "<video" in page
    assert "refresh" not in page
    assert client.get("/_emulator/tasks/nothing").status_code == 404
