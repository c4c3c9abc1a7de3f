"""How a create travels, over requests and over aiohttp: once, alone on its connection, and within bounds.

Nothing here reads the meaning of a failure off the class of an exception: behind a proxy requests reports a
connection that was cut after the gateway took the request in the words of one that never stood (contracts §12). The
body says whether it was handed over, and that is all. Whatever is raised becomes a
:class:`~airflow_runway.core.protocol.calls.NoAnswerError`; only what ends the process or the task goes through.

A body is handed over once and cannot be read a second time. A connection of its own spares it the one trouble that
is common on shared ones: a peer that closed it while nobody looked. What came of an answer before it broke off, or
before its time was up, is given back: the id may be in it.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import aiohttp
import requests

from airflow_runway.core.facts import ErrorKind, core_error
from airflow_runway.core.protocol.calls import NoAnswerError
from airflow_runway.core.redaction import redact
from airflow_runway.hooks import _network
from airflow_runway.hooks._deadline import Deadline, WatchedAdapter
from airflow_runway.hooks._observed_body import HandOver, ReadableBody, WrittenBody
from airflow_runway.hooks._reading import Arriving

if TYPE_CHECKING:
    from airflow_runway.core.protocol.calls import Call
    from airflow_runway.core.protocol.connection import ConnectionSettings
    from airflow_runway.core.protocol.responses import Response

#: Seconds for everything before the body: names, addresses one after the other, proxy, TLS.
CONNECTING_LIMIT = 60.0
#: Bytes per second; a body that travels slower is given up.
SLOWEST_UPLOAD = 32 * 2**10


def check(settings: ConnectionSettings, call: Call) -> None:
    """Do all of a create that can fail without the network; nothing is sent.

    :param settings: the connection.
    :param call: the create.
    :raises CoreError: what is wrong with the connection, by its name.
    """
    _network.check(settings)
    _request(settings, call, _encoded(call))


def longest(settings: ConnectionSettings, call: Call) -> float:
    """The most seconds that a create can take.

    :param settings: the connection.
    :param call: the create.
    """
    return CONNECTING_LIMIT + settings.create_timeout + len(_encoded(call)) / SLOWEST_UPLOAD


def create(settings: ConnectionSettings, call: Call) -> Response:
    """Send a create with requests.

    :param settings: the connection.
    :param call: the create.
    :raises CoreError: the connection cannot be used; nothing was sent.
    :raises NoAnswerError: no status line came back; it says whether the body was handed over.
    """
    content = _encoded(call)
    _network.check(settings)
    proxy = _network.proxy_of(settings)
    allowed = settings.create_timeout + len(content) / SLOWEST_UPLOAD
    arriving = Arriving(settings.key_mask)
    deadline = Deadline(CONNECTING_LIMIT)
    hand_over = HandOver(lambda: deadline.restart(allowed))
    request = _request(settings, call, ReadableBody(content, hand_over))
    failure: Exception | None = None
    try:
        with deadline, closing(WatchedAdapter(pool_connections=1, pool_maxsize=1)) as adapter:
            answer = adapter.send(
                request,
                stream=True,
                # The deadline comes first, always: a socket's time-out would throw away what is half read.
                timeout=(_network.CONNECT_TIMEOUT, 2 * allowed),
                verify=settings.verify and _network.ca_bundle(settings)[0],
                proxies={"http": proxy, "https": proxy} if proxy else {},
            )
            with answer:
                arriving.read(answer)
    except Exception as error:
        failure = error
    return _outcome(settings, arriving, hand_over, failure, allowed if deadline.expired else None)


async def acreate(settings: ConnectionSettings, call: Call) -> Response:
    """Send a create with aiohttp; see :func:`create`.

    :param settings: the connection.
    :param call: the create.
    """
    content = _encoded(call)
    # In a thread: certificates take a while to load the first time.
    await asyncio.to_thread(check, settings, call)
    tls = _network.tls_context(settings)
    proxy = _network.proxy_of(settings, for_aiohttp=True)
    allowed = settings.create_timeout + len(content) / SLOWEST_UPLOAD
    arriving = Arriving(settings.key_mask)
    deadline = asyncio.timeout(CONNECTING_LIMIT)

    def restart() -> None:
        if not deadline.expired():
            deadline.reschedule(asyncio.get_running_loop().time() + allowed)

    hand_over = HandOver(restart)
    headers = {**_network.standard_headers(settings), "Authorization": f"Bearer {settings.api_key}"}
    failure: Exception | None = None
    connector = _OwnConnector(limit=1, force_close=True, ssl=tls)
    try:
        session = aiohttp.ClientSession(
            connector=connector,
            # See :func:`_request` for the encoding.
            headers={**headers, "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_network.CONNECT_TIMEOUT),
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy,
        )
        async with session:
            body = WrittenBody(content, hand_over)
            async with (
                deadline,
                session.request(
                    call.method, settings.base_url + call.path, data=body, allow_redirects=False
                ) as answer,
            ):
                await arriving.aread(answer)
    except Exception as error:
        failure = error
    finally:
        connector.abort()
    # Only now that the connection is gone can nobody hand the body over any more.
    return _outcome(settings, arriving, hand_over, failure, allowed if deadline.expired() else None)


class _OwnConnector(aiohttp.TCPConnector):
    """Remembers its one connection, to end it for certain: TLS would wait for the other side's goodbye."""

    _made: asyncio.Transport | None = None

    async def connect(self, *args: Any, **kwargs: Any) -> aiohttp.connector.Connection:
        """What a session calls for a connection.

        :param args: passed on.
        :param kwargs: passed on.
        """
        connection = await super().connect(*args, **kwargs)
        self._made = connection.transport
        return connection

    def abort(self) -> None:
        """End it, whatever is under way."""
        if self._made is not None:
            self._made.abort()


def _encoded(call: Call) -> bytes:
    return json.dumps(call.json, allow_nan=False).encode()


def _request(
    settings: ConnectionSettings, call: Call, body: ReadableBody | bytes
) -> requests.PreparedRequest:
    headers = {
        **_network.standard_headers(settings),
        "Content-Type": "application/json",
        # A part of an answer can be searched for the id; a part of a compressed one cannot.
        "Accept-Encoding": "identity",
    }
    try:
        return requests.Request(
            call.method,
            settings.base_url + call.path,
            headers=headers,
            data=body,  # sized and readable is all that requests needs
            auth=_network.BearerKey(settings.api_key),
        ).prepare()
    except ValueError as error:  # requests' errors about URLs and headers, and UnicodeError
        raise core_error(
            ErrorKind.CONFIGURATION,
            f"Connection {settings.conn_id!r} makes no request that can be sent: "
            f"{redact(error, limit=200, secret=settings.api_key)}. Nothing was sent and nothing was charged.",
        ) from None


def _outcome(
    settings: ConnectionSettings,
    arriving: Arriving,
    hand_over: HandOver,
    failure: Exception | None,
    allowed: float | None,
) -> Response:
    broken_off = failure is not None or allowed is not None
    response = arriving.response(truncated=broken_off)
    if response is not None:
        return response
    if allowed is not None:
        limit = allowed if hand_over.begun else CONNECTING_LIMIT
        what = "no answer" if hand_over.begun else "no connection"
        raise NoAnswerError(hand_over.delivery, f"{what} within {limit:g} s")
    reason = _network.reason_of(failure, settings) if failure is not None else "no answer"
    raise NoAnswerError(hand_over.delivery, reason)
