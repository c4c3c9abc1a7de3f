"""Finds the media references in a request body: which fields name a file, and of which kind it should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Fields that hold a reference when they hold a string (catalogue; contracts 3.1 and 3.2 for the reverse format).
_FIELDS = {
    "promptImage": "image",
    "imageUri": "image",
    "maskUri": "image",
    "image": "image",
    "last_image": "image",
    "promptVideo": "video",
    "videoUri": "video",
    "video": "video",
    "audioUri": "audio",
    "audio": "audio",
}
#: Fields whose items or members are references; "" = of any kind.
_HOLDERS = {
    "referenceAudios": "",
    "referenceVideos": "video",
    "referenceVideo": "video",
    "referenceAudio": "audio",
}
#: The reverse format's optional end frame.
_MAY_BE_EMPTY = frozenset({"last_image"})
_KINDS = ("image", "video", "audio")


@dataclass(frozen=True, slots=True)
class Reference:
    """One file that a request names."""

    uri: str
    #: ``image``, ``video`` or ``audio``; empty where any of them will do.
    kind: str


def references_in(body: Any, holder: str = "") -> Iterator[Reference]:
    """All references of a body, in its order.

    :param body: any JSON value.
    :param holder: name of the field that holds it.
    """
    if isinstance(body, list):
        for item in body:
            if isinstance(item, str) and holder in _HOLDERS:
                yield Reference(item, _HOLDERS[holder])
            else:
                yield from references_in(item, holder)
    elif isinstance(body, dict):
        for name, value in body.items():
            if name == "uri" and isinstance(value, str):
                # A member "type" tells what it is; else the field around it does, and most hold images.
                kind = body.get("type")
                yield Reference(value, kind if kind in _KINDS else _HOLDERS.get(holder, "image"))
            elif name in _FIELDS and isinstance(value, str):
                if not value and name in _MAY_BE_EMPTY:
                    continue
                yield Reference(value, _FIELDS[name])
            else:
                yield from references_in(value, name)
