"""What requests and aiohttp are told alike of a connection: headers, credential, proxy, certificates.

What can be wrong with these is found out here, without a network, before an intent is written: a missing CA bundle
or an unreadable proxy is the connection's fault, has a name, and costs nothing (contracts §12).
"""

from __future__ import annotations

import functools
import os
import ssl
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.utils import (
    DEFAULT_CA_BUNDLE_PATH,
    get_environ_proxies,
    prepend_scheme_if_needed,
    select_proxy,
)

from airflow_runway import __version__
from airflow_runway.core.facts import CoreError, ErrorKind, core_error
from airflow_runway.core.protocol.gateways import VERSION_HEADER
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from airflow_runway.core.protocol.connection import ConnectionSettings

#: Seconds for TCP with one address, and for each step of TLS and of a proxy's tunnel.
CONNECT_TIMEOUT = 15.0

_BUNDLE_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_SOCKS = frozenset({"socks4", "socks4a", "socks5", "socks5h"})


class BearerKey(requests.auth.AuthBase):
    """The API key as a Bearer token; as an auth object it also keeps a ``.netrc`` entry from replacing it.

    :param api_key: the key.
    """

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Put the key into the request's one header for it."""
        request.headers["Authorization"] = f"Bearer {self._api_key}"
        return request


class UnredirectedSession(requests.Session):
    """Takes a redirect for the answer that it is.

    Even when told not to follow, requests reads where one leads, and raises a bare ``ValueError`` on some.
    """

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Nowhere."""
        return None


def standard_headers(settings: ConnectionSettings) -> dict[str, str]:
    """The headers of every call, without the credential.

    :param settings: the connection.
    """
    return {
        VERSION_HEADER: settings.api_version,
        "Accept": "application/json",
        "User-Agent": f"airflow-provider-runway/{__version__}",
    }


def request_options(settings: ConnectionSettings) -> dict[str, Any]:
    """What every request of ours asks of requests: streamed, bounded, going nowhere else.

    Proxies and certificates are given per request, since the environment's (``HTTPS_PROXY``,
    ``REQUESTS_CA_BUNDLE``) would win over those of a session.

    :param settings: the connection.
    """
    return {
        "stream": True,
        "allow_redirects": False,
        "timeout": (CONNECT_TIMEOUT, settings.timeout),
        "verify": settings.verify,
        "proxies": dict(settings.proxies),
    }


def check(settings: ConnectionSettings) -> None:
    """Find out what can be wrong with a connection before anything is sent. No network is used.

    :param settings: the connection.
    :raises CoreError: naming the file, or whose proxy it is.
    """
    proxy_of(settings)
    tls_context(settings)


def proxy_of(settings: ConnectionSettings, *, for_aiohttp: bool = False) -> str | None:
    """The proxy for the Base URL: the connection's, else the environment's, as requests chooses it.

    :param settings: the connection.
    :param for_aiohttp: whether it is aiohttp that is to use it: it speaks no SOCKS.
    :raises CoreError: it cannot be read, or not be used.
    """
    url = settings.base_url
    environment = get_environ_proxies(url, no_proxy=settings.proxies.get("no_proxy"))
    proxy = select_proxy(url, {**environment, **settings.proxies})
    if not proxy:
        return None
    source = "its extra" if proxy in settings.proxies.values() else "the environment"
    try:
        proxy = str(prepend_scheme_if_needed(proxy, "http"))  # type: ignore[no-untyped-call]
        parts = urlsplit(proxy)
        scheme = parts.scheme.lower()
        has_address = bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except ValueError:  # UnicodeError and urllib3's errors about URLs among them
        scheme, has_address = "", False
    # The value may hold a password, so it is not shown.
    if not has_address:
        raise _wrong(
            settings, f"gets an unreadable proxy from {source}: use http://[user:password@]host:port there"
        )
    if scheme not in {"http", "https"} and (scheme not in _SOCKS or for_aiohttp or not find_spec("socks")):
        raise _wrong(
            settings,
            f"gets a proxy from {source} whose scheme {redact(scheme, limit=20)!r} cannot be spoken here: use http://",
        )
    return proxy


def ca_bundle(settings: ConnectionSettings) -> tuple[str, str]:
    """The file or folder of certificates to be trusted, as requests chooses it, and who says so.

    :param settings: the connection; its ``verify`` is not ``False``.
    """
    if isinstance(settings.verify, str):
        return settings.verify, '"verify" in its extra'
    for variable in _BUNDLE_VARIABLES:
        if path := os.environ.get(variable):
            return path, variable
    return DEFAULT_CA_BUNDLE_PATH, "the package certifi"


def tls_context(settings: ConnectionSettings) -> ssl.SSLContext | bool:
    """What is trusted, in the form that aiohttp takes. A new one takes some 20 ms: not for the event loop.

    :param settings: the connection.
    :raises CoreError: the certificates are not there, or are none.
    """
    if settings.verify is False:
        return False
    if settings.base_url.lower().startswith("http:"):
        return True  # nobody asks, but for a proxy that speaks TLS
    path, source = ca_bundle(settings)
    try:
        found = os.stat(path)
        return _trusting(path, found.st_mtime_ns, found.st_size)
    except (OSError, ValueError) as error:  # ssl.SSLError is an OSError
        why = getattr(error, "strerror", None) or error
        raise _wrong(
            settings,
            f"is to be verified by the CA bundle {redact(path, limit=200)!r} ({source}), which cannot be used "
            f"({redact(why, limit=80)})",
        ) from None


@functools.lru_cache(maxsize=4)
def _trusting(path: str, changed: int, size: int) -> ssl.SSLContext:
    """Made once per state of the file."""
    if os.path.isdir(path):
        return ssl.create_default_context(capath=path)
    return ssl.create_default_context(cafile=path)


def _wrong(settings: ConnectionSettings, what: str) -> CoreError:
    return core_error(
        ErrorKind.CONFIGURATION,
        f"Connection {settings.conn_id!r} {what}. Nothing was sent and nothing was charged.",
    )


def reason_of(error: BaseException, settings: ConnectionSettings) -> str:
    """A library's words for what went wrong, for people: they decide nothing.

    :param error: what was raised.
    :param settings: the connection, whose key must not show.
    """
    text = redact(causes_of(error)[-1], limit=200, secret=settings.api_key)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def causes_of(error: BaseException) -> list[BaseException]:
    """The error and everything it wraps: urllib3 hides causes in ``args`` and ``reason``.

    :param error: what was raised.
    """
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue and len(found) < 20:
        item = queue.pop(0)
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            queue += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    return found
