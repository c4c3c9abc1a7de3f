"""How a :class:`~airflow_runway.core.protocol.calls.Call` travels: requests and aiohttp, one meaning.

Both sides send the same headers, never follow a redirect, never repeat a request, read a bounded body, and let no
exception of their library out. Reads share connections; a create travels alone (:mod:`._create`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp

from airflow_runway.core.protocol.calls import NoAnswerError
from airflow_runway.core.protocol.verdicts import Delivery
from airflow_runway.hooks import _network
from airflow_runway.hooks._create import acreate, create
from airflow_runway.hooks._deadline import Deadline
from airflow_runway.hooks._loop_deadlines import loop_deadlines
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
    deadline = Deadline(settings.timeout)
    try:
        with (
            deadline,
            session.request(
                call.method,
                settings.base_url + call.path,
                json=call.json,
                **_network.request_options(settings),
            ) as answer,
        ):
            arriving.read(answer)
    except Exception as error:
        failure = error
    return _outcome(settings, arriving, failure, is_late=deadline.expired)


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
    deadlines = loop_deadlines()
    read = deadlines.begin(settings.timeout)
    try:
        async with session.request(
            call.method,
            settings.base_url + call.path,
            json=call.json,
            allow_redirects=False,
        ) as answer:
            await arriving.aread(answer)
    except asyncio.CancelledError:
        if not read.was_ended():
            raise
    except Exception as error:
        failure = error
    finally:
        deadlines.end(read)
    return _outcome(settings, arriving, failure, is_late=read.is_late)


def _outcome(
    settings: ConnectionSettings, arriving: Arriving, failure: Exception | None, *, is_late: bool
) -> Response:
    response = arriving.response(truncated=failure is not None or is_late)
    # A head that was cut off is taken for a whole one.
    if response is not None and (response.body or not is_late):
        return response
    if is_late:
        reason = f"it was not there within {settings.timeout:g} s"
    else:
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
            # The whole of a read has its end already, and each of these costs a timer per read.
            total=None,
            connect=None,
            sock_connect=_network.CONNECT_TIMEOUT,
            sock_read=None,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        proxy=proxy,
    )
