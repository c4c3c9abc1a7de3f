"""Conditions across several fields, which the catalogue's schemas cannot express.

They come from the notes in the types of the official SDK 5.24.0 and from the published API description.
Rules that need more than the body (the length of a reference, the size of a picture) are left to Runway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway.emulator.checking.issues import issue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_runway.emulator.checking.issues import Issue

_WAN_RATIOS = ("auto_480p", "auto_720p", "auto_1080p")
_HDR_PROFILES = ("422", "422 HQ", "4444")


def broken_rules(route: str, body: Mapping[str, object]) -> list[Issue]:
    """The rules that a body breaks.

    :param route: route name; the rules concern the routes that make a video.
    :param body: the JSON object that was sent, its types found right.
    """
    if route not in ("image_to_video", "text_to_video", "video_to_video", "video_to_hdr"):
        return []
    return [found for rule in _RULES for found in rule(route, body)]


def _broken(name: str, message: str) -> Issue:
    return issue("custom", [name], message)


def _prores(route: str, body: Mapping[str, object]) -> Iterator[Issue]:
    profile, chosen = body.get("proresProfile"), body.get("outputFormat")
    if profile is None:
        return
    allowed = {"video_to_video": ("prores",), "video_to_hdr": ("hdr_prores",)}
    formats = allowed.get(route, ("prores", "hdr_prores"))
    if chosen not in formats:
        yield _broken("proresProfile", f"Only allowed with outputFormat {' or '.join(formats)}")
    elif chosen == "hdr_prores" and route != "video_to_hdr" and profile not in _HDR_PROFILES:
        yield _broken("proresProfile", f"With hdr_prores expected one of {', '.join(_HDR_PROFILES)}")


def _positions(_route: str, body: Mapping[str, object]) -> Iterator[Issue]:
    images = body.get("promptImage")
    if not isinstance(images, list):
        return
    placed = [image.get("position") for image in images if isinstance(image, dict)]
    if any(placed) and not all(placed):
        yield _broken("promptImage", "Either every image has a position or none has")
    elif body.get("model") == "h3_max" and "last" in placed and "first" not in placed:
        yield _broken("promptImage", "A last frame needs a first frame")
    elif str(body.get("model")).startswith("wan3") and any(placed) and body.get("ratio") not in _WAN_RATIOS:
        yield _broken("ratio", f"With key frames expected one of {', '.join(_WAN_RATIOS)}")


def _keyframe_ranges(_route: str, body: Mapping[str, object]) -> Iterator[Issue]:
    frames = body.get("keyframes")
    if not isinstance(frames, list):
        return
    ranged = [frame.get("range") for frame in frames if isinstance(frame, dict)]
    if any(ranged) and not all(ranged):
        yield _broken("keyframes", "Either all key frames have a range or none has")


def _adaptive(_route: str, body: Mapping[str, object]) -> Iterator[Issue]:
    references = any(
        body.get(name) for name in ("references", "referenceVideos", "promptImage", "promptVideo")
    )
    if body.get("ratio") == "adaptive" and not references:
        yield _broken("ratio", "adaptive needs image or video references")


def _extend_and_edit(route: str, body: Mapping[str, object]) -> Iterator[Issue]:
    mode = body.get("mode")
    if route != "video_to_video" or mode not in ("extend", "edit"):
        return
    if not body.get("promptText"):
        yield _broken("promptText", f"Required with mode {mode}")
    if "ratio" in body:
        yield _broken("ratio", f"Not allowed with mode {mode}")
    if mode == "edit" and body.get("duration", "auto") != "auto":
        yield _broken("duration", "Must be auto with mode edit")


def _draft(_route: str, body: Mapping[str, object]) -> Iterator[Issue]:
    others = sorted(set(body) - {"draftTaskId", "model"})
    if body.get("draftTaskId") and others:
        yield _broken("draftTaskId", f"Excludes {', '.join(others)}")


_RULES: tuple[Callable[[str, Mapping[str, object]], Iterator[Issue]], ...] = (
    _prores,
    _positions,
    _keyframe_ranges,
    _adaptive,
    _extend_and_edit,
    _draft,
)
