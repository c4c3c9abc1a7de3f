"""Typed operators for the official format: Runway itself, and gateways that copy its routes.

Fields are those of Runway's published API description and of CometAPI's official-format pages; whatever else
a model takes goes through ``extra_body``. A *media reference* is an https URL, a ``runway://`` or ``data:`` URI, a
file in storage (``s3://...``, ``file:///...``), or ``runway-task://<id>``: see
:mod:`airflow_runway.core.media.references`. Every ``"uri"`` inside an object is one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_runway.operators._typed import Field, TypedSubmitOperator, flag, number, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping


class RunwayImageToVideoOperator(TypedSubmitOperator):
    """Creates a clip from an image. This spends money.

    Errors, waiting and returns as in :class:`~airflow_runway.operators.runway.RunwaySubmitOperator`, whose
    further arguments all apply.

    :param model: e.g. ``gen4_turbo``.
    :param prompt_image: a media reference, or a list of
        ``{"uri": ..., "position": "first" | "last"}``.
    :param prompt_text: what should happen.
    :param ratio: width and height in pixels, e.g. ``1280:720``.
    :param duration: seconds. Gateways disagree about the default: better given.
    :param seed: 0 to 4294967295; the same seed and input give similar results.
    :param watermark: gateways only; Runway itself removed it.
    :param content_moderation: e.g. ``{"publicFigureThreshold": "low"}``.
    :param extra_body: further fields, with the API's own names.
    """

    fixed_route = "image_to_video"
    fields: ClassVar[Mapping[str, Field]] = {
        "model": Field("model"),
        "prompt_image": Field("promptImage"),
        "prompt_text": Field("promptText"),
        "ratio": Field("ratio"),
        "duration": Field("duration", whole_number),
        "seed": Field("seed", whole_number),
        "watermark": Field("watermark", flag),
        "content_moderation": Field("contentModeration"),
    }

    def __init__(
        self,
        *,
        model: str,
        prompt_image: str | list[dict[str, str]],
        prompt_text: str | None = None,
        ratio: str | None = None,
        duration: int | str | None = None,
        seed: int | str | None = None,
        watermark: bool | str | None = None,
        content_moderation: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.prompt_image = prompt_image
        self.prompt_text = prompt_text
        self.ratio = ratio
        self.duration = duration
        self.seed = seed
        self.watermark = watermark
        self.content_moderation = content_moderation


class RunwayTextToVideoOperator(TypedSubmitOperator):
    """Creates a clip from words alone. This spends money; see :class:`RunwayImageToVideoOperator`.

    :param model: e.g. ``gen4.5``.
    :param prompt_text: what is to be seen.
    :param ratio: width and height in pixels, e.g. ``1280:720``.
    :param duration: seconds.
    :param seed: 0 to 4294967295.
    :param content_moderation: e.g. ``{"publicFigureThreshold": "low"}``.
    :param extra_body: further fields, with the API's own names.
    """

    fixed_route = "text_to_video"
    fields: ClassVar[Mapping[str, Field]] = {
        "model": Field("model"),
        "prompt_text": Field("promptText"),
        "ratio": Field("ratio"),
        "duration": Field("duration", whole_number),
        "seed": Field("seed", whole_number),
        "content_moderation": Field("contentModeration"),
    }

    def __init__(
        self,
        *,
        model: str,
        prompt_text: str,
        ratio: str | None = None,
        duration: int | str | None = None,
        seed: int | str | None = None,
        content_moderation: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.prompt_text = prompt_text
        self.ratio = ratio
        self.duration = duration
        self.seed = seed
        self.content_moderation = content_moderation


class RunwayVideoToVideoOperator(TypedSubmitOperator):
    """Restyles or edits a clip. This spends money; see :class:`RunwayImageToVideoOperator`.

    :param model: e.g. ``aleph2``; ``gen4_aleph`` at gateways.
    :param video_uri: a media reference.
    :param prompt_text: what should change.
    :param references: images to follow, ``[{"type": "image", "uri": ...}]``.
    :param keyframes: up to five pictures at points in time (``aleph2``).
    :param ratio: width and height in pixels, e.g. ``1280:720``.
    :param target_aspect_ratio: what ``aleph2`` takes instead of ``ratio``.
    :param seed: 0 to 4294967295.
    :param content_moderation: e.g. ``{"publicFigureThreshold": "auto"}``.
    :param extra_body: further fields, with the API's own names.
    """

    fixed_route = "video_to_video"
    fields: ClassVar[Mapping[str, Field]] = {
        "model": Field("model"),
        "video_uri": Field("videoUri"),
        "prompt_text": Field("promptText"),
        "references": Field("references"),
        "keyframes": Field("keyframes"),
        "ratio": Field("ratio"),
        "target_aspect_ratio": Field("targetAspectRatio"),
        "seed": Field("seed", whole_number),
        "content_moderation": Field("contentModeration"),
    }

    def __init__(
        self,
        *,
        model: str,
        video_uri: str,
        prompt_text: str | None = None,
        references: list[dict[str, Any]] | None = None,
        keyframes: list[dict[str, Any]] | None = None,
        ratio: str | None = None,
        target_aspect_ratio: str | None = None,
        seed: int | str | None = None,
        content_moderation: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.video_uri = video_uri
        self.prompt_text = prompt_text
        self.references = references
        self.keyframes = keyframes
        self.ratio = ratio
        self.target_aspect_ratio = target_aspect_ratio
        self.seed = seed
        self.content_moderation = content_moderation


class RunwayTextToImageOperator(TypedSubmitOperator):
    """Creates images from words and references. This spends money; see :class:`RunwayImageToVideoOperator`.

    :param model: e.g. ``gen4_image``.
    :param prompt_text: what is to be seen; ``@tag`` names a reference.
    :param ratio: width and height in pixels, e.g. ``1920:1080``.
    :param reference_images: ``[{"uri": ..., "tag": ...}]``; some models and CometAPI require at least one.
    :param seed: 0 to 4294967295.
    :param content_moderation: e.g. ``{"publicFigureThreshold": "low"}``.
    :param extra_body: further fields, with the API's own names.
    """

    fixed_route = "text_to_image"
    fields: ClassVar[Mapping[str, Field]] = {
        "model": Field("model"),
        "prompt_text": Field("promptText"),
        "ratio": Field("ratio"),
        "reference_images": Field("referenceImages"),
        "seed": Field("seed", whole_number),
        "content_moderation": Field("contentModeration"),
    }

    def __init__(
        self,
        *,
        model: str,
        prompt_text: str,
        ratio: str | None = None,
        reference_images: list[dict[str, str]] | None = None,
        seed: int | str | None = None,
        content_moderation: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.prompt_text = prompt_text
        self.ratio = ratio
        self.reference_images = reference_images
        self.seed = seed
        self.content_moderation = content_moderation


class RunwayVideoUpscaleOperator(TypedSubmitOperator):
    """Enlarges a clip. This spends money; see :class:`RunwayImageToVideoOperator`.

    :param model: e.g. ``magnific_video_upscaler_creative``; ``upscale_v1`` at CometAPI.
    :param video_uri: a media reference.
    :param resolution: ``720p``, ``1k``, ``2k`` or ``4k``, where the model takes it.
    :param creativity: 0 to 100, where the model takes it.
    :param sharpen: 0 to 100, where the model takes it.
    :param smart_grain: 0 to 100, where the model takes it.
    :param extra_body: further fields, with the API's own names.
    """

    fixed_route = "video_upscale"
    fields: ClassVar[Mapping[str, Field]] = {
        "model": Field("model"),
        "video_uri": Field("videoUri"),
        "resolution": Field("resolution"),
        "creativity": Field("creativity", number),
        "sharpen": Field("sharpen", number),
        "smart_grain": Field("smartGrain", number),
    }

    def __init__(
        self,
        *,
        model: str,
        video_uri: str,
        resolution: str | None = None,
        creativity: float | str | None = None,
        sharpen: float | str | None = None,
        smart_grain: float | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.video_uri = video_uri
        self.resolution = resolution
        self.creativity = creativity
        self.sharpen = sharpen
        self.smart_grain = smart_grain


class RunwayCharacterPerformanceOperator(TypedSubmitOperator):
    """Gives a character somebody's performance. This spends money; see :class:`RunwayImageToVideoOperator`.

    :param model: e.g. ``act_two``.
    :param character: ``{"type": "video" | "image", "uri": ...}``.
    :param reference: the performance, ``{"type": "video", "uri": ...}``, 3 to 30 seconds.
    :param body_control: whether the body follows too.
    :param expression_intensity: 1 to 5, default 3.
    :param ratio: width and height in pixels, e.g. ``1280:720``.
    :param seed: 0 to 4294967295.
    :param content_moderation: e.g. ``{"publicFigureThreshold": "auto"}``.
    :param extra_body: further fields, with the API's own names.
    """

    fixed_route = "character_performance"
    fields: ClassVar[Mapping[str, Field]] = {
        "model": Field("model"),
        "character": Field("character"),
        "reference": Field("reference"),
        "body_control": Field("bodyControl", flag),
        "expression_intensity": Field("expressionIntensity", whole_number),
        "ratio": Field("ratio"),
        "seed": Field("seed", whole_number),
        "content_moderation": Field("contentModeration"),
    }

    def __init__(
        self,
        *,
        model: str,
        character: Mapping[str, str],
        reference: Mapping[str, str],
        body_control: bool | str | None = None,
        expression_intensity: int | str | None = None,
        ratio: str | None = None,
        seed: int | str | None = None,
        content_moderation: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.character = character
        self.reference = reference
        self.body_control = body_control
        self.expression_intensity = expression_intensity
        self.ratio = ratio
        self.seed = seed
        self.content_moderation = content_moderation
