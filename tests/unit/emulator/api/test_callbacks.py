from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from ..conftest import FakeClock, data_uri, sample

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.testclient import TestClient

    from airflow_runway.emulator.state import Emulator


class Receiver:
    """A server that keeps what it is sent."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.status = 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                outer.bodies.append(json.loads(self.rfile.read(length)))
                self.send_response(outer.status)
                self.send_header("Location", "http://example.com/")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/cb?token=t1"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


@pytest.fixture
def pump(client: TestClient, emulator: Emulator) -> Any:
    def pump() -> list[dict[str, Any]]:
        assert client.portal is not None
        client.portal.call(emulator.callbacks.pump)
        sent: list[dict[str, Any]] = client.get("/_emulator/callbacks").json()
        return sent

    return pump


def generate(client: TestClient, url: str) -> str:
    asked = {"callback_url": url, "model": "gen4", "prompt": "a cat", "image": data_uri()}
    answer = client.post("/runway/pro/generate", json=asked)
    assert answer.status_code == 200, answer.text
    task: str = answer.json()["data"]["task_id"]
    return task


def test_at_completion(client: TestClient, clock: FakeClock, receiver: Receiver, pump: Any) -> None:
    task = generate(client, receiver.url)
    clock.pass_seconds(15)
    assert pump() == []
    clock.pass_seconds(16)
    (sent,) = pump()
    assert pump() == [sent]
    assert (sent["runway_task_id"], sent["url"], sent["status"], sent["error"]) == (
        task,
        receiver.url,
        200,
        None,
    )
    (body,) = receiver.bodies
    documented = sample("cometapi.callback.request.numeric_succeeded")
    assert (set(body), body["status"], body["task_id"]) == (set(documented), "3", task)
    assert client.get(body["video_url"]).headers["content-type"] == "video/mp4"


def test_at_every_change(client: TestClient, clock: FakeClock, receiver: Receiver, pump: Any) -> None:
    client.post("/_emulator/settings", json={"callbacks": "every_change"})
    client.post("/_emulator/faults", json={"on": "create", "kind": "fail_task", "failure": "no"})
    generate(client, receiver.url)
    for _ in range(4):
        clock.pass_seconds(10)
        pump()
    assert [body["status"] for body in receiver.bodies] == ["1", "2"]
    documented = sample("cometapi.callback.request.numeric_failed")
    assert set(receiver.bodies[-1]) == set(documented)
    assert (receiver.bodies[-1]["msg"], receiver.bodies[-1]["refund"]) == ("no", "1")


def test_off(client: TestClient, clock: FakeClock, receiver: Receiver, pump: Any) -> None:
    client.post("/_emulator/settings", json={"callbacks": "off"})
    generate(client, receiver.url)
    clock.pass_seconds(31)
    assert pump() == receiver.bodies == []


def test_failures_are_recorded_and_not_repeated(
    client: TestClient, clock: FakeClock, receiver: Receiver, pump: Any
) -> None:
    receiver.status = 302
    for url in (receiver.url, "http://127.0.0.1:1/", "http://example.com/", "file://localhost/x", "http://["):
        generate(client, url)
    clock.pass_seconds(31)
    sent = pump()
    assert [record["status"] for record in sent] == [302, None, None, None, None]
    assert all(record["error"] for record in sent[1:])
    assert "callback_hosts" in sent[2]["error"]
    assert len(pump()) == 5
    assert len(receiver.bodies) == 1
    client.post("/_emulator/reset")
    assert pump() == []


def test_a_user_in_an_address_is_neither_used_nor_shown(
    client: TestClient, clock: FakeClock, receiver: Receiver, pump: Any
) -> None:
    for url in (
        receiver.url.replace("127.0.0.1", "somebody:secret@127.0.0.1"),
        "http://127.0.0.1:somebody:secret@127.0.0.1/",
        "http://127.0.0.1:secret/",
    ):
        generate(client, url)
    clock.pass_seconds(31)
    sent = pump()
    assert [record["status"] for record in sent] == [None] * 3
    assert "names a user" in sent[0]["error"]
    assert receiver.bodies == []
    for page in ("/_emulator/callbacks", "/_emulator/requests", "/_emulator"):
        assert "somebody" not in client.get(page).text


def test_a_user_in_the_address_of_a_file_is_refused_and_not_shown(client: TestClient) -> None:
    body = sample("runway.image_to_video.request.gen4_turbo")
    body["promptImage"] = "https://somebody:secret@example.com/a.png"
    headers = {"Authorization": "Bearer key_x", "X-Runway-Version": "2024-11-06"}
    answer = client.post("/v1/image_to_video", json=body, headers=headers)
    assert answer.status_code == 400
    assert "secret" not in answer.text
    assert "secret" not in client.get("/_emulator/requests").text
