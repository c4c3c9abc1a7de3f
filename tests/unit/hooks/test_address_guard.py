from __future__ import annotations

import ipaddress
import socket

import pytest
import requests

from airflow_runway.hooks import _address_guard as address_guard
from airflow_runway.hooks._address_guard import (
    AddressGuard,
    ForbiddenAddressError,
    asked_for,
    is_permitted,
    origin,
)

NEVER = ["169.254.169.254", "169.254.0.1", "fe80::1", "fd00:ec2::254", "100.100.100.200", "0.0.0.0", "::",
         "224.0.0.1", "ff02::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "168.63.129.16",
         "192.0.0.192", "fec0::1", "feff::1", "64:ff9b:1::1", "64:ff9b:1:ffff::808:808", "::169.254.169.254",
         "::ffff:168.63.129.16", "64:ff9b::a83f:8110", "2002:a83f:8110::1"]  # fmt: skip
PRIVATE = ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "fd00::1", "::ffff:10.0.0.1", "100.64.0.1",
           "64:ff9b::7f00:1", "2002:7f00:1::", "::10.0.0.1"]  # fmt: skip
PUBLIC = ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


@pytest.mark.parametrize(
    ("texts", "outside", "inside"),
    [(NEVER, False, False), (PRIVATE, False, True), (PUBLIC, True, True)],
    ids=["never", "private", "public"],
)
def test_addresses(texts, outside, inside):
    for text in texts:
        address = ipaddress.ip_address(text)
        assert is_permitted(address, private=False) is outside, text
        assert is_permitted(address, private=True) is inside, text


def test_origins():
    assert origin("HTTPS://Host./x") == ("https", "host", 443)
    assert origin("http://h:8080/") == ("http", "h", 8080)
    for url in ("file:///x", "http://", "ftp://h/", "http://h:x/"):
        with pytest.raises(ValueError, match=r"."):
            origin(url)


HOSTILE = [
    "http://169.254.169.254\\@example.com/", "http://example.com\\@169.254.169.254/", "http://user@example.com/",
    "http://user:word@example.com/", "http://:@example.com/", "http://exa mple.com/", "http://example.com\t/",
    "http://exam\nple.com/", "http://\x00example.com/", "http://example.com\x7f/", "http:///x", "http://", "http://.",
    "http://..", "http://[::1", "http://[::1]x/", "http://[fe80::1%25eth0]\\/", "file:///etc/passwd", "gopher://h/",
    "//example.com/", "http://example.com:99999/", "http://example.com:x/", "http://" + "a" * 300 + ".example/",
    "http://example.com/" + "x" * 9000, "http://\ud800.example/", "https://xn--\u00e4.example/", "", "http://*.example/",
]  # fmt: skip


@pytest.mark.parametrize("url", HOSTILE, ids=ascii)
def test_what_can_be_read_in_two_ways_is_not_asked_for(url):
    """Either no address of ours, or the host that every library sees, of which the guard is asked."""
    try:
        asked = asked_for(url)
    except ValueError:
        return
    assert origin(asked)[1] in url
    assert "@" not in asked.partition("//")[2].partition("/")[0]
    assert "\\" not in asked


def test_what_is_refused_for_certain():
    for url in HOSTILE[:10]:
        with pytest.raises(ValueError, match=r"."):
            asked_for(url)


@pytest.mark.parametrize(
    "host", ["127.1", "0177.0.0.1", "2130706433", "0x7f.1", "0x7f000001", "127.0.0.1.", "①②⑦.0.0.1"]
)
def test_another_spelling_of_an_address_is_that_address(host):
    """Whatever the resolver makes of it is what is judged."""
    try:
        asked = asked_for(f"http://{host}/x")
    except ValueError:
        return
    found = address_guard.addresses(*origin(asked)[1:])
    guard = AddressGuard(("https", "api.dev.runwayml.com", 443))
    if found:
        with pytest.raises(ForbiddenAddressError):
            guard.check(host, found)


def test_a_name_in_another_script_is_spelled_out():
    assert origin(asked_for("https://bücher.example/a.mp4"))[1] == "xn--bcher-kva.example"


def test_an_ordinary_link_stays_as_it_is():
    link = "https://dnznrvs05pmza.cloudfront.net/a/b%20c.mp4?_jwt=abc.def&x=1#t"
    assert asked_for(link) == link


def test_a_name_that_resolves_differently_the_second_time_gains_nothing(connected, monkeypatch):
    """The socket's peer counts, not what the name stood for when it was looked up."""
    port = int(connected.url.rpartition(":")[2])
    real = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *rest, **more: real("127.0.0.1", *rest, **more))
    watch = AddressGuard(("https", "api.dev.runwayml.com", 443))
    watch.private = False
    with requests.Session() as session:
        session.mount("http://", watch.adapter())
        with pytest.raises(ForbiddenAddressError, match=r"rebound.example is 127.0.0.1"):
            session.get(f"http://rebound.example:{port}/latest", timeout=5)
        assert not connected.arrived
        watch.private = True
        connected.answers(guard_answer())
        assert session.get(f"http://rebound.example:{port}/latest", timeout=5).status_code == 200


def guard_answer():
    from unit.scripted import Scripted

    return Scripted(200, {})


def test_names_that_do_not_resolve_are_left_to_the_proxy():
    assert address_guard.addresses("name.invalid", 443) == []
