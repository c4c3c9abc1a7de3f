"""Opens the files that a creation names, during the create call as Runway does (RD/errors/troubleshooting).

Pictures are loaded and checked, wherever they are. Videos and sounds are opened where the emulator has them
itself (own addresses, uploads, data URIs); of others the address is checked, and nothing is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from anyio import to_thread

from airflow_runway.emulator.fetch import check_address, fetch
from airflow_runway.emulator.media import MediaError, from_data_uri
from airflow_runway.emulator.outputs import PREFIX, output_file
from airflow_runway.emulator.probe import Clip, probe
from airflow_runway.media_references import references_in

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from airflow_runway.emulator.state import Emulator
    from airflow_runway.media_references import Reference

_MEDIA = "/_emulator/media/"
_UPLOAD = "runway://"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class Sources:
    """What a creation can be rendered from: the first picture and the first readable video it names."""

    picture: Path | None = None
    clip: Clip | None = None


async def load(emulator: Emulator, request: Request, body: dict[str, Any], *, plain_http: bool) -> Sources:
    """Opens every file of a request.

    :param body: the request body, found valid.
    :param plain_http: take ``http`` addresses too, unseen: the reverse format's samples use them.
    :raises MediaError: with the text of the 400.
    """
    picture: Path | None = None
    clip: Clip | None = None
    for reference in references_in(body):
        own = await _own_file(emulator, request, reference)
        if own is None and plain_http and reference.uri[:7].lower() == "http://":
            continue
        if reference.kind == "image":
            kept = await _picture(emulator, reference, own)
            picture = picture or kept
        elif own is None:
            check_address(reference.uri)
        elif clip is None and reference.kind != "audio":
            clip = await to_thread.run_sync(probe, own)
    return Sources(picture, clip)


async def _picture(emulator: Emulator, reference: Reference, own: Path | None) -> Path:
    content = await to_thread.run_sync(own.read_bytes if own else lambda: fetch(reference.uri))
    return await to_thread.run_sync(emulator.pictures.keep, content)


async def _own_file(emulator: Emulator, request: Request, reference: Reference) -> Path | None:
    """The file of a reference that the emulator holds itself; ``None`` for one on the web."""
    uri = reference.uri
    if uri[:5].lower() == "data:":
        content = await to_thread.run_sync(from_data_uri, uri, reference.kind)
        return await to_thread.run_sync(emulator.pictures.store, content)
    if uri.startswith(_UPLOAD):
        file = emulator.uploads.open(uri)
        if file is None:
            raise MediaError("Failed to fetch asset. The upload does not exist or has expired.")
        return file
    return await _hosted(emulator, request, uri)


async def _hosted(emulator: Emulator, request: Request, uri: str) -> Path | None:
    """The file behind one of the emulator's own addresses, which alone may be plain HTTP."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise MediaError("Invalid URL.") from None
    hosts = _LOOPBACK | {request.url.hostname}
    if parts.scheme != "http" or port != request.url.port or parts.hostname not in hosts:
        return None
    path = unquote(parts.path)
    if path.startswith(_MEDIA):
        file = emulator.hosted.get(path.removeprefix(_MEDIA))
    else:
        token = parse_qs(parts.query).get("_jwt", [""])[0]
        file = await output_file(emulator, path) if _opens(emulator, path, token) else None
    if file is None:
        raise MediaError("Failed to fetch asset. The server answered 404.")
    return file


def _opens(emulator: Emulator, path: str, token: str) -> bool:
    return path.startswith(PREFIX) and emulator.links.allows(path, token, emulator.world.clock())
