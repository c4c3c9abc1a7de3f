"""A saved file as a browser gets it: whole, in ranges, again; and never as anything but media."""

from __future__ import annotations

import io
import tracemalloc

import pytest
from heads import MP4 as MP4_HEAD
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from airflow_runway.plugins import _serving
from airflow_runway.plugins._serving import served

CLIP = MP4_HEAD + bytes(range(256)) * 40


class Watched(io.BytesIO):
    """A file that says how it was read, and whether it was closed."""

    largest = 0

    def read(self, size=-1):
        self.largest = max(self.largest, size)
        return super().read(size)


@pytest.fixture
def client():
    files = []

    def answer(request):
        content = b"<html><script>" if "page" in request.url.path else CLIP
        files.append(Watched(content))
        return served(
            request,
            files[-1],
            len(content),
            tag="abc",
            name="ä clip.mp4",
            download="download" in str(request.url),
        )

    client = TestClient(Starlette(routes=[Route("/{path:path}", answer)]))
    client.files = files
    return client


def test_whole(client):
    answer = client.get("/clip")
    assert (answer.status_code, answer.content) == (200, CLIP)
    assert answer.headers["content-type"] == "video/mp4"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"].startswith("private")
    assert answer.headers["content-disposition"] == "inline; filename*=UTF-8''%C3%A4%20clip.mp4"
    assert client.get("/clip?download").headers["content-disposition"].startswith("attachment")
    assert all(file.closed for file in client.files)


@pytest.mark.parametrize(
    ("wanted", "begin", "end"),
    [
        ("bytes=0-", 0, len(CLIP)),
        ("bytes=0-0", 0, 1),
        ("bytes=100-199", 100, 200),
        ("bytes=-5", len(CLIP) - 5, len(CLIP)),
        (f"bytes=-{len(CLIP) * 2}", 0, len(CLIP)),
        (f"bytes=10-{10**17}", 10, len(CLIP)),
    ],
)
def test_a_range(client, wanted, begin, end):
    answer = client.get("/clip", headers={"Range": wanted})
    assert (answer.status_code, answer.content) == (206, CLIP[begin:end])
    assert answer.headers["content-range"] == f"bytes {begin}-{end - 1}/{len(CLIP)}"
    assert int(answer.headers["content-length"]) == end - begin


@pytest.mark.parametrize("wanted", [f"bytes={len(CLIP)}-", "bytes=-0", "bytes=9-8"])
def test_nothing_of_a_range(client, wanted):
    answer = client.get("/clip", headers={"Range": wanted})
    assert (answer.status_code, answer.headers["content-range"]) == (416, f"bytes */{len(CLIP)}")
    assert all(file.closed for file in client.files)


@pytest.mark.parametrize("wanted", ["bytes=0-1,4-5", "lines=0-1", "bytes=a-b", "bytes=-", "bytes=\u0661-"])
def test_what_is_no_single_range_gives_all(client, wanted):
    status = 416 if wanted == "bytes=-" else 200
    assert client.get("/clip", headers={"Range": wanted.encode()}).status_code == status


def test_a_browser_that_has_it(client):
    etag = client.get("/clip").headers["etag"]
    answer = client.get("/clip", headers={"If-None-Match": f'"x", {etag}'})
    assert (answer.status_code, answer.content) == (304, b"")
    fresh = client.get("/clip", headers={"Range": "bytes=0-1", "If-Range": etag})
    stale = client.get("/clip", headers={"Range": "bytes=0-1", "If-Range": '"older"'})
    assert (fresh.status_code, stale.status_code) == (206, 200)


def test_what_is_no_media_is_not_served(client):
    answer = client.get("/page")
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (404, "text/plain")
    assert b"script" not in answer.content
    assert all(file.closed for file in client.files)


def test_memory_is_constant(client):
    client.get("/clip")
    assert client.files[0].largest <= _serving.PIECE

    class Endless(io.RawIOBase):
        def __init__(self):
            self.at = 0

        def seek(self, at, whence=0):
            self.at = at
            return at

        def read(self, size=-1):
            piece = (MP4_HEAD if self.at == 0 else b"")[:size].ljust(size, b"x")
            self.at += size
            return piece

    pieces = _serving._pieces(Endless(), 0, 2**28)
    tracemalloc.start()
    assert sum(map(len, pieces)) == 2**28
    assert tracemalloc.get_traced_memory()[1] < 8 * _serving.PIECE
    tracemalloc.stop()
