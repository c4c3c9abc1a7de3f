"""Typed operators for CometAPI's reverse format (``/runway/pro/...``).

Fields are those of CometAPI's pages on these routes and of its sisters' copies of them. Every create needs a
``callback_url``: from the operator, else from the connection, else nothing is sent. The result is awaited by
reading, as everywhere; a callback is not needed for it, and its body is never trusted. A *media reference* is an
https URL, a ``data:`` URI, a file in storage (up to 3.9 MB, sent inside the request), or ``runway-task://<id>``: see
:mod:`airflow_runway.core.media.references`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from airflow_runway.operators._typed import Field, TypedSubmitOperator, flag, number, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping


class RunwayProGenerateOperator(TypedSubmitOperator):
    """Creates a clip from an image, or from words alone, over the reverse format. This spends money.

    Errors, waiting and returns as in :class:`~airflow_runway.operators.runway.RunwaySubmitOperator`, whose
    further arguments all apply.

    :param model: e.g. ``gen4``.
    :param prompt: what should happen.
    :param image: the first frame, a media reference; none for words alone.
    :param last_image: the last frame, a media reference.
    :param ratio: e.g. ``16:9``; with an image pages also name ``1280:720``. Better given.
    :param style: e.g. ``cinematic``.
    :param seconds: 5 or 10. Gateways disagree about the default: better given.
    :param motion_vector: camera motion, ``{"x", "y", "z", "r", "bg_x_pan", "bg_y_pan"}``, numbers.
    :param image_as_end_frame: whether ``image`` is the last frame.
    :param callback_url: your own address; default: the connection's.
    :param extra_body: further fields, with the API's own names.
    """

    fixed_route = "pro/generate"
    fields: ClassVar[Mapping[str, Field]] = {
        "callback_url": Field("callback_url"),
        "model": Field("model"),
        "prompt": Field("prompt"),
        "image": Field("image"),
        "last_image": Field("last_image"),
        "ratio": Field("ratio"),
        "style": Field("style"),
        "seconds": Field("options.seconds", whole_number),
        "motion_vector": Field("options.motion_vector"),
        "image_as_end_frame": Field("options.image_as_end_frame", flag),
    }

    def __init__(
        self,
        *,
        model: str,
        prompt: str,
        image: str | None = None,
        last_image: str | None = None,
        ratio: str | None = None,
        style: str | None = None,
        seconds: int | str | None = None,
        motion_vector: Mapping[str, float] | None = None,
        image_as_end_frame: bool | str | None = None,
        callback_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.prompt = prompt
        self.image = image
        self.last_image = last_image
        self.ratio = ratio
        self.style = style
        self.seconds = seconds
        self.motion_vector = motion_vector
        self.image_as_end_frame = image_as_end_frame
        self.callback_url = callback_url


class RunwayProVideoToVideoOperator(TypedSubmitOperator):
    """Restyles a clip over the reverse format. This spends money; see :class:`RunwayProGenerateOperator`.

    :param model: e.g. ``gen4``.
    :param video: the clip, a media reference.
    :param prompt: the new style.
    :param structure_transformation: 0 to 1, how far the structure may change.
    :param flip: whether the result is upright instead of wide.
    :param seconds: 5 or 10; newer pages require it.
    :param callback_url: your own address; default: the connection's.
    :param extra_body: further fields, with the API's own names.
    """

    fixed_route = "pro/video2video"
    fields: ClassVar[Mapping[str, Field]] = {
        "callback_url": Field("callback_url"),
        "model": Field("model"),
        "video": Field("video"),
        "prompt": Field("prompt"),
        "structure_transformation": Field("options.structure_transformation", number),
        "flip": Field("options.flip", flag),
        "seconds": Field("options.seconds", whole_number),
    }

    def __init__(
        self,
        *,
        model: str,
        video: str,
        prompt: str,
        structure_transformation: float | str | None = None,
        flip: bool | str | None = None,
        seconds: int | str | None = None,
        callback_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.video = video
        self.prompt = prompt
        self.structure_transformation = structure_transformation
        self.flip = flip
        self.seconds = seconds
        self.callback_url = callback_url


class RunwayProActOneOperator(TypedSubmitOperator):
    """Gives a picture somebody's performance. This spends money; see :class:`RunwayProGenerateOperator`.

    :param video: the performance, 16:9, a media reference.
    :param image: the character, 16:9, a media reference.
    :param motion_multiplier: strength of the motion, where the gateway takes it.
    :param flip: whether the result is upright instead of wide.
    :param callback_url: your own address; default: the connection's.
    :param extra_body: further fields, with the API's own names.
    """

    fixed_route = "pro/act_one"
    fields: ClassVar[Mapping[str, Field]] = {
        "callback_url": Field("callback_url"),
        "video": Field("video"),
        "image": Field("image"),
        "motion_multiplier": Field("options.motion_multiplier", number),
        "flip": Field("options.flip", flag),
    }

    def __init__(
        self,
        *,
        video: str,
        image: str,
        motion_multiplier: float | str | None = None,
        flip: bool | str | None = None,
        callback_url: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.video = video
        self.image = image
        self.motion_multiplier = motion_multiplier
        self.flip = flip
        self.callback_url = callback_url
