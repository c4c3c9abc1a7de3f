"""From a request body to a description of the file that will be rendered for it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from airflow_runway.emulator.world.job import Job

if TYPE_CHECKING:
    from airflow_runway.emulator.world.job import Inputs

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

#: Routes that make a video out of the frames of another one, and those among them that make it larger.
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


def output_kind(route: str) -> str:
    """What a route gives: ``video``, ``image`` or ``audio``.

    :param route: route name, e.g. ``image_to_video``.
    """
    return _KINDS.get(route, "video")


def job_for(route: str, body: Mapping[str, object], inputs: Inputs) -> Job:
    """What will be rendered for a request.

    :param route: route name.
    :param body: the request body, already found valid.
    :param inputs: the files that it names, opened.
    """
    # generate/* nests what the other routes have at the top (contracts §1.1), the reverse format its options.
    nested = {**_object(body, "input"), **_object(body, "options")}
    fields = {**nested, **body}
    kind = output_kind(route)
    ratio = fields.get("ratio") or fields.get("targetAspectRatio") or fields.get("aspectRatio")
    asked = fields.get("duration", fields.get("seconds"))
    video = inputs.video if kind == "video" else None
    if video is not None and (route in _FROM_VIDEO or inputs.picture is None):
        upscales = route in _UPSCALES
        size = _upscaled(video.size) if upscales else pixel_size(ratio) if ratio else _fit(video.size)
        seconds = min(video.seconds or DEFAULT_SECONDS, _seconds(asked) if asked else _LONGEST)
        return Job(kind, size, seconds, _text(fields), video=video, graded=not upscales)
    return Job(kind, pixel_size(ratio), _seconds(asked), _text(fields), inputs.picture)


def workflow_jobs(body: Mapping[str, object], inputs: Inputs) -> tuple[Job, ...]:
    """What a run of a workflow makes: the still of one node and the video of the next.

    :param body: the request body, already found valid.
    :param inputs: the files that it names, opened.
    """
    nodes = (node for node in _object(body, "nodeOutputs").values() if isinstance(node, Mapping))
    values = (item.get("value") for node in nodes for item in node.values())
    text = next((value for value in values if isinstance(value, str) and value.strip()), "")
    fields = {"promptText": text}
    still = Job("image", _DEFAULT_SIZE, DEFAULT_SECONDS, text, inputs.picture)
    return (still, job_for("workflows/{id}", fields, inputs))


def _object(body: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = body.get(name)
    return value if isinstance(value, Mapping) else {}


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


def _text(fields: Mapping[str, object]) -> str:
    for name in ("promptText", "prompt", "text"):
        value = fields.get(name)
        if isinstance(value, str) and value.strip():
            return value
    return ""
