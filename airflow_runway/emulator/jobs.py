"""From a request body to a description of the file that will be rendered for it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

#: Routes that do not give a video; every other route does.
_KINDS = {
    "text_to_image": "image",
    "image_upscale": "image",
    "generate/image": "image",
    "recipes/marketing_stock_image": "image",
    "recipes/product_campaign_image": "image",
    "generate/audio": "audio",
    "sound_effect": "audio",
    "text_to_speech": "audio",
    "speech_to_speech": "audio",
    "voice_dubbing": "audio",
    "voice_isolation": "audio",
    "video_to_audio": "audio",
}
_FILES = {"video": ("mp4", "video/mp4"), "image": ("png", "image/png"), "audio": ("wav", "audio/wav")}

RATIO = re.compile(r"([1-9]\d{0,4}):([1-9]\d{0,4})")
_DEFAULT_SIZE = (1280, 720)
_LONG_SIDE = 1280
_SQUARE_SIDE = 960
#: Below this, the numbers of a ratio are proportions (16:9), from here on they are pixels (1280:720).
_SMALLEST_SIDE = 64
_LARGEST_SIDE = 4096

DEFAULT_SECONDS = 5.0
_LONGEST = 60.0


@dataclass(frozen=True, slots=True)
class Job:
    """All that decides the bytes of an output: equal jobs share one file.

    :param kind: ``video``, ``image`` or ``audio``.
    :param size: width and height in pixels, both even.
    :param seconds: length of a video or a sound.
    :param text: the prompt; drawn when there is no picture.
    :param picture: file of the checked prompt image, named by the digest of its content.
    """

    kind: str
    size: tuple[int, int]
    seconds: float
    text: str
    picture: Path | None = None

    @property
    def extension(self) -> str:
        """File name extension without the dot."""
        return _FILES[self.kind][0]

    @property
    def content_type(self) -> str:
        """The MIME type of the output."""
        return _FILES[self.kind][1]

    @property
    def digest(self) -> str:
        """A name for the file: equal for equal jobs, hexadecimal."""
        picture = self.picture.name if self.picture else ""
        text = "\0".join((self.kind, str(self.size), f"{self.seconds:.3f}", picture, self.text))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def output_kind(route: str) -> str:
    """What a route gives: ``video``, ``image`` or ``audio``.

    :param route: route name, e.g. ``image_to_video``.
    """
    return _KINDS.get(route, "video")


def job_for(route: str, body: dict[str, Any], picture: Path | None) -> Job:
    """What will be rendered for a request.

    :param route: route name.
    :param body: the request body, already found valid.
    :param picture: file of the prompt image, if there is one.
    """
    # generate/* nests what the other routes have at the top (contracts 1.1).
    nested = body.get("input")
    fields = {**nested, **body} if isinstance(nested, dict) else body
    return Job(
        kind=output_kind(route),
        size=pixel_size(fields.get("ratio") or fields.get("targetAspectRatio")),
        seconds=_seconds(fields.get("duration")),
        text=_text(fields),
        picture=picture,
    )


def pixel_size(ratio: object) -> tuple[int, int]:
    """Width and height of the output, even, within 64 to 4096 pixels.

    :param ratio: ``"1280:720"`` (pixels) or ``"16:9"`` (a proportion; the longer side becomes 1280, a square
        960); anything else gives 1280 x 720.
    """
    match = RATIO.fullmatch(ratio) if isinstance(ratio, str) else None
    if match is None:
        return _DEFAULT_SIZE
    width, height = float(match[1]), float(match[2])
    if min(width, height) < _SMALLEST_SIDE:
        scale = (_SQUARE_SIDE if width == height else _LONG_SIDE) / max(width, height)
        width, height = width * scale, height * scale
    return _even(width), _even(height)


def _even(side: float) -> int:
    return round(min(max(side, _SMALLEST_SIDE), _LARGEST_SIDE) / 2) * 2


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        return DEFAULT_SECONDS
    return min(float(value), _LONGEST)


def _text(fields: dict[str, Any]) -> str:
    for name in ("promptText", "prompt", "text"):
        value = fields.get(name)
        if isinstance(value, str) and value.strip():
            return value
    return ""
