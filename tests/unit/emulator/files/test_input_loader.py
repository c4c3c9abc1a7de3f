"""Files that requests name."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import av
import pytest

from airflow_runway.core.media.references import references_in
from airflow_runway.emulator.rendering.render import render
from airflow_runway.emulator.world.job import Job

from ..conftest import FakeClock, body, data_uri, picture

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    render(Job("video", (128, 72), 0.5, "a boat"), path)
    return path


def size_of(path: Path) -> tuple[int, int]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return stream.width, stream.height


def test_where_references_are() -> None:
    asked = {
        "promptImage": [{"uri": "a", "position": "first"}],
        "character": {"type": "video", "uri": "b"},
        "references": [{"uri": "c"}],
        "referenceVideos": [{"uri": "d", "role": "source"}],
        "referenceAudios": ["e"],
        "speech": {"type": "audio", "audio": "f"},
        "audio": True,
        "image": {"uri": "g"},
        "video": "h",
        "promptText": "uri",
    }
    found = [(reference.uri, reference.kind) for reference in references_in(asked)]
    assert found == [
        ("a", "image"), ("b", "video"), ("c", "image"), ("d", "video"), ("e", ""), ("f", "audio"), ("g", "image"),
        ("h", "video"),
    ]  # fmt: skip


@pytest.mark.parametrize("how", ["output", "media", "data", "upscale", "reverse"])
def test_videos_that_the_emulator_has(
    client: TestClient, clock: FakeClock, create: Any, clip: Path, how: str
) -> None:
    size = (128, 72)
    if how == "output":
        size = (1280, 720)
        task = create()
        clock.pass_seconds(31)
        uri = client.get(f"/v1/tasks/{task}").json()["output"][0]
    elif how == "data":
        uri = f"data:video/mp4;base64,{base64.b64encode(clip.read_bytes()).decode()}"
    else:
        uri = client.put("/_emulator/media/a.mp4", content=clip.read_bytes()).json()["url"]
    path, asked = "/v1/video_to_video", {"model": "aleph2", "videoUri": uri}
    if how == "upscale":
        size = (256, 144)
        path, asked = "/v1/video_upscale", {"model": "magnific_video_upscaler_creative", "videoUri": uri}
    if how == "reverse":
        path = "/runway/pro/video2video"
        asked = {
            "model": "gen4",
            "prompt": "x",
            "options": {},
            "callback_url": "http://localhost/",
            "video": uri,
        }
    answer = client.post(path, json=asked).json()
    clock.pass_seconds(31)
    read = "/runwayml" if how == "reverse" else ""
    task = answer["id"] if "id" in answer else answer["data"]["task_id"]
    link = client.get(f"{read}/v1/tasks/{task}").json()["output"][0]
    clip.write_bytes(client.get(link).content)
    assert size_of(clip) == size


@pytest.mark.parametrize(
    ("uri", "text"),
    [
        ("http://example.com/a.mp4", "Only HTTPS"),
        ("ftp://example.com/a.mp4", "Only HTTPS"),
        ("https://127.0.0.1/a.mp4", "domain"),
        (data_uri(), "Expected video"),
        ("runway://unknown-upload", "does not exist"),
    ],
)
def test_videos_that_are_refused(client: TestClient, uri: str, text: str) -> None:
    answer = client.post("/v1/video_to_video", json={"model": "aleph2", "videoUri": uri})
    assert (answer.status_code, text in answer.json()["error"]) == (400, True)
    answer = client.post(
        "/v1/video_to_video", json={"model": "aleph2", "videoUri": "https://example.com/a.mp4"}
    )
    assert answer.status_code == 200


def test_all_pictures_of_a_request_are_checked(client: TestClient) -> None:
    bad = data_uri(picture(20, 50))
    image = {"model": "gen4_image", "promptText": "x", "ratio": "1280:720", "referenceImages": [{"uri": bad}]}
    answer = client.post("/v1/text_to_image", json=image)
    assert (answer.status_code, "aspect ratio" in answer.json()["error"]) == (400, True)
    assert client.post("/v1/image_to_video", json=body()).status_code == 200
