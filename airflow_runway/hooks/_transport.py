"""How a :class:`~airflow_runway.core.protocol.calls.Call` travels: requests and aiohttp, one meaning.

Both sides send the same headers, never follow a redirect, never repeat a request, read a bounded body, and let no
exception of their library out. Reads share connections; a create travels alone (:mod:`._create`).
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import aiohttp

from airflow_runway.core.protocol.calls import NoAnswerError
from airflow_runway.core.protocol.verdicts import Delivery
from airflow_runway.hooks import _network
from airflow_runway.hooks._create import acreate, create
from airflow_runway.hooks._reading import Arriving

if TYPE_CHECKING:
    import ssl

    import requests

    from airflow_runway.core.protocol.calls import Call
    from airflow_runway.core.protocol.connection import ConnectionSettings
    from airflow_runway.core.protocol.responses import Response


def send(session: requests.Session, settings: ConnectionSettings, call: Call) -> Response:
    """Send a call with requests.

    :param session: carries headers and credential of reads; a create has one of its own.
    :param settings: the connection.
    :param call: what to send.
    :raises NoAnswerError: if no status line came back.
    """
    if call.creates:
        return create(settings, call)
    arriving = Arriving(settings.key_mask)
    failure: Exception | None = None
    try:
        with session.request(
            call.method,
            settings.base_url + call.path,
            json=call.json,
            **_network.request_options(settings),
        ) as answer:
            until = time.monotonic() + settings.timeout
            arriving.read(answer, lambda: time.monotonic() <= until)
    except Exception as error:
        failure = error
    return _outcome(settings, arriving, failure)


async def asend(session: aiohttp.ClientSession, settings: ConnectionSettings, call: Call) -> Response:
    """Send a call with aiohttp; see :func:`send`.

    :param session: from :func:`open_session`.
    :param settings: the connection.
    :param call: what to send.
    :raises NoAnswerError: if no status line came back.
    """
    if call.creates:
        return await acreate(settings, call)
    arriving = Arriving(settings.key_mask)
    failure: Exception | None = None
    try:
        async with session.request(
            call.method,
            settings.base_url + call.path,
            json=call.json,
            allow_redirects=False,
        ) as answer:
            if answer.content.is_eof():
                await arriving.aread(answer)
            else:
                async with asyncio.timeout(settings.timeout):
                    await arriving.aread(answer)
    except Exception as error:
        failure = error
    return _outcome(settings, arriving, failure)


def _outcome(settings: ConnectionSettings, arriving: Arriving, failure: Exception | None) -> Response:
    response = arriving.response(truncated=failure is not None)
    if response is not None:
        return response
    reason = _network.reason_of(failure, settings) if failure is not None else "no answer"
    raise NoAnswerError(Delivery.UNKNOWN, reason)


def open_session(settings: ConnectionSettings, tls: ssl.SSLContext | bool) -> aiohttp.ClientSession:
    """A session for many reads at once; the caller closes it. Must run inside the event loop.

    :param settings: the connection.
    :param tls: from :func:`~airflow_runway.hooks._network.tls_context`.
    :raises CoreError: the connection's proxy cannot be used.
    """
    # Once for all calls: looking through the environment takes half as long as a whole read.
    proxy = _network.proxy_of(settings, for_aiohttp=True)
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=100, ssl=tls),
        headers={**_network.standard_headers(settings), "Authorization": f"Bearer {settings.api_key}"},
        timeout=aiohttp.ClientTimeout(
            total=None,
            connect=2 * _network.CONNECT_TIMEOUT,
            sock_connect=_network.CONNECT_TIMEOUT,
            sock_read=settings.timeout,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=proxy,
    )
