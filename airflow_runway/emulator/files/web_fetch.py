"""Fetches a picture from the web the way Runway does (contracts §15): bounded, no redirects."""

from __future__ import annotations

import ipaddress
import time
import urllib.error
import urllib.request
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_runway.emulator.files.input_checks import LARGEST_PICTURE, PICTURE_TYPES, MediaError

if TYPE_CHECKING:
    from email.message import Message

_SECONDS = 10.0
_CHUNK = 1 << 16
_LONGEST_URL = 2048
#: Runway's fetcher introduces itself with this beginning (contracts §15).
_AGENT = "RunwayML API/emulator"


class NoRedirects(urllib.request.HTTPRedirectHandler):
    """Makes a redirect an error, so that none leads to another host."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> None:
        """Called by :mod:`urllib`; no new request."""
        return


def check_address(url: str) -> None:
    """Refuses what Runway refuses before it opens a connection.

    :param url: value of ``promptImage``.
    :raises MediaError: unless it is an ``https`` URL on a domain, at most 2048 characters long.
    """
    if len(url) > _LONGEST_URL:
        raise MediaError(f"URLs must be at most {_LONGEST_URL} characters long.")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise MediaError("Invalid URL.") from None
    if parts.scheme.lower() != "https":
        raise MediaError("Only HTTPS URLs are allowed.")
    if not parts.hostname or _is_ip(parts.hostname):
        raise MediaError("URLs must be hosted on a domain.")


def fetch(url: str) -> bytes:
    """Reads a picture. Blocking: call it in a thread.

    :param url: an ``https`` URL; at most 16 MB and 10 s.
    :raises MediaError: for everything that goes wrong.
    """
    check_address(url)
    # The scheme was checked above; no handler is asked for anything but https.
    request = urllib.request.Request(url, headers={"User-Agent": _AGENT})  # noqa: S310
    opener = urllib.request.build_opener(NoRedirects())
    try:
        with opener.open(request, timeout=_SECONDS) as answer:
            return _read(answer, answer.headers.get_content_type())
    except urllib.error.HTTPError as error:
        raise MediaError(f"Failed to fetch asset. The server answered {error.code}.") from None
    except TimeoutError:
        raise MediaError("Timeout while fetching asset.") from None
    except OSError as error:
        raise MediaError(f"Failed to fetch asset: {error}.") from None


def _read(answer: IO[bytes], content_type: str) -> bytes:
    if content_type not in PICTURE_TYPES:
        raise MediaError(f"Unsupported asset type {content_type!r}. Use one of {', '.join(PICTURE_TYPES)}.")
    deadline, pieces, size = time.monotonic() + _SECONDS, [], 0
    while piece := answer.read(_CHUNK):
        size += len(piece)
        if size > LARGEST_PICTURE:
            raise MediaError(f"Asset is larger than {LARGEST_PICTURE} bytes.")
        if time.monotonic() > deadline:
            raise TimeoutError
        pieces.append(piece)
    return b"".join(pieces)


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
