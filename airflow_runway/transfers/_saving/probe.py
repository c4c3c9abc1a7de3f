"""Width, height, duration and frame rate of a stored file, where PyAV or Pillow are installed (extra ``media``).

Only what the container's header says: a file is never read as a whole, and a file that cannot be measured is
none the worse for it.
"""

from __future__ import annotations

import contextlib
import math
from typing import IO, Any, Final

from airflow_runway.core.media.types import family
from airflow_runway.core.saving.manifest import Measures

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
#: FFmpeg counts the duration of a container in these, per second.
_MICROSECONDS: Final = 1_000_000


def measure(file: IO[bytes], media_type: str) -> Measures:
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


def _picture(file: IO[bytes]) -> Measures:
    from PIL import Image

    with Image.open(file) as image:
        return {"width": image.width, "height": image.height}


def _clip(file: IO[bytes], container: str) -> Measures:
    import av

    found = Measures()
    options = {"probesize": str(_PROBE_BYTES), "analyzeduration": "1000000"}
    with av.open(file, "r", format=container, options=options) as opened:
        duration = _positive((opened.duration or 0) / _MICROSECONDS)
        for stream in opened.streams.video[:1]:
            if stream.width:
                found["width"] = stream.width
            if stream.height:
                found["height"] = stream.height
            if (fps := _positive(as_float(stream.average_rate))) is not None:
                found["fps"] = fps
            own = _positive((stream.duration or 0) * as_float(stream.time_base))
            duration = duration if own is None else own
    if duration is not None:
        found["duration"] = duration
    return found


def as_float(rational: Any) -> float:
    """A fraction as a number: ``fractions.Fraction`` up to PyAV 18, a type of its own from 19 on.

    :param rational: has ``numerator`` and ``denominator``, or can be turned into a float; ``None`` is unknown.
    :returns: its value; 0.0 where it is unknown or has none.
    """
    if rational is None:
        return 0.0
    numerator, denominator = getattr(rational, "numerator", None), getattr(rational, "denominator", None)
    if numerator is None or denominator is None:
        return float(rational)
    return float(numerator / denominator) if denominator else 0.0


def _positive(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) and value > 0 else None
