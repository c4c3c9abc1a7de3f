"""Clips that are made from the frames of other clips."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import av
import pytest
from PIL import Image

from airflow_runway.emulator.rendering.job_from_request import job_for
from airflow_runway.emulator.rendering.probe import probe
from airflow_runway.emulator.rendering.render import render
from airflow_runway.emulator.world.job import Inputs, Job
from airflow_runway.media_references import references_in

from ..conftest import FakeClock, body, data_uri, picture

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.testclient import TestClient


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    Image.new("RGB", (64, 64), (200, 40, 90)).save(source, "PNG")
    path = tmp_path / "clip.mp4"
    render(Job("video", (128, 72), 0.5, "", source), path)
    return path


def frames(path: Path) -> list[Image.Image]:
    with av.open(str(path)) as container:
        return [frame.to_image() for frame in container.decode(video=0)]


def test_probing(clip: Path, tmp_path: Path) -> None:
    found = probe(clip)
    assert found is not None
    assert (found.size, found.seconds) == ((128, 72), pytest.approx(0.5, abs=0.05))
    (tmp_path / "text").write_text("no video")
    assert probe(tmp_path / "text") is None
    assert probe(tmp_path / "nothing") is None


def test_other_colours_for_another_prompt(clip: Path, tmp_path: Path) -> None:
    files = Inputs(video=probe(clip))
    colours = [frames(clip)[0].getpixel((64, 36))]
    for text in ("dusk", "snow"):
        job = job_for("video_to_video", {"promptText": text}, files)
        path = tmp_path / text
        render(job, path.with_suffix(".mp4"))
        made = frames(path.with_suffix(".mp4"))
        assert (len(made), made[0].size) == (12, (128, 72))
        colours.append(made[0].getpixel((64, 36)))
    assert len(set(colours)) == 3


def test_another_shape_is_cropped_and_not_stretched(clip: Path, tmp_path: Path) -> None:
    made = tmp_path / "made.mp4"
    render(job_for("video_to_video", {"ratio": "64:128", "seconds": 0.1}, Inputs(video=probe(clip))), made)
    assert frames(made)[0].size == (64, 128)
    assert len(frames(made)) == 2


def test_upscaling_keeps_the_colours(clip: Path, tmp_path: Path) -> None:
    job = job_for("video_upscale", {"model": "upscale_v1"}, Inputs(video=probe(clip)))
    assert job.size == (256, 144)
    render(job, tmp_path / "large.mp4")
    (old, *_), (new, *_) = frames(clip), frames(tmp_path / "large.mp4")
    pixels: Any = zip(old.getpixel((64, 36)), new.getpixel((128, 72)), strict=True)
    assert all(abs(a - b) < 12 for a, b in pixels)


def test_a_source_that_is_gone_leaves_the_words(clip: Path, tmp_path: Path) -> None:
    job = job_for("video_to_video", {"promptText": "x", "ratio": "128:96"}, Inputs(video=probe(clip)))
    clip.unlink()
    render(job, tmp_path / "made.mp4")
    assert frames(tmp_path / "made.mp4")[0].size == (128, 96)


def test_the_picture_wins_where_a_video_is_only_a_reference(clip: Path, tmp_path: Path) -> None:
    files = Inputs(tmp_path / "source", probe(clip))
    assert job_for("character_performance", {}, files).video is None
    assert job_for("pro/video2video", {"options": {"seconds": 5}}, files).video is not None
    assert job_for("pro/generate", {"options": {"seconds": 10}}, Inputs()).seconds == 10


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
    assert frames(clip)[0].size == size


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
