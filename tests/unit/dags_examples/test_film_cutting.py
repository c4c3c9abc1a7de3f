"""Clips of all shapes, with sound and without, become one film."""

from __future__ import annotations

import importlib.util
import wave
from array import array
from fractions import Fraction

import av
import pytest
from integration.media import decode, frame_at, loudness
from PIL import Image, ImageStat

from airflow_runway.demo.examples import example_dags

pytestmark = pytest.mark.slow

RED, BLUE = (200, 40, 40), (40, 60, 200)


@pytest.fixture(scope="module")
def cut_film():
    spec = importlib.util.spec_from_file_location("film_cutting", example_dags() / "film_cutting.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.cut_film


def clip(path, colour, size=(320, 180), rate=24, frames=24, loud=None):
    """A clip of one colour, untagged as to its colours' kind; its square wave as loud as asked."""
    with av.open(str(path), "w") as container:
        picture = container.add_stream("libx264", rate=rate)
        picture.width, picture.height, picture.pix_fmt = *size, "yuv420p"
        sound = container.add_stream("aac", rate=48_000, layout="mono") if loud is not None else None
        for _ in range(frames):
            frame = av.VideoFrame.from_image(Image.new("RGB", size, colour))
            yuv = frame.reformat(format="yuv420p", dst_colorspace="ITU709")
            yuv.colorspace = 2  # "unknown", as in many files
            container.mux(picture.encode(yuv))
        container.mux(picture.encode(None))
        if sound is not None:
            count = round(frames / Fraction(rate) * 48_000)
            samples = av.AudioFrame("s16", "mono", count)
            samples.planes[0].update(array("h", [loud if at // 50 % 2 else -loud for at in range(count)]))
            samples.rate, samples.pts = 48_000, 0
            container.mux(sound.encode(samples))
            container.mux(sound.encode(None))
    return f"file://{path}"


@pytest.fixture
def music(tmp_path):
    """A third of a second, over and over."""
    path = tmp_path / "music.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 24_000, 0, "NONE", ""))
        file.writeframes(array("h", [5000 if at // 25 % 2 else -5000 for at in range(8000)]))
    return f"file://{path}"


def test_clips_of_other_shapes_and_rates_are_fitted_into_the_first(cut_film, tmp_path):
    clips = [
        clip(tmp_path / "a.mp4", RED),
        clip(tmp_path / "b.mp4", BLUE, size=(180, 320), rate=30, frames=45),
        clip(tmp_path / "c.mp4", RED, size=(160, 120), rate=Fraction(24_000, 1001), frames=48),
    ]
    lengths = cut_film(clips, f"file://{tmp_path}/film.mp4")
    assert lengths == pytest.approx([1, 1.5, 2], abs=1 / 24)
    film = decode(tmp_path / "film.mp4")
    assert (film.codec, film.pixels, film.width, film.height) == ("h264", "yuv420p", 320, 180)
    assert film.seconds == pytest.approx(sum(lengths), abs=0.001)
    for seconds, colour in ((0.5, RED), (1.75, BLUE), (3.5, RED)):
        middle = frame_at(tmp_path / "film.mp4", seconds).crop((150, 80, 170, 100))
        assert ImageStat.Stat(middle).mean == pytest.approx(colour, abs=4)
    bar = frame_at(tmp_path / "film.mp4", 1.75).crop((0, 0, 90, 180))
    assert max(ImageStat.Stat(bar).mean) < 5


def test_a_clip_keeps_its_sound_and_the_music_lies_under_the_others(cut_film, music, tmp_path):
    clips = [clip(tmp_path / "a.mp4", RED), clip(tmp_path / "b.mp4", BLUE, loud=12_000)]
    cut_film([*clips, clips[0]], f"file://{tmp_path}/film.mp4", music)
    under = loudness(tmp_path / "film.mp4", pieces_of=0.5)
    # FFmpeg spreads one channel over two with the same power, and square waves lose their corners.
    assert under[0] == pytest.approx(5000 * 0.7, rel=0.1)
    assert under[:6] == pytest.approx([under[0] * times for times in (1, 1, 2.4, 2.4, 1, 1)], rel=0.1)


def test_a_film_without_any_sound_is_silent_all_the_way(cut_film, tmp_path):
    cut_film([clip(tmp_path / "a.mp4", RED)], f"file://{tmp_path}/film.mp4")
    assert max(loudness(tmp_path / "film.mp4", pieces_of=0.5)) == 0
