from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest
from starlette.testclient import TestClient

from airflow_runway.emulator.app import make_app
from airflow_runway.emulator.files import input_loader
from airflow_runway.emulator.files.input_checks import MediaError
from airflow_runway.emulator.state import Emulator

from ..conftest import HEADERS, body, data_uri, picture, sample

if TYPE_CHECKING:
    from pathlib import Path

URL = "/v1/image_to_video"


def test_accepted(client: TestClient) -> None:
    answer = client.post(URL, json=body())
    assert answer.status_code == 200
    assert set(answer.json()) == {"id", "estimatedCost"}
    assert answer.json()["estimatedCost"] == {"credits": 10}
    assert uuid.UUID(answer.json()["id"]).version == 4


def test_cometapi_gives_the_id_alone_and_needs_no_ratio(client: TestClient) -> None:
    answer = client.post("/runwayml/v1/image_to_video", json=body(ratio=...))
    assert set(answer.json()) == {"id"}


def test_routed_creations_have_their_own_shape(client: TestClient) -> None:
    answer = client.post("/v1/generate/video", json={"configId": "c", "input": {"promptText": "x"}}).json()
    assert set(answer) == {"id", "routing"}
    assert set(answer["routing"]) == set(sample("runway.generate_video.response.routed")["routing"])
    assert answer["routing"]["estimatedCost"] == {"credits": 60}


@pytest.mark.parametrize("header", [None, "", "Bearer ", "Basic abc"])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (URL, {"error": "Unauthorized"}),
        ("/runwayml/v1/image_to_video", {"error": {"message", "type", "param", "code"}}),
    ],
)
def test_without_a_key(client: TestClient, header: str | None, path: str, expected: dict[str, Any]) -> None:
    client.headers.pop("authorization")
    answer = client.post(path, json=body(), headers={} if header is None else {"Authorization": header})
    assert answer.status_code == 401
    error = answer.json()["error"]
    assert (error if isinstance(error, str) else set(error)) == expected["error"]


def test_only_the_keys_given_are_let_in(tmp_path: Path) -> None:
    app = make_app(Emulator(tmp_path, api_keys=["key_other"]))
    with TestClient(app, headers=HEADERS) as client:
        assert client.post(URL, json=body()).status_code == 401
        assert client.post(URL, json=body(), headers={"Authorization": "Bearer key_other"}).status_code == 200


@pytest.mark.parametrize("version", [None, "2023-01-01"])
def test_the_version_header_is_checked(client: TestClient, version: str | None) -> None:
    client.headers.pop("x-runway-version")
    headers = {"X-Runway-Version": version} if version else {}
    answer = client.post(URL, json=body(), headers=headers)
    assert answer.status_code == 400
    assert "X-Runway-Version" in answer.json()["error"]


def test_all_issues_at_once(client: TestClient) -> None:
    wrong = body(promptImage=..., ratio="wide", promptText="\U0001f600" * 501, duration=11, seed=-1, x=1)
    answer = client.post(URL, json=wrong)
    assert answer.status_code == 400
    documented = sample("runway.image_to_video.error.validation_400")
    assert set(answer.json()) == set(documented)
    assert answer.json()["error"] == documented["error"]
    assert all({"code", "path", "message"} <= set(issue) for issue in answer.json()["issues"])
    assert documented["issues"][0] in answer.json()["issues"]
    codes = {tuple(issue["path"]): issue["code"] for issue in answer.json()["issues"]}
    assert codes == {
        ("seed",): "too_small",
        ("promptImage",): "invalid_type",
        ("ratio",): "invalid_value",
        ("promptText",): "too_big",
        ("duration",): "too_big",
        (): "unrecognized_keys",
    }
    assert client.get("/_emulator/tasks").json() == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'"x"', b"\xff"])
