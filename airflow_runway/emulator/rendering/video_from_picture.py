"""Makes a video out of one picture, over which a camera drives slowly. Blocking."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import av
from av.video.reformatter import Colorspace
from PIL import Image

from airflow_runway.emulator.rendering.h264 import X264
from airflow_runway.emulator.rendering.stills import still

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_runway.emulator.world.job import Job

FPS = 24
#: The picture is this much larger than the frame that moves over it, so that every frame is scaled down a
#: little: sharper than scaling up, and free of jitter at fractions of a pixel.
_HEADROOM = 1.25
#: How far the camera goes in, as a part of the whole picture.
_ZOOM = 0.16


def video_from_picture(job: Job, path: Path) -> None:
    """Writes a video whose picture slowly moves.

    :param job: what to make.
    :param path: file to write.
    """
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

    The colours are converted once for the scene, not once a frame: that halves the time of a video.
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
