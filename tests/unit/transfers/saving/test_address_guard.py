from __future__ import annotations

import ipaddress
import socket

import pytest
import requests

from airflow_runway.transfers._saving import address_guard
from airflow_runway.transfers._saving.address_guard import (
    AddressGuard,
    ForbiddenAddressError,
    is_permitted,
    origin,
)

NEVER = ["169.254.169.254", "169.254.0.1", "fe80::1", "fd00:ec2::254", "100.100.100.200", "0.0.0.0", "::",
         "224.0.0.1", "ff02::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1"]  # fmt: skip
PRIVATE = ["127.0.0.1", "::1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "fd00::1", "::ffff:10.0.0.1", "100.64.0.1",
           "64:ff9b::7f00:1", "2002:7f00:1::"]  # fmt: skip
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
