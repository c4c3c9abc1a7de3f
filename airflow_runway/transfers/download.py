"""One output file on its way: fetched without the API key, counted, hashed, checked for completeness."""

from __future__ import annotations

import hashlib
import mimetypes
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import requests

from airflow_runway.exceptions import RunwayTransferError, RunwayTransferRefusedError
from airflow_runway.hooks.transport import request_options
from airflow_runway.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_runway.connection_settings import ConnectionSettings

_PIECE = 2**20
_EXTENSIONS = {
    "video/mp4": ".mp4",
    "video/quicktime": ".mov",
    "video/webm": ".webm",
    "image/png": ".png",
    "image/jpeg": ".jpg",
    "image/webp": ".webp",
    "audio/mpeg": ".mp3",
    "audio/wav": ".wav",
    "audio/x-wav": ".wav",
}


class Download:
    """An open download; iterate it once.

    :param response: the answer, its body unread.
    """

    def __init__(self, response: requests.Response) -> None:
        self._response = response
        self._hash = hashlib.sha256()
        #: Bytes that came so far.
        self.bytes = 0
        header = response.headers.get("Content-Type", "")
        self.content_type = header.partition(";")[0].strip().lower() or "application/octet-stream"

    @property
    def sha256(self) -> str:
        """Hexadecimal digest of what came so far."""
        return self._hash.hexdigest()

    @property
    def extension(self) -> str:
        """File extension with its dot, from the content type, else from the address."""
        known = _EXTENSIONS.get(self.content_type)
        if known:
            return known
        suffix = urlsplit(str(self._response.url)).path.rpartition(".")[2].lower()
        if suffix.isalnum() and len(suffix) <= 5:
            return f".{suffix}"
        return mimetypes.guess_extension(self.content_type) or ".bin"

    def __iter__(self) -> Iterator[bytes]:
        try:
            for piece in self._response.iter_content(_PIECE):
                self.bytes += len(piece)
                self._hash.update(piece)
                yield piece
        except (requests.RequestException, OSError) as error:
            raise RunwayTransferError(
                f"The download broke off after {self.bytes} bytes ({type(error).__name__}). The generation itself "
                "is untouched; a retry starts anew."
            ) from None
        promised = self._response.headers.get("Content-Length", "")
        if not self.bytes or (promised.isdigit() and int(promised) != self.bytes):
            raise RunwayTransferError(
                f"The download ended after {self.bytes} of {promised or 'unknown'} bytes. The generation itself is "
                "untouched; a retry starts anew."
            )


@contextmanager
def open_download(url: str, settings: ConnectionSettings) -> Iterator[Download]:
    """Ask for a file, without any credential of ours.

    :param url: a signed output URL.
    :param settings: for proxies, certificates and time-outs.
    :raises RunwayTransferError: it did not come; a fresh link may help.
    :raises RunwayTransferRefusedError: the host sends us elsewhere.
    """
    with requests.Session() as session:
        # An auth object of our own keeps a .netrc entry from adding a credential.
        session.auth = lambda request: request
        session.headers["Accept-Encoding"] = "identity"
        try:
            response = session.get(url, **request_options(settings))
        except (requests.RequestException, OSError) as error:
            raise RunwayTransferError(
                f"{redact(url)} could not be fetched ({type(error).__name__}). The generation itself is untouched; "
                "a retry reads it for a fresh link."
            ) from None
        with response:
            _check(response, url)
            yield Download(response)


def _check(response: requests.Response, url: str) -> None:
    status = response.status_code
    if 300 <= status < 400:
        raise RunwayTransferRefusedError(
            f"{redact(url)} redirects elsewhere (HTTP {status}), which is not followed. The generation itself is "
            "untouched."
        )
    kind = response.headers.get("Content-Type", "").lower()
    page = next((word for word in ("html", "json", "xml") if word in kind and "svg" not in kind), None)
    if status != 200 or page:
        what = (
            f"HTTP {status}" if status != 200 else f"a {page.upper() if page else ''} page instead of media"
        )
        raise RunwayTransferError(
            f"{redact(url)} gave {what}. The link may have expired; the generation itself is untouched, and a "
            "retry reads it for a fresh link."
        )
