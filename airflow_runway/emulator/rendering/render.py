"""Renders the file of a job: an H.264 video, a PNG or a WAV. Blocking: call it in a thread."""

from __future__ import annotations

import array
import contextlib
import math
import os
import wave
from typing import TYPE_CHECKING
from uuid import uuid4

import av

from airflow_runway.emulator.rendering.stills import still
from airflow_runway.emulator.rendering.video_from_picture import video_from_picture
from airflow_runway.emulator.rendering.video_from_video import video_from_video

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_runway.emulator.world.job import Job

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
    if job.video is not None:
        # Its file may have been deleted since: then the words of the prompt have to do.
        with contextlib.suppress(av.FFmpegError, OSError):
            video_from_video(job, job.video, path)
            return
    video_from_picture(job, path)


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
