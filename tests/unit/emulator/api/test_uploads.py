from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from ..conftest import FakeClock, body, picture, sample

if TYPE_CHECKING:
    from starlette.testclient import TestClient

ASKED = {"filename": "image.png", "type": "ephemeral"}
DAY = 24 * 3600


def slot(client: TestClient, **changes: Any) -> dict[str, Any]:
    answer = client.post("/v1/uploads", json=ASKED | changes)
    assert answer.status_code == 200, answer.text
    made: dict[str, Any] = answer.json()
    return made


def send(client: TestClient, made: dict[str, Any], content: bytes, **changes: Any) -> Any:
    """The second step, in order: the fields, then the file; as a storage service gets it, without a key."""
    parts = [(name, (None, value)) for name, value in (made["fields"] | changes).items()]
    key = client.headers.pop("authorization")
    try:
        return client.post(made["uploadUrl"], files=[*parts, ("file", ("image.png", content))])
    finally:
        client.headers["authorization"] = key


def test_both_steps_and_the_use(client: TestClient, clock: FakeClock) -> None:
    made = slot(client)
    assert set(made) == set(sample("runway.uploads.response.slot"))
    assert set(made["fields"]) == set(sample("runway.uploads.response.slot")["fields"])
    assert made["runwayUri"].startswith("runway://")
    prompt = body(promptImage=made["runwayUri"])
    assert client.post("/v1/image_to_video", json=prompt).status_code == 400
    answer = send(client, made, picture(200, 150))
    assert (answer.status_code, answer.content) == (204, b"")
    assert client.post("/v1/image_to_video", json=prompt).status_code == 200
    clock.pass_seconds(DAY - 1)
    assert client.post("/v1/image_to_video", json=prompt).status_code == 200
    clock.pass_seconds(1)
    answer = client.post("/v1/image_to_video", json=prompt)
    assert (answer.status_code, "expired" in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    ("asked", "path"),
    [
        ({"filename": "a"}, "filename"),
        ({"filename": "a" * 252 + ".png"}, "filename"),
        ({"filename": "notes.txt"}, "filename"),
        ({"filename": "png"}, "filename"),
        ({"type": "permanent"}, "type"),
        ({"type": None}, "type"),
    ],
)
def test_slots_that_are_refused(client: TestClient, asked: dict[str, Any], path: str) -> None:
    answer = client.post("/v1/uploads", json=ASKED | asked)
    assert (answer.status_code, answer.json()["issues"][0]["path"]) == (400, [path])


def test_a_slot_needs_a_key_and_the_form_none(client: TestClient) -> None:
    made = slot(client)
    files = {"file": ("image.png", picture(200, 150))}
    answer = client.post(made["uploadUrl"], data=made["fields"], files=files)
    assert (answer.status_code, "Authorization" in answer.text) == (400, True)
    client.headers.pop("authorization")
    assert client.post("/v1/uploads", json=ASKED).status_code == 401


def test_the_file_comes_last(client: TestClient) -> None:
    made = slot(client)
    parts = [(name, (None, value)) for name, value in made["fields"].items()]
    client.headers.pop("authorization")
    file = ("file", ("image.png", picture(200, 150)))
    for wrong in ([file, *parts], [*parts, ("file", (None, "text"))], parts, [*parts[1:], file]):
        assert client.post(made["uploadUrl"], files=wrong).status_code == 400
    assert client.post(made["uploadUrl"], content=b"x").status_code == 400
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    assert client.post(made["uploadUrl"], content=b"nonsense", headers=headers).status_code == 400
    assert client.post(made["uploadUrl"], files=[*parts, file]).status_code == 204
    assert client.post("/_uploads/unknown", files=[*parts, file]).status_code == 400


def test_the_size_of_a_file(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    made = slot(client)
    assert send(client, made, b"x" * 511).status_code == 400
    assert send(client, made, b"x" * 512).status_code == 204
    assert send(client, made, b"x" * 512, policy="forged").status_code == 400
    monkeypatch.setattr("airflow_runway.emulator.api.uploads.LARGEST_UPLOAD", 100_000)
    assert send(client, made, b"x" * 100_001).status_code == 400
    assert send(client, made, b"x" * 300_000).status_code == 400
    assert send(client, made, b"x" * 100_000).status_code == 204


def test_the_second_step_can_fail(client: TestClient) -> None:
    made = slot(client)
    client.post("/_emulator/faults", json={"on": "upload_file", "kind": "status", "status": 503})
    assert send(client, made, picture(200, 150)).status_code == 503
    assert client.post("/v1/image_to_video", json=body(promptImage=made["runwayUri"])).status_code == 400
    assert send(client, made, picture(200, 150)).status_code == 204


def test_reset_forgets_uploads(client: TestClient) -> None:
    made = slot(client)
    send(client, made, picture(200, 150))
    client.post("/_emulator/reset")
    answer = client.post("/v1/image_to_video", json=body(promptImage=made["runwayUri"]))
    assert answer.status_code == 400
