"""How each service answers what it does not take."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from ..conftest import body, data_uri, sample

if TYPE_CHECKING:
    from starlette.testclient import TestClient

URL = "/v1/image_to_video"


COMETAPI = [
    "cometapi.image_to_video.request.minimal",
    "cometapi.video_to_video.request.aleph",
    "cometapi.video_upscale.request.upscale_v1",
    "cometapi.character_performance.request.act_two",
    "cometapi.text_to_image.request.with_reference",
]


REVERSE = [
    "cometapi.pro_generate.request.text",
    "cometapi.pro_generate.request.image",
    "cometapi.pro_video2video.request.restyle",
    "cometapi.pro_video2video.request.restyle_newer",
    "cometapi.pro_act_one.request.expression",
]


@pytest.mark.parametrize("name", [*COMETAPI, *REVERSE, "gptplus5.image_to_video.request.sample"])
def test_documented_requests_are_taken(client: TestClient, name: str) -> None:
    gateway, route, _ = name.split(".", 2)
    client.post("/_emulator/settings", json={"runwayml_gateway": gateway})
    asked = sample(name)
    for field in ("promptImage", "image"):
        if field in asked:
            asked[field] = data_uri()
    for field in ("references", "referenceImages"):
        for item in asked.get(field, []):
            item["uri"] = data_uri()
    path = f"/runway/pro/{route[4:]}" if route.startswith("pro_") else f"/runwayml/v1/{route}"
    answer = client.post(path, json=asked)
    assert answer.status_code == 200, answer.text
    assert "code" not in answer.json() or answer.json()["code"] == 200
    if route not in ("pro_generate", "pro_act_one"):
        asked.pop("model")
        refused = client.post(path, json=asked).json()
        assert "model" in str(refused)


def test_gateways_carry_runways_issues_as_text(client: TestClient) -> None:
    answer = client.post("/runwayml/v1/image_to_video", json=body(promptText="x" * 1001, ratio=...))
    documented = sample("newapi.create.error.upstream_refused_runway_400")
    assert (answer.status_code, set(answer.json())) == (400, set(documented))
    assert answer.json()["code"] == documented["code"]
    inner = json.loads(answer.json()["message"])
    assert [issue["code"] for issue in inner["issues"]] == ["too_big"]
    answer = client.post("/runwayml/v1/image_to_video", json=body(promptImage="http://example.com/a.png"))
    assert json.loads(answer.json()["message"]) == {"error": "Only HTTPS URLs are allowed."}


def test_words_of_the_gateways(client: TestClient) -> None:
    path = "/runwayml/v1/image_to_video"
    answer = client.post(path, json=body(model="gen9"))
    assert answer.status_code == 503
    documented = sample("newapi.create.error.no_channel_503")["error"]
    assert answer.json()["error"] | {"message": ""} == documented | {"message": ""}
    client.post("/_emulator/settings", json={"lenient": True})
    assert client.post(path, json=body(model="gen9")).status_code == 200
    answer = client.post(path, json=body(model=...))
    assert (answer.status_code, "model name is required" in answer.text) == (400, True)
    image = {"model": "gen4_image", "promptText": "x", "ratio": "1280:720"}
    answer = client.post("/runwayml/v1/text_to_image", json=image)
    assert (answer.status_code, answer.json()) == (
        400,
        sample("cometapi.text_to_image.error.reference_images_empty"),
    )
    answer = client.post("/runway/pro/generate", json={"prompt": "x", "model": "gen4"})
    assert (answer.status_code, answer.json()) == (
        400,
        sample("cometapi.pro_generate.error.callback_url_empty"),
    )
    answer = client.post("/runway/pro/generate", json={"callback_url": "http://localhost/"})
    assert (answer.status_code, set(answer.json())) == (
        200,
        set(sample("rixapi.pro_generate.response.refused_in_body")),
    )
    assert (answer.json()["code"], "prompt" in answer.json()["msg"]) == (400, True)
    answer = client.post(path, content=b"[]")
    documented = sample("cometapi.any.error.invalid_request_500")["error"]
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, documented["code"])
    assert set(answer.json()["error"]) == set(documented)


def test_unknown_addresses(client: TestClient) -> None:
    documented = sample("newapi.any.error.invalid_url_404")
    answer = client.post("/runwayml/v2/image_to_video", json={})
    assert (answer.status_code, answer.json()) == (404, documented)
    assert client.delete("/runwayml/v1/tasks/x").status_code == 404
    client.post("/_emulator/settings", json={"runwayml_gateway": "gptplus5"})
    answer = client.post("/runwayml/v1/video_to_video", json={})
    assert (answer.status_code, "Invalid URL" in answer.text) == (404, True)
    for method, status in (("GET", 405), ("PUT", 405)):
        answer = client.request(method, URL)
        assert (answer.status_code, set(answer.json())) == (status, {"error"})
    assert set(client.get("/v1/nothing").json()) == {"error"}


def test_a_body_that_is_too_large(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("airflow_runway.emulator.api.creation._MAX_BODY", 100)
    answer = client.post(URL, content=b"x" * 1000)
    assert (answer.status_code, set(answer.json())) == (413, {"error"})
