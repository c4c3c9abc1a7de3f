"""What a player would see in a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import av


@dataclass(frozen=True)
class Clip:
    codec: str
    pixels: str
    width: int
    height: int
    seconds: float
    distinct_frames: int


def decode(path) -> Clip:
    """Decode a video to its last frame."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = list(container.decode(stream))
        pictures = {hashlib.sha256(frame.to_image().tobytes()).digest() for frame in frames}
        return Clip(
            codec=stream.codec_context.name,
            pixels=stream.codec_context.pix_fmt,
            width=stream.codec_context.width,
            height=stream.codec_context.height,
            seconds=float(stream.duration * stream.time_base),
            distinct_frames=len(pictures),
        )
