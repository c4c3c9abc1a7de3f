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


def make_clip(path) -> bytes:
    """A second of H.264, made here."""
    from PIL import Image

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=24)
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(24):
            picture = Image.new("RGB", (640, 360), (10 * number, 120, 255 - 10 * number))
            for packet in stream.encode(av.VideoFrame.from_image(picture)):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path.read_bytes()
