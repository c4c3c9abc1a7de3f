"""Fetches a picture from the web the way Runway does (contracts §15): bounded, no redirects."""

from __future__ import annotations

import http.client
import ipaddress
import re
import socket
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
#: Read otherwise by some library.
_CONFUSING = re.compile(r"[\x00-\x20\x7f\\]")
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
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise MediaError("Invalid URL.") from None
    if _CONFUSING.search(url):
        raise MediaError("Invalid URL.")
    if parts.scheme.lower() != "https":
        raise MediaError("Only HTTPS URLs are allowed.")
    if "@" in parts.netloc:
        raise MediaError("URLs must not name a user.")
    if not _is_domain(host):
        raise MediaError("URLs must be hosted on a domain.")


def fetch(url: str) -> bytes:
    """Reads a picture. Blocking: call it in a thread.

    :param url: an ``https`` URL; at most 16 MB and 10 s.
    :raises MediaError: for everything that goes wrong.
    """
    check_address(url)
    _check_public(urlsplit(url).hostname or "")
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
    except (OSError, http.client.HTTPException) as error:
        raise MediaError(f"Failed to fetch asset: {type(error).__name__}.") from None


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


def _is_domain(host: str) -> bool:
    """Whether a host is a name: no address in any spelling (``127.1``, ``0x7f000001``, ``2130706433``, ``[::1]``)."""
    try:
        *others, last = host.encode("idna").decode("ascii").rstrip(".").split(".")
    except UnicodeError:
        return False
    return bool(others) and re.fullmatch(r"[a-z][a-z0-9-]*", last) is not None and not last.startswith("0x")


def _check_public(host: str) -> None:
    """Refuses a name that stands for an address that only this machine or its network can reach."""
    try:
        found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM)}
    except (OSError, UnicodeError):
        raise MediaError("Failed to fetch asset: the host is not known.") from None
    if not all(ipaddress.ip_address(address.partition("%")[0]).is_global for address in found):
        raise MediaError("URLs must be hosted on a public domain.")
