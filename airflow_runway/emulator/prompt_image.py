"""Loads the prompt image of a creation, during the create call as Runway does (RD/errors/troubleshooting)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from anyio import to_thread

from airflow_runway.emulator.fetch import check_address, fetch
from airflow_runway.emulator.media import MediaError, from_data_uri
from airflow_runway.models import TaskStatus

if TYPE_CHECKING:
    from pathlib import Path

    from starlette.requests import Request

    from airflow_runway.emulator.state import Emulator

_MEDIA = "/_emulator/media/"
_OUTPUTS = "/_outputs/"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


async def load(emulator: Emulator, request: Request, body: dict[str, Any]) -> Path | None:
    """The checked picture of a request, ``None`` if it names none.

    :param body: the request body, found valid; of a list of images each is checked and the first one is used.
    :raises MediaError: with the text of the 400.
    """
    value = body.get("promptImage")
    uris = [item["uri"] for item in value] if isinstance(value, list) else [value] if value else []
    pictures = [await _one(emulator, request, uri) for uri in uris]
    return pictures[0] if pictures else None


async def _one(emulator: Emulator, request: Request, uri: str) -> Path:
    if uri[:5].lower() == "data:":
        content = await to_thread.run_sync(from_data_uri, uri)
    else:
        own = await _own_file(emulator, request, uri)
        content = await to_thread.run_sync(own.read_bytes if own else lambda: fetch(uri))
    return await to_thread.run_sync(emulator.pictures.keep, content)


async def _own_file(emulator: Emulator, request: Request, uri: str) -> Path | None:
    """The file behind one of the emulator's own addresses, which alone may be plain HTTP."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise MediaError("Invalid URL.") from None
    hosts = _LOOPBACK | {request.url.hostname}
    if parts.scheme != "http" or port != request.url.port or parts.hostname not in hosts:
        check_address(uri)
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
    return path.startswith(_OUTPUTS) and emulator.links.allows(path, token, emulator.world.clock())


async def output_file(emulator: Emulator, path: str) -> Path | None:
    """The file of a finished task's output; ``None`` unless there is one (any more).

    :param path: ``/_outputs/<task id>/0.<extension>``.
    """
    runway_task_id, _, name = path.removeprefix(_OUTPUTS).partition("/")
    task = emulator.world.get(runway_task_id)
    if task is None or name != f"0.{task.job.extension}":
        return None
    shot = emulator.world.observe(task)
    if shot.removed or shot.status is not TaskStatus.SUCCEEDED:
        return None
    return await emulator.rendered.get(task.job)
