"""Clips that are made from the frames of other clips."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import av
import pytest
from PIL import Image

from airflow_runway.emulator.rendering.job_from_request import job_for
from airflow_runway.emulator.rendering.probe import probe
from airflow_runway.emulator.rendering.render import render
from airflow_runway.emulator.world.job import Inputs, Job

if TYPE_CHECKING:
    from pathlib import Path


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
