"""A picture of our own, for a demo without one: the sun goes down behind hills and is mirrored in a lake."""

from __future__ import annotations

import io
import math
import random
from itertools import pairwise
from typing import TYPE_CHECKING

from airflow_runway.demo.picture import Picture

if TYPE_CHECKING:
    from PIL.Image import Image as PilImage

WIDTH, HEIGHT = 1280, 720
_HORIZON = 500
_SUN = (830, 400)
_SUN_RADIUS = 58
#: Height as a part of the sky, and the colour there.
_SKY = (
    (0.0, (24, 22, 62)),
    (0.35, (82, 48, 108)),
    (0.62, (192, 84, 112)),
    (0.82, (246, 148, 96)),
    (1.0, (255, 214, 148)),
)
#: Base line, amplitude, waves over the width, phase, colour: from far to near.
_HILLS = (
    (452, 34, 2.1, 0.4, (150, 84, 118)),
    (474, 30, 3.2, 2.0, (104, 62, 104)),
    (492, 24, 4.4, 4.4, (62, 42, 82)),
)
_STARS = 110
_RIPPLES = 150

_Colour = tuple[int, int, int]


def draw_dusk() -> Picture:
    """Draw it; always the same picture.

    :returns: a JPEG of 1280x720 pixels.
    """
    image = _sky()
    _stars(image)
    _sun(image)
    _hills(image)
    _lake(image)
    _shore(image)
    target = io.BytesIO()
    image.save(target, "JPEG", quality=90)
    return Picture("sample_picture.jpg", target.getvalue(), WIDTH, HEIGHT)


def _sky() -> PilImage:
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT))
    draw = ImageDraw.Draw(image)
    for row in range(_HORIZON):
        draw.line((0, row, WIDTH, row), fill=_sky_colour(row / _HORIZON))
    return image


def _sky_colour(height: float) -> _Colour:
    for (low, start), (high, end) in pairwise(_SKY):
        if height <= high:
            return _mix(start, end, (height - low) / (high - low))
    return _SKY[-1][1]


def _mix(start: _Colour, end: _Colour, part: float) -> _Colour:
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(start, end, strict=True))
    return red, green, blue


def _stars(image: PilImage) -> None:
    chance = random.Random(7)  # noqa: S311 - stars are no secret
    for _ in range(_STARS):
        x, y = chance.randrange(WIDTH), int(chance.random() ** 1.6 * 230)
        strength = chance.random() * (1 - y / 260)
        image.putpixel((x, y), _mix(_sky_colour(y / _HORIZON), (255, 246, 226), strength))


def _sun(image: PilImage) -> None:
    from PIL import Image, ImageDraw, ImageFilter

    for radius, blur, strength in ((330, 120, 70), (150, 50, 120), (_SUN_RADIUS, 2, 255)):
        mask = Image.new("L", image.size)
        ImageDraw.Draw(mask).ellipse(_circle(_SUN, radius), fill=strength)
        image.paste((255, 236, 190), mask=mask.filter(ImageFilter.GaussianBlur(blur)))


def _circle(centre: tuple[int, int], radius: int) -> tuple[int, int, int, int]:
    x, y = centre
    return x - radius, y - radius, x + radius, y + radius


def _hills(image: PilImage) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    for base, amplitude, waves, phase, colour in _HILLS:
        ridge = [(x, base - amplitude * _ridge(x, waves, phase)) for x in range(0, WIDTH + 4, 4)]
        draw.polygon([(0, _HORIZON), *ridge, (WIDTH, _HORIZON)], fill=colour)


def _ridge(x: int, waves: float, phase: float) -> float:
    angle = x / WIDTH * waves * 2 * math.pi + phase
    return math.sin(angle) + 0.35 * math.sin(2.7 * angle + 1) + 0.12 * math.sin(9 * angle)


def _lake(image: PilImage) -> None:
    from PIL import Image, ImageDraw, ImageFilter

    depth = HEIGHT - _HORIZON
    mirror = image.crop((0, _HORIZON - depth, WIDTH, _HORIZON)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    mirror = mirror.filter(ImageFilter.GaussianBlur(3))
    image.paste(Image.blend(mirror, Image.new("RGB", mirror.size, (30, 24, 64)), 0.38), (0, _HORIZON))
    draw = ImageDraw.Draw(image)
    chance = random.Random(11)  # noqa: S311 - nor are ripples
    for _ in range(_RIPPLES):
        y = _HORIZON + 4 + int(chance.random() * (depth - 10))
        near = (y - _HORIZON) / depth
        half = int((6 + 60 * near) * (0.4 + chance.random()))
        x = int(chance.gauss(_SUN[0], 36 + 70 * near))
        colour = _mix((255, 222, 164), image.getpixel((min(max(x, 0), WIDTH - 1), y)), 0.25 + 0.5 * near)  # type: ignore[arg-type]
        draw.line((x - half, y, x + half, y), fill=colour, width=1 + round(2 * near))


def _shore(image: PilImage) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    edge = [(x, HEIGHT - 46 - 16 * _ridge(x, 1.3, 3.6)) for x in range(0, WIDTH + 4, 4)]
    draw.polygon([(0, HEIGHT), *edge, (WIDTH, HEIGHT)], fill=(20, 15, 36))
    for x, y in edge[::2]:
        blade = 8 + 12 * abs(math.sin(x * 0.37)) + 8 * abs(math.sin(x * 0.11))
        draw.line((x, y + 2, x + 5 * math.sin(x), y - blade), fill=(20, 15, 36), width=2)
