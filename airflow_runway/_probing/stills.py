"""The pictures by which a person knows a file: a poster, and for a clip a contact sheet. Runs in the helper.

Like :mod:`airflow_runway._probing.helper` it imports nothing of this package, and works within that one's bounds.
"""

from __future__ import annotations

import io
import time
from typing import IO, TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL.Image import Image

#: Pixels of a poster's longer side, and of the longer side of each frame on a contact sheet.
POSTER_SIDE: Final = 1280
FRAME_SIDE: Final = 320
_QUALITY: Final = 82
#: Pixels that are decoded one after the other; of more only key frames are looked at.
_MOST_PIXELS: Final = 4e9
#: Standard deviation of brightness (0 to 255) below which a frame is taken for an empty one, e.g. before a fade-in.
_LEAST_CONTRAST: Final = 8.0
_GAP: Final = 4


def of_picture(file: IO[bytes], formats: tuple[str, ...]) -> tuple[bytes, bytes]:
    """The poster of a picture, and no contact sheet.

    :param file: open for reading, seekable.
    :param formats: what Pillow may take it for.
    """
    from PIL import Image, ImageOps

    with Image.open(file, formats=formats) as image:
        image.draft("RGB", (POSTER_SIDE, POSTER_SIDE))
        image.thumbnail((POSTER_SIDE, POSTER_SIDE))
        return _jpeg(_flat(ImageOps.exif_transpose(image))), b""


def of_clip(opened: Any, frames: int, until: float) -> tuple[bytes, bytes]:
    """The poster and the contact sheet of a clip; what is there by the deadline must do.

    :param opened: by PyAV.
    :param frames: of the contact sheet, evenly over the clip; 0 = none.
    :param until: ``time.monotonic`` at which to come to an end.
    """
    seen = list(_frames(opened, frames or 3, until))
    if not seen:
        raise ValueError("no frame")
    poster = next((image for image in seen if _contrast(image) >= _LEAST_CONTRAST), seen[len(seen) // 2])
    return _jpeg(poster), _jpeg(_sheet(seen)) if frames else b""


def _frames(opened: Any, count: int, until: float) -> Iterator[Image]:
    """Frames from the middle of so many equal parts of a clip, no larger than a poster."""
    stream = opened.streams.video[0]
    stream.codec_context.thread_count = 1
    stream.thread_type = "NONE"
    length = _seconds(opened, stream)
    wanted = [length * (number + 0.5) / count for number in range(count)]
    pixels = (stream.width or 0) * (stream.height or 0) * length * float(stream.average_rate or 25)
    if pixels > _MOST_PIXELS:
        # Of a long or large clip the key frames before these moments, and each of them once.
        stream.codec_context.skip_frame = "NONKEY"
        yield from _by_seeking(opened, stream, wanted, until)
    else:
        yield from _in_order(opened, stream, wanted, until)


def _in_order(opened: Any, stream: Any, wanted: list[float], until: float) -> Iterator[Image]:
    left, last = list(wanted), None
    for frame in opened.decode(stream):
        last = frame
        if left and (frame.time or 0.0) >= left[0]:
            yield _small(frame)
            while left and (frame.time or 0.0) >= left[0]:
                left.pop(0)
        if not left or time.monotonic() > until:
            break
    if len(left) == len(wanted) and last is not None:
        yield _small(last)


def _by_seeking(opened: Any, stream: Any, wanted: list[float], until: float) -> Iterator[Image]:
    shown: set[object] = set()
    for moment in wanted:
        if time.monotonic() > until:
            return
        opened.seek(int(moment * 1_000_000), backward=True)
        frame = next(opened.decode(stream), None)
        if frame is not None and frame.pts not in shown:
            shown.add(frame.pts)
            yield _small(frame)


def _seconds(opened: Any, stream: Any) -> float:
    own = float((stream.duration or 0) * stream.time_base) if stream.time_base else 0.0
    return max(0.0, own or (opened.duration or 0) / 1_000_000)


def _small(frame: Any) -> Image:
    """A frame as a picture no larger than a poster; scaled before it is converted, which an 8K frame needs."""
    scale = min(1.0, POSTER_SIDE / max(frame.width, frame.height))
    width, height = (max(2, round(side * scale) & ~1) for side in (frame.width, frame.height))
    image: Image = frame.reformat(width=width, height=height, format="rgb24").to_image()
    return image


def _sheet(images: list[Image]) -> Image:
    """The frames in rows, three in each (four of ten or more)."""
    from PIL import Image

    columns = min(len(images), 3 if len(images) < 10 else 4)
    small = [image.copy() for image in images]
    for image in small:
        image.thumbnail((FRAME_SIDE, FRAME_SIDE))
    width, height = max(one.width for one in small), max(one.height for one in small)
    rows = -(-len(small) // columns)
    sheet = Image.new("RGB", (columns * (width + _GAP) - _GAP, rows * (height + _GAP) - _GAP), (16, 16, 16))
    for number, image in enumerate(small):
        sheet.paste(image, (number % columns * (width + _GAP), number // columns * (height + _GAP)))
    return sheet


def _contrast(image: Image) -> float:
    from PIL import ImageStat

    return float(ImageStat.Stat(image.convert("L")).stddev[0])


def _flat(image: Image) -> Image:
    """Without transparency: on grey, as neither black nor white can hide everything then."""
    from PIL import Image

    if image.mode in {"RGB", "L"}:
        return image
    picture = image.convert("RGBA")
    ground = Image.new("RGBA", picture.size, (96, 96, 96, 255))
    return Image.alpha_composite(ground, picture).convert("RGB")


def _jpeg(image: Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return file.getvalue()
