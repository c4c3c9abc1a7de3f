"""Posters and contact sheets, made in the helper of files that it was never told the names of."""

from __future__ import annotations

import io

import pytest
from PIL import Image
from unit.probing import hostile
from unit.probing.test_prober import picture

from airflow_runway._probing import prober as module
from airflow_runway._probing.prober import Prober, UnmeasuredError


@pytest.fixture(scope="module")
def prober():
    one = Prober()
    yield one
    one.close()


def film(*colours, size=(640, 360), each=8, keyframes=250):
    """A clip of so many frames in each colour."""
    import av

    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as opened:
        stream = opened.add_stream("libx264", rate=8, options={"g": str(keyframes), "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for colour in colours:
            image = Image.new("RGB", size, colour)
            # Two halves, so that it is no empty frame, unless it is black.
            image.paste(tuple(value // 2 for value in colour), (0, 0, size[0] // 2, size[1]))
            for _ in range(each):
                opened.mux(stream.encode(av.VideoFrame.from_image(image)))
        opened.mux(stream.encode())
    return buffer.getvalue()


RED, GREEN, BLUE, BLACK = (220, 0, 0), (0, 220, 0), (0, 0, 220), (0, 0, 0)


def stills(prober, content, media_type="video/mp4", frames=9):
    return prober.stills(io.BytesIO(content), len(content), media_type, frames)


def opened(content):
    image = Image.open(io.BytesIO(content))
    assert image.format == "JPEG"
    return image.convert("RGB")


def strongest(image, x, y):
    pixel = image.getpixel((x, y))
    return "RGB"[pixel.index(max(pixel))]


def test_a_clip(prober):
    found = stills(prober, film(RED, GREEN, BLUE))
    assert opened(found.poster).size == (640, 360)
    sheet = opened(found.contact_sheet)
    assert sheet.size == (3 * 320 + 2 * 4, 3 * 180 + 2 * 4)
    # A row each: three frames of each colour.
    assert [strongest(sheet, 900, 60 + row * 184) for row in range(3)] == ["R", "G", "B"]


def test_the_poster_is_no_empty_frame(prober):
    poster = opened(stills(prober, film(BLACK, BLACK, GREEN)).poster)
    assert strongest(poster, 600, 100) == "G"


def test_a_film_that_is_black_throughout_has_a_poster(prober):
    assert opened(stills(prober, film(BLACK)).poster).getpixel((5, 5)) < (20, 20, 20)


@pytest.mark.parametrize(("frames", "size"), [(1, (320, 180)), (2, (644, 180)), (16, (1292, 732))])
def test_so_many_frames(prober, frames, size):
    assert opened(stills(prober, film(RED, GREEN, BLUE), frames=frames).contact_sheet).size == size


def test_no_sheet(prober):
    found = stills(prober, film(RED), frames=0)
    assert opened(found.poster).size == (640, 360)
    assert found.contact_sheet is None


def test_a_clip_of_a_single_frame(prober):
    assert opened(stills(prober, film(RED, each=1)).contact_sheet).size == (320, 180)


def test_a_long_clip_is_looked_at_by_its_key_frames(prober, tmp_path):
    from airflow_runway._probing import helper
    from airflow_runway._probing import stills as made

    content = film(RED, GREEN, BLUE, keyframes=8)
    most, made._MOST_PIXELS = made._MOST_PIXELS, 1
    try:
        with helper._opened(io.BytesIO(content), "mov") as clip:
            poster, sheet = made.of_clip(clip, 9, float("inf"))
    finally:
        made._MOST_PIXELS = most
    assert strongest(opened(poster), 600, 100) == "R"
    # Three key frames, each once.
    assert opened(sheet).size == (3 * 320 + 2 * 4, 180)
    assert [strongest(opened(sheet), 300 + 324 * column, 60) for column in range(3)] == ["R", "G", "B"]


def test_what_is_there_at_the_deadline_must_do():
    from airflow_runway._probing import helper
    from airflow_runway._probing import stills as made

    with helper._opened(io.BytesIO(film(RED, GREEN, BLUE)), "mov") as clip:
        poster, _ = made.of_clip(clip, 9, 0.0)
    assert opened(poster).size == (640, 360)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture(prober, kind):
    found = stills(prober, picture((2600, 1300), kind), f"image/{kind.lower()}")
    assert opened(found.poster).size == (1280, 640)
    assert found.contact_sheet is None


def test_a_picture_with_transparency(prober):
    file = io.BytesIO()
    Image.new("RGBA", (32, 32), (0, 0, 0, 0)).save(file, "PNG")
    assert opened(stills(prober, file.getvalue(), "image/png").poster).getpixel((9, 9)) == (96, 96, 96)


def test_sound_has_no_picture(prober):
    assert stills(prober, b"ID3", "audio/mpeg") is None


@pytest.mark.parametrize("library", ["av", "PIL"])
def test_without_the_extra_there_are_none(prober, library, monkeypatch):
    monkeypatch.setattr(module, "_is_installed", lambda name: name != library)
    assert stills(prober, film(RED)) is None


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(hostile.FTYP + bytes(64), "video/mp4"), (b"\x89PNG\r\n\x1a\n" + bytes(64), "image/png")],
)
def test_what_is_none_is_said(prober, content, media_type):
    with pytest.raises(UnmeasuredError, match="no picture of it can be made"):
        stills(prober, content, media_type)
    assert stills(prober, film(RED)) is not None


def test_a_picture_of_too_many_pixels(prober):
    with pytest.raises(UnmeasuredError):
        stills(prober, hostile.png_of(50_000, 50_000), "image/png")


def test_what_a_helper_says_must_be_a_picture(monkeypatch):
    one = Prober()
    monkeypatch.setattr(module._Process, "__init__", lambda self: None)
    monkeypatch.setattr(
        module._Process, "ask", lambda *_: ({"stills": [9]}, [b"<svg onload=alert(1)>"]), raising=False
    )
    monkeypatch.setattr(module._Process, "end", lambda self: None, raising=False)
    with pytest.raises(UnmeasuredError):
        stills(one, film(RED))