def test_the_body_must_be_an_object(client: TestClient, content: bytes) -> None:
    assert client.post(URL, content=content).status_code == 400


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("http://example.com/a.png", "Only HTTPS URLs are allowed."),
        ("ftp://example.com/a.png", "Only HTTPS URLs are allowed."),
        ("https://127.0.0.1/a.png", "URLs must be hosted on a domain."),
        ("data:text/plain;base64,AAAA", "Unsupported asset type"),
        ("data:image/png;base64,%%%", "not base64"),
        (data_uri(b"no picture"), "Failed to decode"),
        (data_uri(picture(20, 50)), "must be at least 0.5. Got 0.400."),
        (data_uri(picture(50, 20)), "must be at most 2. Got 2.500."),
        (data_uri(picture(kind="GIF"), "image/png"), "Failed to decode"),
        ("http://testserver/_emulator/media/nothing.png", "404"),
        ("http://testserver/_outputs/x/0.png?_jwt=forged", "404"),
    ],
)
def test_pictures_that_are_refused(client: TestClient, uri: str, text: str) -> None:
    answer = client.post(URL, json=body(promptImage=uri))
    assert answer.status_code == 400
    assert text in answer.json()["error"]
    assert client.get("/_emulator/ledger").json() == {"charges": [], "total_credits": 0}


def test_an_https_picture_is_fetched(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fetch(url: str) -> bytes:
        asked.append(url)
        if url.endswith("gone"):
            raise MediaError("Failed to fetch asset. The server answered 404.")
        return picture()

    monkeypatch.setattr(input_loader, "fetch", fetch)
    places = {"a": "first", "gone": "last"}
    images = [{"uri": f"https://example.com/{name}", "position": place} for name, place in places.items()]
    assert client.post(URL, json=body(promptImage=images[0]["uri"])).status_code == 200
    two = body(model="veo3.1", duration=4, promptImage=images)
    assert client.post(URL, json=two).status_code == 400
    assert asked == ["https://example.com/a", "https://example.com/a", "https://example.com/gone"]


def test_an_empty_address_is_no_picture(client: TestClient) -> None:
    answer = client.post(URL, json=body(model="veo3.1", duration=4, promptImage=""))
    assert (answer.status_code, answer.json()) == (400, {"error": "Only HTTPS URLs are allowed."})


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_hosted_pictures_are_taken(client: TestClient, kind: str) -> None:
    url = client.put("/_emulator/media/a b.png", content=picture(kind=kind)).json()["url"]
    assert url == "http://testserver/_emulator/media/a%20b.png"
    assert client.get(url).content == picture(kind=kind)
    assert client.post(URL, json=body(promptImage=url)).status_code == 200


def test_out_of_credits_charges_nothing(client: TestClient) -> None:
    client.post("/_emulator/settings", json={"start_balance": 15})
    assert client.post(URL, json=body()).status_code == 200
    answer = client.post(URL, json=body())
    assert answer.status_code == 400
    assert answer.json() == {
        "error": "You do not have enough credits to run this task.",
        "docUrl": "https://docs.dev.runwayml.com/api",
    }
    assert client.get("/_emulator/ledger").json()["total_credits"] == 10
    organization = client.get("/v1/organization").json()
    assert set(organization) == {"tier", "creditBalance", "usage"}
    assert organization["creditBalance"] == 5
    assert organization["usage"]["models"] == {"gen4_turbo": {"dailyGenerations": 1}}


def test_the_log_holds_neither_key_nor_picture(client: TestClient) -> None:
    uri = data_uri(picture(400, 300))
    client.post(URL, json=body(promptImage=uri))
    entry = client.get("/_emulator/requests").json()[0]
    assert (entry["method"], entry["path"], entry["status"]) == ("POST", URL, 200)
    assert entry["body"]["promptText"] == "a slow push in"
    assert len(entry["body"]["promptImage"]) < 300
    assert entry["headers"]["authorization"].startswith("sha256:")
    assert HEADERS["Authorization"] not in str(entry)
    assert entry["headers"]["x-runway-version"] == "2024-11-06"
