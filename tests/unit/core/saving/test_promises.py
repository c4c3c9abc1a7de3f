from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.saving.promises import Promise, Step, read_response, request_headers

SHA = hashlib.sha256(b"clip").digest()
SHA_64 = base64.b64encode(SHA).decode()


def test_what_is_asked_for():
    assert request_headers(0, '"e"') == {}
    assert request_headers(7, None) == {"Range": "bytes=7-"}
    assert request_headers(7, '"e"') == {"Range": "bytes=7-", "If-Range": '"e"'}


@pytest.mark.parametrize(
    ("status", "headers", "offset", "step"),
    [
        (200, {}, 0, Step.WHOLE),
        (200, {}, 9, Step.WHOLE),
        (206, {"content-range": "bytes 9-19/20"}, 9, Step.APPEND),
        (206, {"content-range": "bytes 9-15/20"}, 9, Step.APPEND),
        (206, {"content-range": "bytes 9-19/*"}, 9, Step.APPEND),
        (206, {"content-range": "bytes 8-19/20"}, 9, Step.RESTART),
        (206, {"content-range": "bytes 10-19/20"}, 9, Step.RESTART),
        (206, {"content-range": "bytes 9-20/20"}, 9, Step.RESTART),
        (206, {"content-range": "bytes 9-8/20"}, 9, Step.RESTART),
        (206, {"content-range": "bytes */20"}, 9, Step.RESTART),
        (206, {"content-type": "multipart/byteranges"}, 9, Step.RESTART),
        (416, {"content-range": "bytes */20"}, 9, Step.RESTART),
        (302, {"location": "/x"}, 0, Step.REDIRECT),
        (302, {}, 0, Step.FRESH_LINK),
        (304, {"location": "/x"}, 0, Step.FRESH_LINK),
        (400, {}, 0, Step.FRESH_LINK),
        (401, {}, 0, Step.FRESH_LINK),
        (403, {}, 0, Step.FRESH_LINK),
        (404, {}, 0, Step.FRESH_LINK),
        (410, {}, 0, Step.FRESH_LINK),
        (204, {}, 0, Step.FRESH_LINK),
        (408, {}, 0, Step.AGAIN),
        (429, {}, 0, Step.AGAIN),
        (500, {}, 0, Step.AGAIN),
        (200, {"content-encoding": "gzip"}, 0, Step.AGAIN),
        (200, {"content-encoding": "identity"}, 0, Step.WHOLE),
    ],
)
def test_steps(status, headers, offset, step):
    assert read_response(status, headers, offset)[0] is step


@pytest.mark.parametrize(
    ("status", "headers", "promise"),
    [
        (200, {}, Promise()),
        (200, {"content-length": "20"}, Promise(20, has_end=True)),
        (200, {"content-length": "-1"}, Promise()),
        (200, {"content-length": "20", "transfer-encoding": "chunked"}, Promise(has_end=True)),
        (200, {"content-length": "9" * 30}, Promise()),
        (200, {"content-length": "٣"}, Promise()),
        (200, {"etag": '"e"'}, Promise(etag='"e"')),
        (200, {"etag": 'W/"e"'}, Promise()),
        (206, {"content-range": "bytes 9-19/20", "content-length": "11"}, Promise(20, has_end=True)),
        (200, {"repr-digest": f"sha-256=:{SHA_64}:"}, Promise(sha256=SHA)),
        (200, {"repr-digest": f"sha-512=:AA==:, sha-256=:{SHA_64}:"}, Promise(sha256=SHA)),
        (200, {"content-digest": f"sha-256=:{SHA_64}:"}, Promise(sha256=SHA)),
        (200, {"digest": f"SHA-256={SHA_64}"}, Promise(sha256=SHA)),
        (200, {"x-amz-checksum-sha256": SHA_64}, Promise(sha256=SHA)),
        (200, {"x-amz-checksum-sha256": f"{SHA_64}-3"}, Promise()),
        (200, {"repr-digest": "sha-256=:nonsense:"}, Promise()),
        # Of the part, not of the file.
        (206, {"content-range": "bytes 9-19/20", "content-digest": f"sha-256=:{SHA_64}:"}, Promise(20, has_end=True)),
        (206, {"content-range": "bytes 9-19/20", "repr-digest": f"sha-256=:{SHA_64}:"},
         Promise(20, sha256=SHA, has_end=True)),
    ],
)  # fmt: skip
def test_promises(status, headers, promise):
    assert read_response(status, headers, 9 if status == 206 else 0)[1] == promise


def test_promises_compared():
    known = Promise(20, '"e"', SHA)
    assert not known.contradicts(Promise())
    assert not known.contradicts(Promise(20, '"e"', SHA))
    assert all(
        known.contradicts(other) for other in (Promise(21), Promise(etag='"f"'), Promise(sha256=b"x" * 32))
    )
    assert Promise(has_end=True).with_more(known) == Promise(20, '"e"', SHA, has_end=True)


NAMES = st.sampled_from(
    ["content-length", "content-range", "etag", "location", "repr-digest", "digest", "content-encoding",
     "transfer-encoding", "x-amz-checksum-sha256"]
)  # fmt: skip
VALUES = st.text(max_size=60) | st.from_regex(r"bytes \d+-\d+/(\d+|\*)", fullmatch=True)


@given(st.integers(100, 599), st.dictionaries(NAMES, VALUES), st.integers(0, 2**40))
def test_any_answer_is_read(status, headers, offset):
    step, promise = read_response(status, headers, offset)
    assert isinstance(step, Step)
    assert promise.size is None or promise.size >= 0
    assert promise.sha256 is None or len(promise.sha256) == 32
    # Only what says that it goes on from here is appended.
    if step is Step.APPEND:
        assert headers["content-range"].strip().lower().startswith(f"bytes {offset}-")
