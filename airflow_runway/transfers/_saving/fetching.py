"""One GET for an output: without the API key, to permitted hosts only, over at most three redirects."""

from __future__ import annotations

from contextlib import contextmanager
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError

from airflow_runway.core.redaction import redact
from airflow_runway.core.saving.promises import Promise, Step, read_response
from airflow_runway.exceptions import RunwayTransferRefusedError
from airflow_runway.hooks._address_guard import (
    AddressGuard,
    ForbiddenAddressError,
    addresses,
    asked_for,
    origin,
)
from airflow_runway.hooks._deadline import Deadline
from airflow_runway.hooks._least_speed import LeastSpeed, configured
from airflow_runway.hooks._network import request_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_runway.core.protocol.connection import ConnectionSettings

#: How many redirects are followed.
MOST_REDIRECTS = 3
#: The most bytes that are taken at once.
PIECE = 2**20


class BrokenOffError(Exception):
    """A request or a body that ended before its time; another try may do better.

    :param reason: for people, without a query string.
    :param link_is_dead: whether it takes a fresh link.
    :param is_slow: whether it was ended by us; what came by then is no progress to speak of.
    """

    def __init__(self, reason: str, *, link_is_dead: bool = False, is_slow: bool = False) -> None:
        super().__init__(reason)
        self.link_is_dead = link_is_dead
        self.is_slow = is_slow


class OutputResponse:
    """A response whose body is an output, or the rest of one.

    :param step: what to do with it: ``APPEND``, ``WHOLE`` or ``RESTART``.
    :param promise: what it says of the whole file.
    :param response: its body unread.
    :param check: called for each piece; may raise to stop.
    :param speed: ends it where it comes too slowly.
    """

    def __init__(
        self,
        step: Step,
        promise: Promise,
        response: requests.Response,
        check: Callable[[], None],
        speed: LeastSpeed,
    ) -> None:
        self.step = step
        self.promise = promise
        self._response = response
        self._check = check
        self._speed = speed

    def pieces(self) -> Iterator[bytes]:
        """The body as it comes in, in pieces of at most :data:`PIECE` bytes.

        :raises BrokenOffError: if it stalls, breaks off, or comes too slowly.
        """
        try:
            while piece := self._next():
                self._check()
                yield piece
        except (requests.RequestException, HTTPError, OSError) as error:
            if not self._speed.is_too_slow:
                raise BrokenOffError(f"the download broke off ({type(error).__name__})") from None
        if self._speed.is_too_slow:
            raise BrokenOffError(f"the download was {self._speed}", is_slow=True)

    def _next(self) -> bytes:
        self._speed.begin()
        # What has arrived is handed over at once: a break in the middle of a piece loses none of it.
        piece: bytes = self._response.raw.read1(PIECE, decode_content=False)
        self._speed.moved(len(piece))
        return piece


class Fetcher:
    """A session for outputs. Not for several threads at once.

    :param settings: for proxies, certificates and time-outs; the key in it is not used.
    :param check: called before each request and each piece; may raise to stop.
    """

    def __init__(self, settings: ConnectionSettings, check: Callable[[], None]) -> None:
        self._settings = settings
        self._check = check
        self._least_speed = configured()
        self._guard = AddressGuard(origin(settings.base_url))
        self._session = requests.Session()
        # An auth object of our own keeps a .netrc entry from adding a credential.
        self._session.auth = lambda request: request
        self._session.headers["Accept-Encoding"] = "identity"
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount("http://", self._guard.adapter())
        self._session.mount("https://", self._guard.adapter())

    def close(self) -> None:
        """Let go of all connections."""
        self._session.close()

    @contextmanager
    def open(self, url: str, headers: Mapping[str, str], offset: int) -> Iterator[OutputResponse]:
        """Ask for a file, or the rest of one.

        :param url: a signed output URL.
        :param headers: of :func:`airflow_runway.core.saving.promises.request_headers`.
        :param offset: the first byte that is asked for.
        :raises BrokenOffError: no file came; the next try may bring it.
        :raises RunwayTransferRefusedError: the address is none that we may go to.
        """
        with Deadline(self._settings.timeout) as deadline:
            yield from self._followed(url, headers, offset, deadline)

    def _followed(
        self, url: str, headers: Mapping[str, str], offset: int, deadline: Deadline
    ) -> Iterator[OutputResponse]:
        first, private = url, self._guard.home_is_private
        for hop in range(MOST_REDIRECTS + 1):
            deadline.restart(self._settings.timeout)
            response = self._get(url, headers, private=private)
            with response:
                if deadline.expired:
                    # Its head was cut off, which the library takes for its end.
                    raise BrokenOffError("the host could not be asked (no whole answer in time)")
                lower = {name.lower(): value for name, value in response.headers.items()}
                step, promise = read_response(response.status_code, lower, offset)
                if step is not Step.REDIRECT:
                    yield self._usable(step, promise, response, LeastSpeed(deadline, self._least_speed))
                    return
                if hop == MOST_REDIRECTS:
                    raise RunwayTransferRefusedError(
                        f"{redact(first)} redirects more than {MOST_REDIRECTS} times.",
                        summary="An output's link redirects too often",
                    )
                target = urljoin(url, lower["location"])
                private = private and _same_origin(url, target)
                _check_redirect(url, target)
                url = target

    def _usable(
        self, step: Step, promise: Promise, response: requests.Response, speed: LeastSpeed
    ) -> OutputResponse:
        if step in (Step.AGAIN, Step.FRESH_LINK):
            reason = f"the host answered HTTP {response.status_code}"
            raise BrokenOffError(reason, link_is_dead=step is Step.FRESH_LINK)
        return OutputResponse(step, promise, response, self._check, speed)

    def _get(self, url: str, headers: Mapping[str, str], *, private: bool) -> requests.Response:
        self._check()
        self._guard.private = private
        try:
            url = asked_for(url)
            _, host, port = origin(url)
        except ValueError as error:
            raise RunwayTransferRefusedError(
                f"{redact(url)} is not fetched: {error}.", summary="An output's address is not fetched"
            ) from None
        try:
            self._guard.check(host, addresses(host, port))
            return self._session.get(url, headers=dict(headers), **request_options(self._settings))
        except ForbiddenAddressError as error:
            raise RunwayTransferRefusedError(
                f"{redact(url)} is not fetched: {error}.", summary="An output's address is not fetched"
            ) from None
        except (requests.RequestException, OSError) as error:
            raise BrokenOffError(f"the host could not be asked ({type(error).__name__})") from None


def _same_origin(one: str, other: str) -> bool:
    try:
        return origin(one) == origin(other)
    except ValueError:
        return False


def _check_redirect(url: str, target: str) -> None:
    try:
        before, after = origin(url)[0], origin(target)[0]
    except ValueError:
        before, after = "", "other"
    if after != before and (before, after) != ("http", "https"):
        raise RunwayTransferRefusedError(
            f"{redact(url)} redirects to {redact(target, limit=200)}, over another scheme, which is not followed.",
            summary="An output's link redirects to another scheme",
        )
