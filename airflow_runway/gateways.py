"""Which routes each gateway has, how each is addressed and how its answers may be taken: data, no behaviour.

Read it beside the documentation, line by line. Adding a gateway is adding a row to :data:`GATEWAYS`.

Sources: Runway's published API description and the official SDK 5.24.0 (row ``runway``); CometAPI's
"official format" pages (row ``cometapi``). The provider knows no model names on purpose: they change every
week, and the server's own refusal is better than ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The header that every call carries, and the only value that Runway has published for it.
VERSION_HEADER = "X-Runway-Version"
DEFAULT_API_VERSION = "2024-11-06"

DEFAULT_GATEWAY = "runway"

#: Ids are opaque: no UUID check, but nothing that could leave its place in a path.
_RUNWAY_TASK_ID = re.compile(r"[^\s/\\\x00-\x1f\x7f]{1,200}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One HTTP method and path; ``{id}`` in the path stands for a task id."""

    method: str
    path: str

    def address(self, runway_task_id: str) -> str:
        """The path with the id quoted into it, so that no id can reach another route.

        :param runway_task_id: the task id, as the gateway gave it.
        """
        return self.path.replace("{id}", quote(runway_task_id, safe=""))


@dataclass(frozen=True, slots=True)
class Gateway:
    """One service that speaks Runway, official or resold."""

    name: str
    #: What people call it, for messages.
    title: str
    base_url: str
    #: Route name → path of the POST that creates a generation.
    creates: Mapping[str, str]
    #: Reads one task.
    read: Endpoint
    #: Cancels an unfinished task; ``None`` where no such route is documented.
    cancel: Endpoint | None
    #: Reads the account; ``None`` where no such route is documented.
    organization: Endpoint | None
    #: Whether a 404 on a read means that the task is gone for good.
    missing_is_gone: bool
    #: Where a person looks at requests and bills.
    portal: str

    def create(self, route: str) -> Endpoint | None:
        """The endpoint of a route name, or ``None`` if this gateway has no such route.

        :param route: the official path after ``/v1/``, e.g. ``image_to_video``.
        """
        path = self.creates.get(route)
        return None if path is None else Endpoint("POST", path)


def is_task_id(value: object) -> bool:
    """Whether a value can be a Runway task id: 1 to 200 characters, no slash, blank or control character.

    :param value: anything, e.g. a rendered template.
    """
    return isinstance(value, str) and _RUNWAY_TASK_ID.fullmatch(value) is not None and set(value) != {"."}


_OFFICIAL_ROUTES = (
    "text_to_video",
    "image_to_video",
    "video_to_video",
    "character_performance",
    "text_to_image",
    "video_upscale",
    "image_upscale",
    "video_to_audio",
    "video_to_hdr",
    "sound_effect",
    "text_to_speech",
    "speech_to_speech",
    "voice_dubbing",
    "voice_isolation",
    "avatar_videos",
    "generate/video",
    "generate/image",
    "generate/audio",
    "recipes/ad_localization",
    "recipes/marketing_stock_image",
    "recipes/multi_shot_video",
    "recipes/product_ad",
    "recipes/product_campaign_image",
    "recipes/product_swap",
    "recipes/product_ugc",
)

_COMETAPI_ROUTES = (
    "image_to_video",
    "video_to_video",
    "text_to_image",
    "video_upscale",
    "character_performance",
)

GATEWAYS: Mapping[str, Gateway] = {
    gateway.name: gateway
    for gateway in (
        Gateway(
            name="runway",
            title="Runway",
            base_url="https://api.dev.runwayml.com",
            creates={route: f"/v1/{route}" for route in _OFFICIAL_ROUTES},
            read=Endpoint("GET", "/v1/tasks/{id}"),
            cancel=Endpoint("DELETE", "/v1/tasks/{id}"),
            organization=Endpoint("GET", "/v1/organization"),
            missing_is_gone=True,
            portal="https://dev.runwayml.com/",
        ),
        Gateway(
            name="cometapi",
            title="CometAPI",
            base_url="https://api.cometapi.com",
            creates={route: f"/runwayml/v1/{route}" for route in _COMETAPI_ROUTES},
            read=Endpoint("GET", "/runwayml/v1/tasks/{id}"),
            cancel=None,
            organization=None,
            missing_is_gone=False,
            portal="https://api.cometapi.com/console/log",
        ),
    )
}
