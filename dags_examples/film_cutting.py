"""Joins clips to one film with sound, for ``campaign.py``. Needs PyAV."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from airflow.sdk import ObjectStoragePath

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from av import AudioFrame, VideoFrame
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream

_SAMPLES = 48_000  # a second
_SAMPLE_BYTES = 4  # 16 bits each for left and right
_BT709 = 1  # the colours of HD video, as FFmpeg counts
_UNTOLD = 2


def cut_film(clips: Sequence[str], film: str, music: str = "") -> list[float]:
    """Join clips, one after the other, to an MP4 of H.264 and AAC.

    Size and frame rate are those of the first clip; others are fitted in, with bars where the shape differs.
    A clip that has sound keeps it. Under the others lies the music, which starts again when it ends; without
    music they are silent.

    :param clips: their paths, as ``ObjectStoragePath`` takes them.
    :param film: path of the film.
    :param music: path of a file with sound; empty for none.
    :returns: seconds of each clip in the film, which add up to the film's.
    """
    import av

    bed = _sound_of(music) if music else b""
    lengths = []  # in frames
    with tempfile.TemporaryDirectory() as folder:
        local = Path(folder) / "film.mp4"
        with av.open(str(local), "w", options={"movflags": "+faststart"}) as target:
            picture = _picture_like(clips[0], target)
            sound = target.add_stream("aac", rate=_SAMPLES, layout="stereo")
            rate = picture.codec_context.framerate
            for clip in clips:
                begin = end = sum(lengths)
                for frame in _frames(clip, picture):
                    frame.pts, frame.time_base = end, 1 / rate
                    target.mux(picture.encode(frame))
                    end += 1
                lengths.append(end - begin)
                heard = _heard(
                    _sound_of(clip), bed, round(begin / rate * _SAMPLES), round(end / rate * _SAMPLES)
                )
                target.mux(sound.encode(heard))
            target.mux(picture.encode(None))
            target.mux(sound.encode(None))
        with local.open("rb") as made, ObjectStoragePath(film).open("wb") as stored:
            shutil.copyfileobj(made, stored)
    return [float(length / rate) for length in lengths]


@contextmanager
def _opened(path: str) -> Iterator[InputContainer]:
    import av

    with ObjectStoragePath(path).open("rb") as file, av.open(file) as media:
        yield media


def _picture_like(clip: str, target: OutputContainer) -> VideoStream:
    """The film's picture, as large and fast as a clip's."""
    with _opened(clip) as media:
        model = media.streams.video[0]
        stream = target.add_stream("libx264", rate=model.average_rate, options={"crf": "18"})
        stream.width, stream.height, stream.pix_fmt = model.width, model.height, "yuv420p"
        coded = stream.codec_context
        coded.colorspace = coded.color_primaries = coded.color_trc = _BT709
        return stream


def _frames(clip: str, picture: VideoStream) -> Iterator[VideoFrame]:
    """The frames of a clip in the film's size and rate."""
    import av

    size = f"{picture.width}:{picture.height}"
    with _opened(clip) as media:
        source = media.streams.video[0]
        # Players take what is not told for BT.709 too, but FFmpeg does not.
        colours = "bt709" if source.codec_context.colorspace == _UNTOLD else "auto"
        fit = "force_original_aspect_ratio=decrease:force_divisible_by=2"
        graph = av.filter.Graph()
        graph.link_nodes(
            graph.add_buffer(template=source),
            graph.add("scale", f"{size}:{fit}:in_color_matrix={colours}:out_color_matrix=bt709:out_range=tv"),
            graph.add("pad", f"{size}:-1:-1"),
            graph.add("setsar", "1"),
            graph.add("fps", str(picture.codec_context.framerate)),
            graph.add("format", "yuv420p"),
            graph.add("buffersink"),
        ).configure()
        for frame in chain(media.decode(video=0), [None]):
            graph.vpush(frame)
            while True:
                try:
                    fitted = graph.vpull()
                except (av.BlockingIOError, av.EOFError):
                    break
                fitted.pict_type = 0  # else the film inherits the clip's key frames
                yield fitted


def _sound_of(path: str) -> bytes:
    """The whole sound of a file; empty if it has none."""
    import av

    with _opened(path) as media:
        if not media.streams.audio:
            return b""
        resampler = av.AudioResampler("s16", "stereo", _SAMPLES)
        pieces = [piece for frame in media.decode(audio=0) for piece in resampler.resample(frame)]
        pieces += resampler.resample(None)
        return b"".join(bytes(piece.planes[0])[: piece.samples * _SAMPLE_BYTES] for piece in pieces)


def _heard(own: bytes, bed: bytes, begin: int, end: int) -> AudioFrame:
    """What is heard under a clip that lasts from one sample of the film to another."""
    import av

    size = (end - begin) * _SAMPLE_BYTES
    if not own and bed:
        start = begin * _SAMPLE_BYTES % len(bed)
        own = bed[start:] + bed * (size // len(bed) + 1)
    frame = av.AudioFrame("s16", "stereo", end - begin)
    frame.planes[0].update(own[:size].ljust(size, b"\0"))
    frame.rate, frame.pts = _SAMPLES, begin
    return frame
