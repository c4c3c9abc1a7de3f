"""What gateways ask of a body before they pass it on: required fields and types.

From contracts §2, contracts §3 and contracts §4.

Values are passed through: the gateways sell models that Runway has withdrawn (``gen3a_turbo``, ``gen4_aleph``,
``upscale_v1``) and fields that it has removed (``watermark``). Ranges are Runway's.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from airflow_runway.emulator.checking import catalogue
from airflow_runway.emulator.checking.body_validator import BodyValidator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.emulator.checking.body_validator import Schema
    from airflow_runway.emulator.checking.issues import Issue

_TEXT = {"type": "string"}
_FILLED = {"type": "string", "minLength": 1}
#: Refused only above 1000, though one page says 512 (contracts §18).
_PROMPT = {"type": "string", "maxLength": 1000, "x-lengthUnit": "utf16"}
_SEED = {"type": "integer", "minimum": 0, "maximum": 4_294_967_295}
_FLAG = {"type": "boolean"}
_OBJECT = {"type": "object"}
_PART = {"type": "object", "properties": {"type": _TEXT, "uri": _FILLED}, "required": ["type", "uri"]}
_REFERENCE = {"type": "object", "properties": {"uri": _FILLED}, "required": ["uri"]}
_COMMON = {"model": _FILLED, "promptText": _PROMPT, "ratio": _TEXT, "seed": _SEED}
_VIDEO = {**_COMMON, "contentModeration": _OBJECT, "videoUri": _FILLED}
_CLIP = {**_COMMON, "duration": {"type": "integer", "minimum": 1}, "watermark": _FLAG}
_PROMPT_IMAGE = {
    "anyOf": [_FILLED, {"type": "array", "minItems": 1, "items": _REFERENCE}],
}
_REVERSE = {
    "callback_url": _FILLED,
    "image": _FILLED,
    "last_image": _TEXT,
    "video": _FILLED,
    "prompt": _TEXT,
    "ratio": _TEXT,
    "model": _FILLED,
    "style": _TEXT,
    "options": _OBJECT,
}

#: (gateway, route) → required fields and the types of the known ones.
_BODIES: dict[tuple[str, str], tuple[tuple[str, ...], Schema]] = {
    ("cometapi", "image_to_video"): (("promptImage", "model"), {**_CLIP, "promptImage": _PROMPT_IMAGE}),
    ("cometapi", "video_to_video"): (
        ("videoUri", "promptText", "model"),
        {**_VIDEO, "references": {"type": "array", "items": _REFERENCE}},
    ),
    ("cometapi", "text_to_image"): (
        ("promptText", "ratio", "model"),
        {**_COMMON, "referenceImages": {"type": "array", "maxItems": 3, "items": _REFERENCE}},
    ),
    ("cometapi", "video_upscale"): (("videoUri", "model"), _VIDEO),
    ("cometapi", "character_performance"): (
        ("character", "reference", "model"),
        {
            **_COMMON,
            "character": _PART,
            "reference": _PART,
            "bodyControl": _FLAG,
            "expressionIntensity": {"type": "integer"},
            "contentModeration": _OBJECT,
        },
    ),
    # The table wants a ratio, the sample on the same page has none (contracts §3.1): not refused.
    ("cometapi", "pro/generate"): (("callback_url", "prompt", "model"), _REVERSE),
    ("cometapi", "pro/video2video"): (("callback_url", "video", "model", "prompt", "options"), _REVERSE),
    ("cometapi", "pro/act_one"): (("callback_url", "video", "image"), _REVERSE),
    # Its table requires all six fields, its description three: the description's side (contracts §18).
    ("gptplus5", "image_to_video"): (
        ("promptImage", "model", "ratio"),
        {**_CLIP, "promptImage": _PROMPT_IMAGE},
    ),
}
#: Sold here though Runway has withdrawn them (contracts §1.1), or under the reverse format's names (contracts §3.1).
_SOLD_HERE = frozenset({"gen3a_turbo", "gen4_aleph", "upscale_v1", "gen3", "gen4"})


def issues_of(gateway: str, route: str, body: Mapping[str, object]) -> list[Issue]:
    """Everything that is wrong with a body; empty if nothing is.

    :param gateway: gateway name, not ``runway``.
    :param route: route name.
    :param body: the JSON object that was sent.
    """
    return _validator(gateway, route).issues(body)


def sells(model: str) -> bool:
    """Whether some channel serves a model.

    :param model: any text.
    """
    return model in _SOLD_HERE or model in catalogue.models()


@cache
def _validator(gateway: str, route: str) -> BodyValidator:
    required, properties = _BODIES[gateway, route]
    return BodyValidator({"type": "object", "properties": properties, "required": required})
