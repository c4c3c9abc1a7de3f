"""Makes a video out of the frames of another one: larger, or in other colours. Blocking."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING

import av
from av.video.reformatter import Colorspace
from PIL import Image

from airflow_runway.emulator.rendering.h264 import X264, frame_rate

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_runway.emulator.world.job import Job, SourceVideo

_LEVELS = range(256)


def video_from_video(job: Job, video: SourceVideo, path: Path) -> None:
    """Writes a video made of the frames of another one.

    :param job: what to make.
    :param video: where the frames come from; it could be decoded when the job was made.
    :param path: file to write.
    """
    tables = _grading(job.text) if job.graded else None
    with (
        av.open(str(video.file)) as source,
        av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"}) as target,
    ):
        frames = source.streams.video[0]
        rate = frame_rate(frames.average_rate)
        stream = target.add_stream("libx264", rate=rate, options=X264)
        stream.width, stream.height = job.size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 2
        left = max(1, round(job.seconds * rate))
        covering = _covering(video.size, job.size)
        for frame in source.decode(frames):
            made = frame.reformat(*covering, format="yuv420p", dst_colorspace=Colorspace.ITU709)
            target.mux(stream.encode(_fresh(made, job.size, tables)))
            left -= 1
            if not left:
                break
        target.mux(stream.encode(None))


def _covering(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """The size at which a picture of another shape covers a frame, both sides even."""
    scale = max(target[0] / size[0], target[1] / size[1])
    width, height = (max(new, math.ceil(old * scale / 2) * 2) for old, new in zip(size, target, strict=True))
    return width, height


def _fresh(frame: av.VideoFrame, size: tuple[int, int], tables: list[list[int]] | None) -> av.VideoFrame:
    """The middle of a frame, without the times of its source, its planes put through the tables."""
    fresh = av.VideoFrame(*size, "yuv420p")
    for index, (old, new) in enumerate(zip(frame.planes, fresh.planes, strict=True)):
        plane = Image.frombuffer("L", (old.width, old.height), bytes(old), "raw", "L", old.line_size, 1)
        left, top = (old.width - new.width) // 2, (old.height - new.height) // 2
        plane = plane.crop((left, top, left + new.width, top + new.height))
        if tables is not None:
            plane = plane.point(tables[index])
        new.update(plane.tobytes("raw", "L", new.line_size, 1))
    return fresh


def _grading(text: str) -> list[list[int]]:
    """Tables for luma and both chroma planes: another look for another prompt."""
    seed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    gamma = 0.8 + seed[0] / 255 * 0.5
    luma = [round(16 + 219 * min(1.0, max(0.0, (level - 16) / 219)) ** gamma) for level in _LEVELS]
    tables = [luma]
    for strength, tint in ((seed[1], seed[2]), (seed[3], seed[4])):
        gain = 0.5 + strength / 255 * 0.6
        # Never too close to none, so that everybody sees that something was done.
        shift = (tint / 255 * 24 + 10) * (1 if tint % 2 else -1)
        tables.append([max(16, min(240, round(128 + (level - 128) * gain + shift))) for level in _LEVELS])
    return tables
