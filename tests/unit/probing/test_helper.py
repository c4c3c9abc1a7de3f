from __future__ import annotations

import io
from fractions import Fraction

import pytest

from airflow_runway._probing.helper import as_float, measured
from airflow_runway._probing.prober import CONTAINERS
from airflow_runway.core.media.types import sniff


def measure(file, media_type):
    return measured(file, CONTAINERS[media_type])


class Watched(io.BytesIO):
    """Counts what is read."""

    count = 0

    def read(self, size=-1):
        piece = super().read(size)
        self.count += len(piece)
        return piece


def clip(container, codec, **options):
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, **options) as opened:
        stream = opened.add_stream(codec, rate=24)
        stream.width, stream.height, stream.pix_fmt = 64, 36, "yuv420p"
        for _ in range(48):
            opened.mux(stream.encode(av.VideoFrame(64, 36, "yuv420p")))
        opened.mux(stream.encode())
    return buffer.getvalue()


@pytest.mark.parametrize(("container", "codec"), [("mp4", "libx264"), ("mov", "libx264"), ("webm", "libvpx")])
def test_clips(container, codec):
    content = clip(container, codec)
    measures = measure(io.BytesIO(content), sniff(content))
    assert (measures["width"], measures["height"], measures["fps"]) == (64, 36, 24)
    assert measures["duration"] == pytest.approx(2, abs=0.05)


def test_only_the_header_is_read():
    padding = 64 * 2**20
    content = clip("mp4", "libx264")
    file = Watched(content + (padding).to_bytes(4, "big") + b"free" + bytes(padding - 8))
    assert measure(file, "video/mp4")["width"] == 64
    assert file.count < 4 * 2**20


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_pictures(kind):
    from PIL import Image

    buffer = io.BytesIO()
    Image.new("RGB", (64, 36)).save(buffer, kind)
    assert measure(buffer, sniff(buffer.getvalue())) == {"width": 64, "height": 36}


def test_sound():
    import wave

    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(16000))
    assert measure(io.BytesIO(buffer.getvalue()), "audio/wav") == {"duration": 1.0}


class Rational:
    """As much of PyAV 19's own fractions as can be relied upon."""

    def __init__(self, numerator, denominator):
        self.numerator, self.denominator = numerator, denominator


class Number:
    def __float__(self):
        return 0.5


@pytest.mark.parametrize(
    ("rational", "number"),
    [
        (Fraction(30000, 1001), 30000 / 1001),
        (Rational(30000, 1001), 30000 / 1001),
        (Rational(0, 1), 0),
        (Rational(0, 0), 0),
        (Number(), 0.5),
        (24, 24),
        (24.5, 24.5),
        (None, 0),
    ],
)
def test_fractions_of_any_version(rational, number):
    assert as_float(rational) == number


class FakeStream:
    width, height, duration = 64, 36, 25_600
    average_rate, time_base = Rational(24, 1), Rational(1, 12_800)


class FakeContainer:
    duration = 9_000_000

    def __init__(self, **stream):
        self.streams = self
        self.video = [FakeStream()]
        for name, value in stream.items():
            setattr(self.video[0], name, value)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


@pytest.mark.parametrize(
    ("stream", "measures"),
    [
        ({}, {"width": 64, "height": 36, "duration": 2.0, "fps": 24.0}),
        (
            {"average_rate": Rational(0, 1), "duration": None},
            {"width": 64, "height": 36, "duration": 9.0},
        ),
        ({"average_rate": None, "time_base": None, "width": 0}, {"height": 36, "duration": 9.0}),
    ],
)
def test_clips_of_a_library_with_fractions_of_its_own(stream, measures, monkeypatch):
    import av

    monkeypatch.setattr(av, "open", lambda *_, **__: FakeContainer(**stream))
    assert measure(io.BytesIO(), "video/mp4") == measures
