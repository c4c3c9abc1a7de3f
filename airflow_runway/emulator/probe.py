"""Looks at a video file: whether it can be decoded, how large and how long it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import av

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Clip:
    """A video that the emulator can read.

    :param file: where it is.
    :param size: width and height in pixels.
    :param seconds: its length.
    """

    file: Path
    size: tuple[int, int]
    seconds: float


def probe(file: Path) -> Clip | None:
    """What a file is, ``None`` if it is no video that can be decoded. Blocking: call it in a thread.

    :param file: any file.
    """
    try:
        with av.open(str(file)) as container:
            stream = next(iter(container.streams.video), None)
            if stream is None:
                return None
            # The first frame is decoded: a header alone promises nothing.
            next(container.decode(stream))
            seconds = float(container.duration or 0) / av.time_base
            return Clip(file, (stream.width, stream.height), seconds)
    except (av.FFmpegError, OSError, StopIteration, ValueError):
        return None
