from __future__ import annotations

import io

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
        ("https://[", "Invalid URL"),
        ("https://example.com/" + "a" * 2048, "2048"),
    ],
)
def test_addresses_that_are_not_fetched(url: str, text: str) -> None:
    with pytest.raises(MediaError, match=text):
        web_fetch.fetch(url)


def test_answers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MediaError, match="octet-stream"):
        web_fetch._read(io.BytesIO(b"x"), "application/octet-stream")
    monkeypatch.setattr(web_fetch, "LARGEST_PICTURE", 5)
    assert web_fetch._read(io.BytesIO(b"12345"), "image/png") == b"12345"
    with pytest.raises(MediaError, match="larger"):
        web_fetch._read(io.BytesIO(b"123456"), "image/png")
