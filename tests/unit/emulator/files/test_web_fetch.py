from __future__ import annotations

import io
import socket

import pytest

from airflow_runway.emulator.files import web_fetch
from airflow_runway.emulator.files.input_checks import MediaError


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("http://example.com/a", "Only HTTPS"),
        ("file:///etc/hosts", "Only HTTPS"),
        ("https://[::1]/a", "hosted on a domain"),
        ("https://", "hosted on a domain"),
        *(
            (f"https://{host}/a", "hosted on a domain")
            for host in (
                "127.1",
                "127.0.0.1",
                "127.0.0.1.",
                "2130706433",
                "0x7f000001",
                "0x7f.1",
                "0177.0.0.1",
                "1.2.3",
                "\uff11\uff12\uff17.1",
                "127\u30021",
                "localhost",
                "localhost.",
                "a",
                "a.0x7f",
                "%31%32%37.1",
                "..",
                "a..b",
            )
        ),
        ("https://somebody:secret@example.com/a", "must not name a user"),
        ("https://@example.com/a", "must not name a user"),
        ("https://example.com:x@y/a", "Invalid URL|must not name a user"),
        ("https://example.com\\@127.0.0.1/a", "Invalid URL"),
        ("https://example.com/\r\nHost: x", "Invalid URL"),
        ("https://example.com:port/a", "Invalid URL"),
        ("https://[", "Invalid URL"),
        ("https://example.com/" + "a" * 2048, "2048"),
    ],
)
def test_addresses_that_are_not_fetched(url: str, text: str) -> None:
    with pytest.raises(MediaError, match=text) as caught:
        web_fetch.fetch(url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "0.0.0.0"]
)
def test_names_of_what_only_the_inside_can_reach(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443))]
    monkeypatch.setattr(web_fetch.socket, "getaddrinfo", lambda *args, **more: found)
    monkeypatch.setattr(web_fetch.urllib.request, "build_opener", lambda *args: pytest.fail("it was asked"))
    with pytest.raises(MediaError, match="public domain"):
        web_fetch.fetch("https://localtest.example/a")


def test_a_name_that_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*args: object, **more: object) -> None:
        raise socket.gaierror

    monkeypatch.setattr(web_fetch.socket, "getaddrinfo", unknown)
    with pytest.raises(MediaError, match="not known"):
        web_fetch.fetch("https://nowhere.example/a")


def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MediaError, match="octet-stream"):
        web_fetch._read(io.BytesIO(b"x"), "application/octet-stream")
    monkeypatch.setattr(web_fetch, "LARGEST_PICTURE", 5)
    assert web_fetch._read(io.BytesIO(b"12345"), "image/png") == b"12345"
    with pytest.raises(MediaError, match="larger"):
        web_fetch._read(io.BytesIO(b"123456"), "image/png")
