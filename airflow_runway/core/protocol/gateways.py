"""Which routes each gateway has, how each is addressed and how its answers may be taken: data, no behaviour.

Read it beside the documentation, line by line. Adding a gateway is adding a row to :data:`GATEWAYS`.

Each row has its section: contracts §1 (``runway``), contracts §2 and, for the reverse format, contracts §3
(``cometapi``), contracts §4 (``gptplus5``). The provider knows
no model names on purpose: they change every week, and the server's own refusal is better than ours.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote

from airflow_runway.core.facts import CoreError, ErrorKind, core_error
from airflow_runway.core.redaction import redact

#: The header that every call carries, and the only value that Runway has published for it.
VERSION_HEADER = "X-Runway-Version"
DEFAULT_API_VERSION = "2024-11-06"

DEFAULT_GATEWAY = "runway"

#: Ids are opaque: no UUID check, but nothing that could leave its place in a path.
_RUNWAY_TASK_ID = re.compile(r"[^\s/\\*\ufffd]{1,200}")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One HTTP method and path; ``{id}`` in the path stands for an id."""

    method: str
    path: str
    #: Name under which the body carries the id, for a read that is a POST.
    id_in_body: str = ""

    def address(self, identifier: str = "") -> str:
        """The path with the id quoted into it, so that no id can reach another route.

        :param identifier: a task id or workflow id, as the gateway gave it.
        """
        return self.path.replace("{id}", quote(identifier, safe=""))


@dataclass(frozen=True, slots=True)
class Create:
    """A route that creates generations."""

    path: str
    #: Body fields without which this gateway is documented to refuse.
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Gateway:
    """One service that speaks Runway, official or resold."""

    name: str
    #: What people call it, for messages.
    title: str
    base_url: str
    #: Route name → the POST that creates a generation. ``{id}`` in a name stands for any one id.
    creates: Mapping[str, Create]
    #: Ways to read one task, the usual one first; the next only where one does not know the id.
    reads: tuple[Endpoint, ...]
    #: Whether a 404 on a read means that the task is gone for good.
    missing_is_gone: bool
    #: Where a person looks at requests and bills.
    portal: str
    #: How a key of this gateway begins, where that is documented.
    key_prefix: str = ""
    #: Cancels an unfinished task; ``None`` where no such route is documented.
    cancel: Endpoint | None = None
    #: Asks for an upload slot; ``None`` where no such route is documented.
    uploads: Endpoint | None = None
    #: Reads the account; ``None`` where no such route is documented.
    organization: Endpoint | None = None
    #: Reads the credits used per day and model. (CometAPI's quota page takes the key in its query, where access
    #: logs keep it: not used.)
    usage: Endpoint | None = None
    #: Lists the routers of ``generate/*``, and the requests to one; ``None`` where no such route is documented.
    routers: Endpoint | None = None
    router_requests: Endpoint | None = None
    #: What of ``/v1/<kind>`` can be listed and read.
    lookups: frozenset[str] = frozenset()

    def create(self, route: object) -> Create | None:
        """The row of a route name, its id filled in, or ``None`` if this gateway has no such route.

        :param route: the official path after ``/v1/``, e.g. ``image_to_video``, ``workflows/<id>``.
        """
        if not isinstance(route, str):
            return None
        if route in self.creates:
            return self.creates[route]
        folder, _, identifier = route.rpartition("/")
        row = self.creates.get(f"{folder}/{{id}}")
        if row is None or not is_task_id(identifier):
            return None
        return replace(row, path=row.path.replace("{id}", quote(identifier, safe="")))


def is_task_id(value: object) -> bool:
    """Whether a value can be a Runway task id: 1 to 200 printable characters, no slash, blank or ``*``.

    :param value: anything, e.g. a rendered template.
    """
    is_id = isinstance(value, str) and _RUNWAY_TASK_ID.fullmatch(value) is not None and set(value) != {"."}
    return is_id and str(value).isprintable()


def checked_task_id(value: object) -> str:
    """A task id that may be asked for.

    :param value: e.g. what a template was rendered to; of what a sensor returned, a dict, its ``id``.
    :raises CoreError: if it can be none; nothing has been sent.
    """
    if isinstance(value, Mapping) and "id" in value:
        value = value["id"]
    if not is_task_id(value):
        raise no_task_id(value)
    return str(value)


def no_task_id(value: object) -> CoreError:
    """The error for what is no task id.

    :param value: what was given.
    """
    return core_error(
        ErrorKind.CONFIGURATION,
        f"{redact(value, limit=60)!r} is not a Runway task id. Pass what the submitting task returned, e.g. "
        "runway_task_id=submit.output. Nothing was sent.",
    )


#: Published API description; each is ``POST /v1/<name>`` with the body of that name.
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
    "workflows/{id}",
)

#: CometAPI's "official format" pages.
_COMETAPI_OFFICIAL_FORMAT = (
    "image_to_video",
    "video_to_video",
    "text_to_image",
    "video_upscale",
    "character_performance",
)

#: CometAPI's "reverse format" pages: without ``callback_url`` the answer is ``callback_url_empty``.
_COMETAPI_REVERSE_FORMAT = ("pro/generate", "pro/video2video", "pro/act_one")

GATEWAYS: Mapping[str, Gateway] = {
    gateway.name: gateway
    for gateway in (
        Gateway(
            name="runway",
            title="Runway",
            base_url="https://api.dev.runwayml.com",
            creates={route: Create(f"/v1/{route}") for route in _OFFICIAL_ROUTES},
            reads=(Endpoint("GET", "/v1/tasks/{id}"), Endpoint("GET", "/v1/workflow_invocations/{id}")),
            missing_is_gone=True,
            portal="https://dev.runwayml.com/",
            key_prefix="key_",
            cancel=Endpoint("DELETE", "/v1/tasks/{id}"),
            uploads=Endpoint("POST", "/v1/uploads"),
            organization=Endpoint("GET", "/v1/organization"),
            usage=Endpoint("POST", "/v1/organization/usage"),
            routers=Endpoint("GET", "/v1/routers"),
            router_requests=Endpoint("GET", "/v1/routers/{id}/requests"),
            lookups=frozenset({"voices", "avatars", "documents", "routers", "workflows"}),
        ),
        Gateway(
            name="cometapi",
            title="CometAPI",
            base_url="https://api.cometapi.com",
            creates={
                **{route: Create(f"/runwayml/v1/{route}") for route in _COMETAPI_OFFICIAL_FORMAT},
                **{
                    route: Create(f"/runway/{route}", needs=("callback_url",))
                    for route in _COMETAPI_REVERSE_FORMAT
                },
            },
            reads=(
                Endpoint("GET", "/runwayml/v1/tasks/{id}"),
                Endpoint("POST", "/runway/feed", id_in_body="task_id"),
            ),
            missing_is_gone=False,
            portal="https://api.cometapi.com/console/log",
        ),
        Gateway(
            name="gptplus5",
            title="gptplus5",
            base_url="https://az.gptplus5.com",
            creates={"image_to_video": Create("/runwayml/v1/image_to_video")},
            reads=(Endpoint("GET", "/runwayml/v1/tasks/{id}"),),
            missing_is_gone=False,
            portal="https://az.gptplus5.com/",
        ),
    )
}
