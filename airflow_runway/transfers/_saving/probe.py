"""Width, height, duration and frame rate of a stored file, where PyAV or Pillow are installed (extra ``media``).

Only what the container's header says: a file is never read as a whole, and a file that cannot be measured is
none the worse for it.
"""

from __future__ import annotations

import contextlib
import math
from typing import Any, Final

from airflow_runway.core.media.types import family

#: Media type → what FFmpeg calls its container; it must not guess, and must not follow playlists.
_CONTAINERS: Final = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "audio/mp4": "mov",
    "video/webm": "matroska",
    "video/x-matroska": "matroska",
    "video/ogg": "ogg",
    "audio/ogg": "ogg",
    "video/x-msvideo": "avi",
    "audio/mpeg": "mp3",
    "audio/wav": "wav",
    "audio/flac": "flac",
    "audio/aac": "aac",
    "audio/aiff": "aiff",
}
#: Bytes that FFmpeg may read to find out what is in a container.
_PROBE_BYTES: Final = 2**20


def measure(file: Any, media_type: str) -> dict[str, float | int]:
    """What can be found out about a file.

    :param file: open for reading, seekable.
    :param media_type: what its first bytes say it is.
    :returns: some of ``width``, ``height`` (pixels), ``duration`` (seconds), ``fps``; empty if nothing.
    """
    with contextlib.suppress(Exception):
        if family(media_type) == "image":
            return _picture(file)
        if media_type in _CONTAINERS:
            return _clip(file, _CONTAINERS[media_type])
    return {}


def _picture(file: Any) -> dict[str, float | int]:
    from PIL import Image

    with Image.open(file) as image:
        return {"width": image.width, "height": image.height}


def _clip(file: Any, container: str) -> dict[str, float | int]:
    import av

    options = {"probesize": str(_PROBE_BYTES), "analyzeduration": "1000000"}
    found: dict[str, float | int | None] = {}
    with av.open(file, "r", format=container, options=options) as opened:
        if opened.duration:
            found["duration"] = _rounded(opened.duration / 1_000_000)
        for stream in opened.streams.video[:1]:
            found |= {"width": stream.width or None, "height": stream.height or None}
            if stream.average_rate:
                found["fps"] = _rounded(float(stream.average_rate))
            if stream.duration and stream.time_base:
                found["duration"] = _rounded(float(stream.duration * stream.time_base))
    return {name: value for name, value in found.items() if value is not None}


def _rounded(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) and value > 0 else None
