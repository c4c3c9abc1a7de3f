"""Which fields of a request body name a file, and what such a name can be.

Wherever a payload takes media, an author may write

=============================  ======================================================================
``https://...``                an address that Runway fetches by itself
``runway://...``               an ephemeral upload made earlier
``data:...;base64,...``        the file itself
``s3://...``, ``file:///...``  a file in the team's storage: any URL of ``ObjectStoragePath``, with a
                               connection id as its user part, or an absolute local path
``runway-task://<id>[#<n>]``   output ``n`` (0 if not given) of an earlier generation
=============================  ======================================================================

Only the fields below are looked at, so that a prompt may contain whatever it likes. They are those of
contracts §1.1 and, for the reverse format, contracts §3.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from airflow_runway.core.protocol.gateways import is_task_id

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Place of a value in a JSON body: names and positions from the outside in.
Place = tuple[str | int, ...]

#: Fields that hold a reference when they hold a string.
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


class Source(Enum):
    """Where a reference leads."""

    WEB = "web"
    UPLOAD = "upload"
    INLINE = "inline"
    STORAGE = "storage"
    OUTPUT = "output"
    #: Nothing that could be a file.
    NONE = "none"


_SCHEMES = {
    "https": Source.WEB,
    "http": Source.WEB,
    "runway": Source.UPLOAD,
    "data": Source.INLINE,
    "runway-task": Source.OUTPUT,
}
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)?((?:;[\w.+-]+=[\w.+-]+)*)(;base64)?,", re.IGNORECASE)
_OUTPUT = re.compile(r"runway-task://([^#?]*)(?:#(\d{1,4}))?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reference:
    """One file that a request names."""

    uri: str
    #: ``image``, ``video`` or ``audio``; empty where any of them will do.
    kind: str
    place: Place = ()

    @property
    def source(self) -> Source:
        """Where it leads."""
        if not isinstance(self.uri, str):
            return Source.NONE
        scheme = _SCHEME.match(self.uri)
        if scheme is None:
            return Source.STORAGE if self.uri.startswith("/") else Source.NONE
        source = _SCHEMES.get(scheme[1].lower(), Source.STORAGE)
        return source if source is Source.INLINE or "://" in self.uri[:40] else Source.NONE

    @property
    def field(self) -> str:
        """The field in words, e.g. ``promptImage[1].uri``."""
        return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in self.place).lstrip(
            "."
        )


def references_in(body: Any, place: Place = (), holder: str = "") -> Iterator[Reference]:
    """All references of a body, in its order.

    :param body: any JSON value.
    :param place: where that value is.
    :param holder: name of the field that holds it.
    """
    if isinstance(body, list | tuple):
        for number, item in enumerate(body):
            if isinstance(item, str) and holder in _HOLDERS:
                yield Reference(item, _HOLDERS[holder], (*place, number))
            else:
                yield from references_in(item, (*place, number), holder)
    elif isinstance(body, Mapping):
        for name, value in body.items():
            here = (*place, name)
            if name == "uri" and isinstance(value, str):
                # A member "type" tells what it is; else the field around it does, and most hold images.
                kind = body.get("type")
                yield Reference(value, kind if kind in _KINDS else _HOLDERS.get(holder, "image"), here)
            elif name in _FIELDS and isinstance(value, str):
                if value or name not in _MAY_BE_EMPTY:
                    yield Reference(value, _FIELDS[name], here)
            else:
                yield from references_in(value, here, name)


def replaced(body: Any, values: Mapping[Place, Any], place: Place = ()) -> Any:
    """A copy of a body with other values at some places; the body itself stays as it is.

    :param body: any JSON value.
    :param values: what comes where.
    :param place: where ``body`` is.
    """
    if place in values:
        return values[place]
    if isinstance(body, Mapping):
        return {name: replaced(value, values, (*place, name)) for name, value in body.items()}
    if isinstance(body, list | tuple):
        return [replaced(item, values, (*place, number)) for number, item in enumerate(body)]
    return body


def output_of(uri: str) -> tuple[str, int] | None:
    """Task id and index in ``runway-task://<id>[#<index>]``; ``None`` if it is not of that form.

    :param uri: the reference.
    """
    found = _OUTPUT.fullmatch(uri)
    if found is None:
        return None
    runway_task_id = unquote(found[1].rstrip("/"))
    return (runway_task_id, int(found[2] or 0)) if is_task_id(runway_task_id) else None


@dataclass(frozen=True, slots=True)
class Inline:
    """What a ``data:`` URI says of itself."""

    #: Lower case; empty where it names none.
    media_type: str
    content: bytes


def inline_of(uri: str) -> Inline | None:
    """Type and content of a ``data:`` URI; ``None`` if it is broken or not base64, which Runway asks for.

    :param uri: the reference.
    """
    head = _DATA_URI.match(uri)
    if head is None or not head[3]:
        return None
    try:
        return Inline((head[1] or "").lower(), base64.b64decode(uri[head.end() :], validate=True))
    except (binascii.Error, ValueError):
        return None


def as_inline(media_type: str, content: bytes) -> str:
    """A ``data:`` URI.

    :param media_type: e.g. ``image/png``.
    :param content: the file.
    """
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


def inline_length(media_type: str, size: int) -> int:
    """Characters that :func:`as_inline` makes of a file.

    :param media_type: e.g. ``image/png``.
    :param size: bytes of the file.
    """
    return len(f"data:{media_type};base64,") + 4 * ((size + 2) // 3)


def identity_of_content(sha256: str) -> str:
    """What stands for a file in a fingerprint, wherever it lies and however it travels.

    :param sha256: hexadecimal digest of its content.
    """
    return f"sha256:{sha256}"


#: A signed address: a parameter that only a signature has → the other parameters that belong to it. Those change
#: with every signing of the same object (S3, CloudFront, Google, Azure, Alibaba, Runway's own ``_jwt``).
_SIGNATURES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("x-amz-signature", re.compile(r"x-amz-.*")),
    ("x-goog-signature", re.compile(r"x-goog-.*")),
    ("x-oss-signature", re.compile(r"x-oss-.*")),
    (
        "signature",
        re.compile(r"signature|expires|policy|key-pair-id|(aws|oss)accesskeyid|googleaccessid|security-token|x-amz-.*"),
    ),
    ("sig", re.compile(r"sig|s[eiprtv]|srt|ss|spr|sk[a-z]{1,3}|saoid|suoid|scid")),
    ("_jwt", re.compile(r"_jwt")),
)  # fmt: skip


def identity_of_address(url: str) -> str:
    """What stands for a web address in a fingerprint: the address without its signature.

    The file behind it is not read, so a file that changes under one address is not noticed. Everything but a
    signature counts, since ``?id=7`` may well be another file than ``?id=8``; user part and fragment do not.

    :param url: an http(s) address.
    """
    parts = urlsplit(url)
    pairs = [pair for pair in parts.query.split("&") if pair]
    names = {_name(pair) for pair in pairs}
    for signature, belonging in _SIGNATURES:
        if signature in names:
            pairs = [pair for pair in pairs if not belonging.fullmatch(_name(pair))]
    host = parts.netloc.rpartition("@")[2].lower()
    return urlunsplit((parts.scheme.lower(), host, parts.path, "&".join(pairs), ""))


def _name(pair: str) -> str:
    return unquote(pair.partition("=")[0]).lower()


def identity_of(reference: Reference) -> str | None:
    """What stands for a reference in a fingerprint, as far as it can be told without reading a file.

    :param reference: the reference.
    :returns: ``None`` for a file in storage, and for what is no reference.
    """
    source = reference.source
    if source is Source.WEB:
        return identity_of_address(reference.uri)
    if source is Source.UPLOAD:
        return reference.uri
    if source is Source.INLINE:
        inline = inline_of(reference.uri)
        content = reference.uri.encode() if inline is None else inline.content
        return identity_of_content(hashlib.sha256(content).hexdigest())
    output = output_of(reference.uri) if source is Source.OUTPUT else None
    return f"runway-task:{output[0]}#{output[1]}" if output else None
