from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import anyio
import av
import pytest
from PIL import Image, ImageChops

from airflow_runway.emulator.rendering import render_cache
from airflow_runway.emulator.rendering.job_from_request import job_for, pixel_size
from airflow_runway.emulator.rendering.render import render
from airflow_runway.emulator.rendering.render_cache import RenderCache
from airflow_runway.emulator.world.job import Inputs, Job

from ..conftest import picture

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("ratio", "size"),
    [
        ("1280:720", (1280, 720)),
        ("1105:833", (1104, 832)),
        ("16:9", (1280, 720)),
        ("9:16", (720, 1280)),
        ("1:1", (960, 960)),
        ("99999:1", (1280, 64)),
        (None, (1280, 720)),
        ("auto", (1280, 720)),
    ],
)
def test_sizes(ratio: str | None, size: tuple[int, int]) -> None:
    assert pixel_size(ratio) == size


@pytest.mark.parametrize("with_picture", [True, False])
@pytest.mark.parametrize("size", [(320, 180), (130, 194)])
def test_a_clip_can_be_decoded_and_moves(tmp_path: Path, with_picture: bool, size: tuple[int, int]) -> None:
    source = tmp_path / "source"
    source.write_bytes(picture(300, 200, "JPEG"))
    path = tmp_path / "clip.mp4"
    job = Job("video", size, 2.0, "a paper boat", source if with_picture else None)
    render(job, path)
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert (stream.width, stream.height, stream.average_rate) == (*size, 24)
        frames = [frame.to_image() for frame in container.decode(video=0)]
    assert len(frames) == 48
    assert ImageChops.difference(frames[0], frames[-1]).convert("L").getextrema()[1] > 30
    # The index comes before the data, so that a player can start at once.
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


def test_colours_survive(tmp_path: Path) -> None:
    source = tmp_path / "source"
    Image.new("RGB", (64, 64), (200, 40, 90)).save(source, "PNG")
    path = tmp_path / "clip.mp4"
    render(Job("video", (128, 128), 0.2, "", source), path)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    # As the tags of the stream say: BT.709. By hand, since PyAV 13 takes no colour space for the way back.
    luma, blue, red = (
        bytes(plane)[10] - zero for plane, zero in zip(frame.planes, (16, 128, 128), strict=True)
    )
    grey = 1.164 * luma
    pixel = (grey + 1.793 * red, grey - 0.213 * blue - 0.533 * red, grey + 2.112 * blue)
    assert all(abs(got - sent) < 6 for got, sent in zip(pixel, (200, 40, 90), strict=True))


def test_still_and_sound(tmp_path: Path) -> None:
    render(Job("image", (320, 180), 5, "words \u4e2d\u6587 " * 300), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert (image.format, image.size) == ("PNG", (320, 180))
    render(Job("audio", (2, 2), 1.5, ""), tmp_path / "a.wav")
    with wave.open(str(tmp_path / "a.wav")) as sound:
        assert sound.getnframes() / sound.getframerate() == 1.5


def test_jobs_of_routes() -> None:
    assert job_for("sound_effect", {"model": "m"}, Inputs()).extension == "wav"
    assert job_for("text_to_image", {"model": "m"}, Inputs()).content_type == "image/png"
    nested = job_for(
        "generate/video", {"input": {"ratio": "720:1280", "duration": 3, "promptText": "x"}}, Inputs()
    )
    assert (nested.kind, nested.size, nested.seconds, nested.text) == ("video", (720, 1280), 3.0, "x")
    same = job_for("text_to_video", {"promptText": "x", "ratio": "720:1280", "duration": 3}, Inputs())
    assert same.digest == nested.digest


async def test_askers_at_once_share_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def fake(job: Job, path: Path) -> None:
        calls.append(job)
        path.write_bytes(b"x")

    monkeypatch.setattr(render_cache, "render", fake)
    files = RenderCache(tmp_path)
    async with anyio.create_task_group() as group:
        for text in ("a", "b", "a", "a"):
            group.start_soon(files.get, Job("video", (64, 64), 1, text))
    assert sorted(job.text for job in calls) == ["a", "b"]
