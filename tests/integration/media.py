"""What a player would see in a file."""

from __future__ import annotations

import hashlib
from array import array
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


def frame_at(path, seconds):
    """The picture that is seen at a time."""
    with av.open(str(path)) as container:
        return next(f.to_image() for f in container.decode(video=0) if f.time >= seconds - 0.001)


def loudness(path, pieces_of):
    """The mean loudness, 0 to 32767, of each piece of so many seconds."""
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("s16", "mono", 8000)
        samples = array("h")
        for frame in (*container.decode(audio=0), None):
            for piece in resampler.resample(frame):
                samples.frombytes(bytes(piece.planes[0])[: piece.samples * 2])
    step = round(8000 * pieces_of)
    pieces = [samples[at : at + step] for at in range(0, len(samples), step)]
    return [sum(map(abs, piece)) / len(piece) for piece in pieces]
