"""Still pictures: the prompt image fitted to a frame, or a picture made from the words of a prompt."""

from __future__ import annotations

import hashlib
import textwrap
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

if TYPE_CHECKING:
    from pathlib import Path

_Size = tuple[int, int]
_BLOBS = 6
_TEXT_WIDTH = 0.66
_MAX_LINES = 8


def still(picture: Path | None, text: str, size: _Size) -> Image.Image:
    """The picture of a job, exactly as large as asked.

    :param picture: file of the prompt image; fitted so that it covers the frame.
    :param text: the prompt, for a picture without one.
    :param size: width and height in pixels.
    """
    if picture is None:
        return from_text(text, size)
    with Image.open(picture) as image:
        upright = ImageOps.exif_transpose(image)
        return ImageOps.fit(_on_black(upright), size, Image.Resampling.LANCZOS)


def from_text(text: str, size: _Size) -> Image.Image:
    """A gradient with soft blobs, its colours drawn from the text, with the text on top.

    :param text: may be empty.
    :param size: width and height in pixels.
    """
    seed = hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
    # Painted small and enlarged: soft for free, and fast at any size.
    small = (max(2, size[0] // 8), max(2, size[1] // 8))
    mask = Image.linear_gradient("L").rotate(seed[0] % 4 * 90).resize(small)
    base = Image.composite(
        Image.new("RGB", small, _colour(seed[1:3])), Image.new("RGB", small, _colour(seed[3:5])), mask
    )
    draw = ImageDraw.Draw(base)
    for index in range(_BLOBS):
        x, y, radius, *hue = seed[5 + index * 4 : 10 + index * 4]
        cx, cy = x / 255 * small[0], y / 255 * small[1]
        reach = (0.05 + radius / 255 * 0.12) * min(small) * 1.5
        draw.ellipse((cx - reach, cy - reach, cx + reach, cy + reach), fill=_colour(bytes(hue)))
    soft = base.filter(ImageFilter.GaussianBlur(min(small) * 0.02))
    image = soft.resize(size, Image.Resampling.BICUBIC)
    _write(image, text.strip())
    return image


def _on_black(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, (0, 0, 0, 255)), rgba).convert("RGB")
    return image.convert("RGB")


def _colour(seed: bytes) -> tuple[int, int, int]:
    hue = int.from_bytes(seed[:2], "big") / 65536 * 6
    step, rest = int(hue), hue - int(hue)
    low, high = 60, 215
    up, down = int(low + (high - low) * rest), int(high - (high - low) * rest)
    return (
        (high, up, low),
        (down, high, low),
        (low, high, up),
        (low, down, high),
        (up, low, high),
        (high, low, down),
    )[step]


def _write(image: Image.Image, text: str) -> None:
    if not text:
        return
    width, height = image.size
    font_size = max(12, min(width, height) // 16)
    font = ImageFont.load_default(font_size)
    columns = max(8, int(width * _TEXT_WIDTH / (font_size * 0.5)))
    lines = textwrap.wrap(text, columns, max_lines=_MAX_LINES, placeholder=" ...")
    ImageDraw.Draw(image).multiline_text(
        (width / 2, height / 2),
        "\n".join(lines),
        fill="white",
        font=font,
        anchor="mm",
        align="center",
        stroke_width=max(1, font_size // 16),
        stroke_fill="black",
    )
