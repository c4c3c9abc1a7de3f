"""Opens the files that a creation names, during the create call as Runway does (contracts §1.1).

Pictures are loaded and checked, wherever they are. Videos and sounds are opened where the emulator has them
itself (own addresses, uploads, data URIs); of others the address is checked, and nothing is fetched.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote, urlsplit

from anyio import to_thread

from airflow_runway.core.media.references import references_in
from airflow_runway.emulator.files.input_checks import MediaError, from_data_uri
from airflow_runway.emulator.files.web_fetch import check_address, fetch
from airflow_runway.emulator.rendering.probe import probe
from airflow_runway.emulator.rendering.stills import still
from airflow_runway.emulator.world.job import Inputs, SourceVideo

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from airflow_runway.core.media.references import Reference
    from airflow_runway.emulator.files.hosted_media import HostedMedia
    from airflow_runway.emulator.files.input_store import InputStore
    from airflow_runway.emulator.files.outputs import Outputs
    from airflow_runway.emulator.files.upload_store import UploadStore

#: The picture that ``dags_examples/image_to_video.py`` names if nobody names another (it stands in CometAPI's pages).
#: The emulator has one of its own for it, so that the example succeeds without a network.
EXAMPLE_PICTURE: Final = "https://res.cloudinary.com/demo/image/upload/dog.jpg"
_MEDIA = "/_emulator/media/"
_UPLOAD = "runway://"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


@dataclass(frozen=True, slots=True)
class OwnAddress:
    """Where the caller reached the emulator: links to there lead to its own files.

    :param hostname: host without a port.
    :param port: ``None`` = the usual one.
    """

    hostname: str | None
    port: int | None


class InputLoader:
    """Opens files, wherever the emulator has them.

    :param store: keeps what came inside a request.
    :param uploads: the files behind ``runway://`` references.
    :param hosted: the files that the emulator hosts for its user.
    :param outputs: the results of earlier tasks.
    """

    def __init__(
        self, store: InputStore, uploads: UploadStore, hosted: HostedMedia, outputs: Outputs
    ) -> None:
        self._store = store
        self._uploads = uploads
        self._hosted = hosted
        self._outputs = outputs

    async def load(self, body: Mapping[str, object], own: OwnAddress, *, plain_http: bool) -> Inputs:
        """Opens every file of a request.

        :param body: the request body, found valid.
        :param own: the emulator's own address, which alone may be plain HTTP.
        :param plain_http: take ``http`` addresses too, unseen: the reverse format's samples use them.
        :raises MediaError: with the text of the 400.
        """
        picture: Path | None = None
        video: SourceVideo | None = None
        for reference in references_in(body):
            file = await self._held_file(reference, own)
            if file is None and plain_http and reference.uri[:7].lower() == "http://":
                continue
            if reference.kind == "image":
                kept = await self._picture(reference, file)
                picture = picture or kept
            elif file is None:
                check_address(reference.uri)
            elif video is None and reference.kind != "audio":
                video = await to_thread.run_sync(probe, file)
        return Inputs(picture, video)

    async def _picture(self, reference: Reference, file: Path | None) -> Path:
        content = await to_thread.run_sync(file.read_bytes if file else lambda: fetch(reference.uri))
        return await to_thread.run_sync(self._store.keep_picture, content)

    async def _held_file(self, reference: Reference, own: OwnAddress) -> Path | None:
        """The file of a reference that the emulator holds itself; ``None`` for one on the web."""
        uri = reference.uri
        if uri == EXAMPLE_PICTURE:
            return await to_thread.run_sync(self._example)
        if uri[:5].lower() == "data:":
            content = await to_thread.run_sync(from_data_uri, uri, reference.kind)
            return await to_thread.run_sync(self._store.keep, content)
        if uri.startswith(_UPLOAD):
            file = self._uploads.file_of(uri)
            if file is None:
                raise MediaError("Failed to fetch asset. The upload does not exist or has expired.")
            return file
        return await self._served_file(uri, own)

    def _example(self) -> Path:
        content = BytesIO()
        still(None, "The picture of the example", (1280, 720)).save(content, "JPEG")
        return self._store.keep_picture(content.getvalue())

    async def _served_file(self, uri: str, own: OwnAddress) -> Path | None:
        """The file behind one of the emulator's own addresses."""
        try:
            parts = urlsplit(uri)
            port = parts.port
        except ValueError:
            raise MediaError("Invalid URL.") from None
        if parts.scheme != "http" or port != own.port or parts.hostname not in _LOOPBACK | {own.hostname}:
            return None
        path = unquote(parts.path)
        if path.startswith(_MEDIA):
            file = self._hosted.get(path.removeprefix(_MEDIA))
        else:
            token = parse_qs(parts.query).get("_jwt", [""])[0]
            file = await self._outputs.file_at(path) if self._outputs.allows(path, token) else None
        if file is None:
            raise MediaError("Failed to fetch asset. The server answered 404.")
        return file
