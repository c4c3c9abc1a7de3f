"""From a request body to a description of the file that will be rendered for it."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_runway.emulator.probe import Clip
    from airflow_runway.emulator.sources import Sources

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

#: Routes that make a clip out of the frames of another one, and those among them that make it larger.
_FROM_VIDEO = frozenset({"video_to_video", "video_upscale", "video_to_hdr", "pro/video2video"})
_UPSCALES = frozenset({"video_upscale"})

_RATIO = re.compile(r"([1-9]\d{0,4}):([1-9]\d{0,4})")
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
    :param clip: the video whose frames it is made of.
    :param graded: whether those frames get other colours.
    """

    kind: str
    size: tuple[int, int]
    seconds: float
    text: str
    picture: Path | None = None
    clip: Clip | None = None
    graded: bool = False

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
        clip = f"{self.clip.file} {self.graded}" if self.clip else ""
        text = "\0".join((self.kind, str(self.size), f"{self.seconds:.3f}", picture, clip, self.text))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def output_kind(route: str) -> str:
    """What a route gives: ``video``, ``image`` or ``audio``.

    :param route: route name, e.g. ``image_to_video``.
    """
    return _KINDS.get(route, "video")


def job_for(route: str, body: dict[str, Any], sources: Sources) -> Job:
    """What will be rendered for a request.

    :param route: route name.
    :param body: the request body, already found valid.
    :param sources: the files that it names, opened.
    """
    # generate/* nests what the other routes have at the top (contracts 1.1), the reverse format its options.
    nested = {**_object(body, "input"), **_object(body, "options")}
    fields = {**nested, **body}
    kind = output_kind(route)
    ratio = fields.get("ratio") or fields.get("targetAspectRatio") or fields.get("aspectRatio")
    asked = fields.get("duration", fields.get("seconds"))
    clip = sources.clip if kind == "video" else None
    if clip is not None and (route in _FROM_VIDEO or sources.picture is None):
        size = _upscaled(clip.size) if route in _UPSCALES else pixel_size(ratio) if ratio else _fit(clip.size)
        length = clip.seconds or DEFAULT_SECONDS
        seconds = min(length, _seconds(asked) if asked else _LONGEST)
        return Job(kind, size, seconds, _text(fields), None, clip, graded=route not in _UPSCALES)
    return Job(kind, pixel_size(ratio), _seconds(asked), _text(fields), sources.picture)


def workflow_jobs(body: dict[str, Any], sources: Sources) -> tuple[Job, ...]:
    """What a run of a workflow makes: the still of one node and the clip of the next.

    :param body: the request body, already found valid.
    :param sources: the files that it names, opened.
    """
    texts = (item.get("value") for node in _object(body, "nodeOutputs").values() for item in node.values())
    text = next((text for text in texts if isinstance(text, str) and text.strip()), "")
    fields = {"promptText": text}
    still = Job("image", _DEFAULT_SIZE, DEFAULT_SECONDS, text, sources.picture)
    return (still, job_for("workflows/{id}", fields, sources))


def _object(body: dict[str, Any], name: str) -> dict[str, Any]:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _upscaled(size: tuple[int, int]) -> tuple[int, int]:
    """Twice as large, unless a side would pass 4096 pixels."""
    scale = min(2.0, _LARGEST_SIDE / max(size))
    return _even(size[0] * scale), _even(size[1] * scale)


def _fit(size: tuple[int, int]) -> tuple[int, int]:
    return _even(size[0]), _even(size[1])


def pixel_size(ratio: object) -> tuple[int, int]:
    """Width and height of the output, even, within 64 to 4096 pixels.

    :param ratio: ``"1280:720"`` (pixels) or ``"16:9"`` (a proportion; the longer side becomes 1280, a square
        960); anything else gives 1280 x 720.
    """
    match = _RATIO.fullmatch(ratio) if isinstance(ratio, str) else None
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
