"""Where a URL from outside may lead, be it of an output or of an upload: not to what only the inside can reach.

It is judged as it will really be asked for, after the library has read it: what one parser takes for a host, another
one may take for a user.

Names are resolved and checked before a connection is made, and the connected socket's peer is checked again
before a byte is sent, so a name that resolves differently the second time gains nothing. Behind a proxy the
peer is the proxy: there only literal addresses and what the worker itself resolves are checked.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import requests
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from airflow_runway.hooks._deadline import WatchedAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable

    from requests.adapters import HTTPAdapter

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORTS = {"http": 80, "https": 443}
#: Metadata services and neighbours: nobody serves clips there, whatever the connection's Base URL is.
_FORBIDDEN: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "169.254.0.0/16", "fe80::/10", "fd00:ec2::254/128", "100.100.100.200/32",
        # Azure's and Oracle's, which the registries call public; site-local and local NAT64 addresses.
        "168.63.129.16/32", "192.0.0.192/32", "fec0::/10", "64:ff9b:1::/48",
    )
)  # fmt: skip
#: Prefixes whose last four bytes are an IPv4 address that is really meant: NAT64, and "IPv4-compatible".
_HOLD_IPV4: Final = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("::/96"))
#: Nothing of a URL that is asked for, and each read otherwise by some library.
_CONFUSING: Final = re.compile(r"[\x00-\x20\x7f-\x9f\\\u2028\u2029\ud800-\udfff]")
#: Characters of a URL at most.
_LONGEST: Final = 8_192


class ForbiddenAddressError(Exception):
    """An address that an output must not come from; the message names host and address only.

    No ``OSError``: urllib3 would take it for a passing trouble of the network.
    """


def is_permitted(address: Address, *, private: bool) -> bool:
    """Whether an output may come from an address.

    :param address: of the host.
    :param private: whether private and loopback addresses are allowed.
    """
    address = _effective(address)
    if address.is_multicast or address.is_unspecified or any(_within(address, net) for net in _FORBIDDEN):
        return False
    return private or address.is_global


def is_private(address: Address) -> bool:
    """Whether an address is one that the internet does not reach, e.g. loopback.

    :param address: of a host.
    """
    return not _effective(address).is_global


def _effective(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for, where it does."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    # ``::`` and ``::1`` are themselves.
    if int(address) > 1 and any(address in net for net in _HOLD_IPV4):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address


def _within(address: Address, net: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return address.version == net.version and address in net


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port.

    :param url: an absolute http(s) URL.
    :raises ValueError: if it is none.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.hostname:
        raise ValueError("not an http(s) URL")
    return scheme, parts.hostname.lower().rstrip("."), parts.port or _PORTS[scheme]


def asked_for(url: str) -> str:
    """A URL as it will be asked for.

    :param url: e.g. of an output, or of a redirect.
    :raises ValueError: it is no http(s) URL, or one that libraries read differently.
    """
    if len(url) > _LONGEST or _CONFUSING.search(url.strip()):
        raise ValueError("it holds what does not belong into an address")
    try:
        prepared = requests.Request("GET", url.strip()).prepare().url or ""
        named = urlsplit(url.strip())
        same = origin(prepared) == origin(url.strip())
    except (requests.RequestException, UnicodeError) as error:
        raise ValueError(f"it is no address ({type(error).__name__})") from None
    if named.username is not None or named.password is not None or "@" in named.netloc:
        raise ValueError("it names a user")
    if not same and not named.netloc.isascii():
        return prepared  # a name in another script, which the library has spelled out
    if not same:
        raise ValueError("its host can be read in two ways")
    return prepared


def addresses(host: str, port: int) -> list[Address]:
    """What a host name stands for, as this machine sees it; empty if it does not.

    :param host: a name or a literal address.
    :param port: for the resolver.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return []
    return [_address(str(entry[4][0])) for entry in found]


def _address(text: str) -> Address:
    return ipaddress.ip_address(text.partition("%")[0])


class AddressGuard:
    """Decides for one session whom it may connect to; :attr:`private` is set before each request.

    :param home: origin of the connection's Base URL. If that is private itself (the emulator, a relay on the
        premises), so may be the outputs.
    """

    def __init__(self, home: tuple[str, str, int]) -> None:
        self._home = home
        self._home_is_private: bool | None = None
        #: Whether the connection to be made may go to a private address.
        self.private = False

    @property
    def home_is_private(self) -> bool:
        """Whether the Base URL's host is; looked up once."""
        if self._home_is_private is None:
            _, host, port = self._home
            self._home_is_private = any(is_private(address) for address in addresses(host, port))
        return self._home_is_private

    def check(self, host: str, found: Iterable[Address]) -> None:
        """Refuse a host that stands for an address that is not permitted.

        :param host: for the message.
        :param found: what it stands for.
        :raises ForbiddenAddressError: if any is not permitted.
        """
        for address in found:
            if not is_permitted(address, private=self.private):
                raise ForbiddenAddressError(f"{host} is {address}, which is not a public address")

    def adapter(self) -> HTTPAdapter:
        """What a session mounts, so that every connection of its own is checked."""
        return _GuardedAdapter(self)


class _GuardedAdapter(WatchedAdapter):
    """Hands urllib3 pools whose connections ask the guard."""

    def __init__(self, guard: AddressGuard) -> None:
        self._guard = guard
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        guard = self._guard

        def checked(connection: HTTPConnection, connected: socket.socket) -> socket.socket:
            try:
                guard.check(connection.host, [_address(str(connected.getpeername()[0]))])
            except BaseException:
                connected.close()
                raise
            return connected

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return checked(self, super()._new_conn())

        class Secure(HTTPSConnection):
            # Before TLS: not even the name is told to the wrong peer.
            def _new_conn(self) -> socket.socket:
                return checked(self, super()._new_conn())

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}
