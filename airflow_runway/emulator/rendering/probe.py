"""Looks at a video file: whether it can be decoded, how large and how long it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import av

from airflow_runway.emulator.world.job import SourceVideo

if TYPE_CHECKING:
    from pathlib import Path


def probe(file: Path) -> SourceVideo | None:
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
            return SourceVideo(file, (stream.width, stream.height), seconds)
    except (av.FFmpegError, OSError, StopIteration, ValueError):
        return None
