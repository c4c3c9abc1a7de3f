"""How a :class:`~airflow_runway.core.protocol.exchanges.Call` travels: requests and aiohttp, one meaning.

Both sides send the same headers, never follow a redirect, never repeat a request, read a bounded body, and
translate their library's exceptions into the one question that money asks: can the gateway have read it?
A class cannot always tell (contracts §12, decision 13).
"""

from __future__ import annotations

import asyncio
import os
import ssl
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import requests
from requests.utils import DEFAULT_CA_BUNDLE_PATH, get_environ_proxies, select_proxy
from urllib3.exceptions import NameResolutionError, NewConnectionError

from airflow_runway import __version__
from airflow_runway.core.protocol.calls import NoAnswerError
from airflow_runway.core.protocol.gateways import VERSION_HEADER
from airflow_runway.core.protocol.responses import Response
from airflow_runway.core.protocol.verdicts import Delivery
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from airflow_runway.core.protocol.calls import Call
    from airflow_runway.core.protocol.connection import ConnectionSettings

#: Seconds for DNS, TCP and TLS together.
CONNECT_TIMEOUT = 15.0
#: Bytes of an answer that are read; Runway's are a few hundred.
LARGEST_ANSWER = 4 * 2**20
_PIECE = 64 * 2**10

_NEVER_SENT_REQUESTS = (
    requests.exceptions.ConnectTimeout,
    requests.exceptions.ProxyError,
    requests.exceptions.InvalidURL,
    requests.exceptions.MissingSchema,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    requests.exceptions.InvalidJSONError,
)
_NEVER_SENT_AIOHTTP = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientHttpProxyError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


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


def send(session: requests.Session, settings: ConnectionSettings, call: Call) -> Response:
    """Send a call with requests.

    :param session: carries headers and credential.
    :param settings: the connection.
    :param call: what to send.
    :raises NoAnswerError: if no status line came back.
    """
    try:
        response = session.request(
            call.method,
            settings.base_url + call.path,
            json=call.json,
            **request_options(settings),
        )
    except (requests.RequestException, OSError) as error:
        raise NoAnswerError(_delivery_requests(error), _reason(error, settings)) from None
    until = time.monotonic() + settings.timeout
    body = bytearray()
    truncated = False
    with response:
        # A short body is noticed below; urllib3 would throw away what did come, and the id may be in it.
        response.raw.enforce_content_length = False
        try:
            for piece in response.iter_content(_PIECE):
                body += piece
                if len(body) > LARGEST_ANSWER or time.monotonic() > until:
                    truncated = True
                    break
        except (requests.RequestException, OSError):
            truncated = True
    promised = response.headers.get("Content-Length", "")
    if promised.isdigit() and "Content-Encoding" not in response.headers:
        truncated = truncated or len(body) < int(promised)
    return Response(response.status_code, dict(response.headers), bytes(body), truncated)


async def asend(session: aiohttp.ClientSession, settings: ConnectionSettings, call: Call) -> Response:
    """Send a call with aiohttp; see :func:`send`.

    :param session: from :func:`open_session`.
    :param settings: the connection.
    :param call: what to send.
    :raises NoAnswerError: if no status line came back.
    """
    body = bytearray()
    truncated = False
    try:
        async with session.request(
            call.method,
            settings.base_url + call.path,
            json=call.json,
            allow_redirects=False,
        ) as response:
            try:
                if response.content.is_eof():
                    # It came with its headers, as small answers do: no need for a timer and a loop.
                    body += response.content.read_nowait(LARGEST_ANSWER + 1)
                    truncated = len(body) > LARGEST_ANSWER
                    return Response(response.status, dict(response.headers), bytes(body), truncated)
                async with asyncio.timeout(settings.timeout):
                    async for piece in response.content.iter_chunked(_PIECE):
                        body += piece
                        if len(body) > LARGEST_ANSWER:
                            truncated = True
                            break
            except (aiohttp.ClientError, TimeoutError, OSError):
                truncated = True
            return Response(response.status, dict(response.headers), bytes(body), truncated)
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        delivery = Delivery.NOT_SENT if isinstance(error, _NEVER_SENT_AIOHTTP) else Delivery.UNKNOWN
        raise NoAnswerError(delivery, _reason(error, settings)) from None


def open_session(settings: ConnectionSettings, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    """A session for many calls at once; the caller closes it. Must run inside the event loop.

    :param settings: the connection.
    :param tls: from :func:`tls_context`.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=100, ssl=tls),
        headers={**standard_headers(settings), "Authorization": f"Bearer {settings.api_key}"},
        timeout=aiohttp.ClientTimeout(
            total=None, connect=2 * CONNECT_TIMEOUT, sock_connect=CONNECT_TIMEOUT, sock_read=settings.timeout
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        # Once for all calls: looking through the environment takes half as long as a whole read.
        proxy=proxy_of(settings),
    )


def tls_context(settings: ConnectionSettings) -> ssl.SSLContext | bool:
    """What requests would trust, for aiohttp. Takes some 20 ms: not for the event loop.

    :param settings: the connection.
    """
    if settings.verify is False:
        return False
    bundle = settings.verify if isinstance(settings.verify, str) else ""
    bundle = bundle or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or ""
    bundle = bundle or DEFAULT_CA_BUNDLE_PATH
    if os.path.isdir(bundle):
        return ssl.create_default_context(capath=bundle)
    return ssl.create_default_context(cafile=bundle)


def proxy_of(settings: ConnectionSettings) -> str | None:
    """The proxy for the Base URL: the connection's, else the environment's, as requests would choose.

    :param settings: the connection.
    """
    url = settings.base_url
    return select_proxy(url, dict(settings.proxies) or get_environ_proxies(url))


def _delivery_requests(error: Exception) -> Delivery:
    if isinstance(error, _NEVER_SENT_REQUESTS):
        return Delivery.NOT_SENT
    causes = _causes(error)
    if any(isinstance(cause, (NewConnectionError, NameResolutionError)) for cause in causes):
        return Delivery.NOT_SENT
    # Only a certificate that does not verify is surely before the body. requests' SSLError also covers a
    # connection cut without notice *after* the request was read ("EOF occurred in violation of protocol").
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return Delivery.NOT_SENT
    return Delivery.UNKNOWN


def _causes(error: BaseException) -> list[BaseException]:
    """The error and everything it wraps: urllib3 hides causes in ``args`` and ``reason``."""
    found: list[BaseException] = []
    queue: list[object] = [error]
    while queue and len(found) < 20:
        item = queue.pop(0)
        if isinstance(item, BaseException) and item not in found:
            found.append(item)
            queue += [*item.args, getattr(item, "reason", None), item.__cause__, item.__context__]
    return found


def _reason(error: BaseException, settings: ConnectionSettings) -> str:
    deepest = _causes(error)[-1]
    text = redact(deepest, limit=200, secret=settings.api_key)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
