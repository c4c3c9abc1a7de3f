"""Renders the file of a job: an H.264 clip, a PNG or a WAV. Blocking: call it in a thread."""

from __future__ import annotations

import array
import contextlib
import math
import os
import wave
from typing import TYPE_CHECKING
from uuid import uuid4

import av
from av.video.reformatter import Colorspace
from PIL import Image

from airflow_runway.emulator.derive import X264, derive
from airflow_runway.emulator.pictures import still

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_runway.emulator.jobs import Job

FPS = 24
#: The picture is this much larger than the frame that moves over it, so that every frame is scaled down a
#: little: sharper than scaling up, and free of jitter at fractions of a pixel.
_HEADROOM = 1.25
#: How far the camera goes in, as a part of the whole picture.
_ZOOM = 0.16
_TONE_HZ = 440
_SAMPLE_RATE = 24_000


def render(job: Job, path: Path) -> None:
    """Writes the output of a job; the file appears under its name when it is complete.

    :param job: what to render. Equal jobs give equal pictures.
    :param path: where to; the folder exists.
    """
    part = path.with_name(f"{uuid4().hex}.part")
    try:
        _WRITERS[job.kind](job, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _video(job: Job, path: Path) -> None:
    if job.clip is not None:
        # Its file may have been deleted since: then the words of the prompt have to do.
        with contextlib.suppress(av.FFmpegError, OSError):
            derive(job, job.clip, path)
            return
    width, height = job.size
    scene = _planes(still(job.picture, job.text, (_enlarged(width), _enlarged(height))))
    with av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=FPS, options=X264)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.thread_count = 2
        for window in _camera(max(1, round(job.seconds * FPS))):
            container.mux(stream.encode(_frame(scene, job.size, window)))
        container.mux(stream.encode(None))


def _enlarged(side: int) -> int:
    return round(side * _HEADROOM / 2) * 2


def _planes(image: Image.Image) -> list[Image.Image]:
    """Luma and the two half-size chroma planes of a picture.

    The colours are converted once for the scene, not once a frame: that halves the time of a clip.
    """
    pixels = av.VideoFrame(image.width, image.height, "rgb24")
    pixels.planes[0].update(image.tobytes("raw", "RGB", pixels.planes[0].line_size, 1))
    yuv = pixels.reformat(format="yuv420p", dst_colorspace=Colorspace.ITU709)
    return [
        Image.frombuffer("L", (plane.width, plane.height), bytes(plane), "raw", "L", plane.line_size, 1)
        for plane in yuv.planes
    ]


def _camera(frames: int) -> Iterator[tuple[float, float, float]]:
    """A slow drive into the picture and to one side, eased at both ends.

    :returns: left, top and size of the visible part, as fractions of the picture.
    """
    for index in range(frames):
        at = 0.5 - 0.5 * math.cos(math.pi * index / max(1, frames - 1))
        size = 1 - _ZOOM * at
        yield (1 - size) * (0.5 + 0.4 * at), (1 - size) * (0.5 - 0.2 * at), size


def _frame(
    scene: list[Image.Image], size: tuple[int, int], window: tuple[float, float, float]
) -> av.VideoFrame:
    left, top, part = window
    frame = av.VideoFrame(*size, "yuv420p")
    for source, plane in zip(scene, frame.planes, strict=True):
        width, height = source.size
        box = (left * width, top * height, (left + part) * width, (top + part) * height)
        view = source.resize((plane.width, plane.height), Image.Resampling.BILINEAR, box=box)
        plane.update(view.tobytes("raw", "L", plane.line_size, 1))
    return frame


def _image(job: Job, path: Path) -> None:
    still(job.picture, job.text, job.size).save(path, "PNG", compress_level=3)


def _sound(job: Job, path: Path) -> None:
    count = round(job.seconds * _SAMPLE_RATE)
    step = 2 * math.pi * _TONE_HZ / _SAMPLE_RATE
    samples = array.array("h", (round(9000 * math.sin(step * index)) for index in range(count)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(_SAMPLE_RATE)
        file.writeframes(samples.tobytes())


_WRITERS = {"video": _video, "image": _image, "audio": _sound}
