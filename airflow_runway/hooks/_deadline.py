"""An end to an exchange over requests, whatever the other side does.

Time-outs of a socket begin anew with each byte: a server that sends one per second, or ``100 Continue`` for ever,
would hold a worker for ever. So a thread shuts the socket down; what had come by then can still be read.
"""

from __future__ import annotations

import http.client
import logging
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from requests import PreparedRequest

#: A create may be silent for minutes; what stands between forgets silent connections. Seconds, seconds, tries.
_KEEP_ALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 30), ("TCP_KEEPCNT", 20))


class Deadline:
    """Shuts the connections down that it was given, once its time is up.

    :param seconds: from now on.
    """

    def __init__(self, seconds: float) -> None:
        self._changed = threading.Condition()
        self._sockets: list[socket.socket] = []
        self._over = False
        self.expired = False
        self._at = time.monotonic() + seconds
        self._thread = threading.Thread(target=self._wait, name="runway-deadline", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        # Connections are made and used in the thread that sends.
        _watching.deadline = self
        return self

    def __exit__(self, *_: object) -> None:
        _watching.deadline = None
        with self._changed:
            self._over = True
            self._changed.notify()
        self._thread.join()
        for watched in self._sockets:
            watched.close()

    def restart(self, seconds: float) -> None:
        """Give it so many seconds from now on.

        :param seconds: how many.
        """
        with self._changed:
            self._at = time.monotonic() + seconds
            self._changed.notify()

    def set(self, seconds: float) -> None:
        """:meth:`restart`, to within a second, for those who say so with every piece of a file.

        :param seconds: how many; may be infinite.
        """
        self._at = time.monotonic() + seconds

    def watch(self, connected: socket.socket) -> None:
        """End this connection too.

        :param connected: to the gateway or to a proxy; TLS may take it over.
        """
        # A second handle on the same connection: TLS takes the first one away from the object.
        watched = socket.fromfd(connected.fileno(), connected.family, connected.type)
        with self._changed:
            self._sockets.append(watched)
            if self.expired:
                _shut_down(watched)

    def _wait(self) -> None:
        with self._changed:
            while not self._over:
                left = self._at - time.monotonic()
                if left <= 0:
                    self.expired = True
                    for watched in self._sockets:
                        _shut_down(watched)
                    return
                self._changed.wait(min(left, 1.0))


def _shut_down(connected: socket.socket) -> None:
    with suppress(OSError):  # the other side was quicker
        connected.shutdown(socket.SHUT_RDWR)


class _FinalResponse(http.client.HTTPResponse):
    """Waits for the answer behind ``102`` and ``103``; the standard library does so for ``100`` only."""

    def _read_status(self) -> tuple[str, int, str]:
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]
            if not 101 < status < 200:
                return version, status, reason
            http.client.parse_headers(self.fp)


class _Watching(threading.local):
    """The deadline of the exchange that a thread has under way."""

    deadline: Deadline | None = None


_watching = _Watching()


class WatchedAdapter(HTTPAdapter):
    """Makes connections that a deadline can end, directly and through every kind of proxy. Repeats nothing.

    :param kwargs: of requests.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_retries=0, **kwargs)

    def get_connection_with_tls_context(self, request: PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        """What requests calls for the pool that a request goes through.

        :param request: the request.
        :param args: passed on.
        :param kwargs: passed on.
        """
        pool: Any = super().get_connection_with_tls_context(request, *args, **kwargs)
        if not hasattr(pool.ConnectionCls, "is_watched"):
            pool.ConnectionCls = _watched(pool.ConnectionCls)
        return pool


def _watched(made: Any) -> type:
    """A kind of connection of which the deadline of the moment is told, when it is made and when it is used again."""

    def connect(connection: Any) -> socket.socket:
        connected: socket.socket = made._new_conn(connection)
        _keep_alive(connected)
        if _watching.deadline is not None:
            _watching.deadline.watch(connected)
        return connected

    def request(connection: Any, *args: Any, **kwargs: Any) -> None:
        if _watching.deadline is not None and connection.sock is not None:
            _watching.deadline.watch(connection.sock)
        made.request(connection, *args, **kwargs)

    members = {"_new_conn": connect, "request": request, "response_class": _FinalResponse, "is_watched": True}
    return type("WatchedConnection", (made,), members)


def _keep_alive(connected: socket.socket) -> None:
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE:
        if hasattr(socket, name):  # not on every system
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


class _WithoutQueries(logging.Filter):
    """Keeps signatures out of what urllib3 says, at DEBUG level, of the exchanges that are watched here."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _watching.deadline is not None and isinstance(record.args, tuple):
            record.args = tuple(
                f"{one.partition('?')[0]}?…" if isinstance(one, str) and "?" in one else one
                for one in record.args
            )
        return True


logging.getLogger("urllib3.connectionpool").addFilter(_WithoutQueries())
