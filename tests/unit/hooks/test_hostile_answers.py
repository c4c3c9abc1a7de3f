"""Any answer at all, over HTTP through the real hook, with requests and aiohttp: ours, total, and without the key.

``RUNWAY_FUZZ_ANSWERS=100000`` says how many; a few thousand in the gate.
"""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
import os
import random
import socket
import threading
from urllib.parse import quote

import pytest
import tenacity
from unit.samples import FOLDER
from unit.scripted import KEY

from airflow_runway.core.models import RunwayTask, Submission, TaskStatus
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayError,
    RunwayRequestRefusedError,
)
from airflow_runway.hooks.runway import RunwayHook

COUNT = int(os.environ.get("RUNWAY_FUZZ_ANSWERS", "2000"))
SECRET = KEY
FORMS = [SECRET, quote(SECRET, safe=""), base64.b64encode(SECRET.encode()).decode().rstrip("=")]
GATEWAYS = ("runway", "cometapi", "gptplus5")
ODD = [
    None, True, 0, -1, 1e308, "NaN-here", "Infinity", 10**400, "", " ", "\x00", "\x1b[31m", "\ud800", "a\u202eb", "�",
    "x" * 5_000, [], {}, [[[[]]]], {"id": "other"}, "SUCCEEDED", "FAILED", "https://e/\x00", "https://e/\ud800.mp4",
    f"Bearer {SECRET}", SECRET,
    "../../etc", "task_not_exist", "2", "3", ["https://e/a b.mp4"], {"message": SECRET},
]  # fmt: skip


class Raw:
    """Answers each request with the bytes of the moment."""

    def __init__(self):
        self.answer = b""
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                try:
                    self._read(connection)
                    connection.sendall(self.answer)
                except OSError:
                    continue

    @staticmethod
    def _read(connection):
        file = connection.makefile("rb")
        file.readline()
        headers = http.client.parse_headers(file)
        file.read(int(headers.get("Content-Length") or 0))

    def close(self):
        self._socket.close()
        self._thread.join(5)


@pytest.fixture
def raw():
    raw = Raw()
    yield raw
    raw.close()


@pytest.fixture
def hook(raw, set_connection):
    def made(gateway="runway"):
        fields = {"gateway": gateway, "allow_insecure_http": True, "timeout": 5}
        if gateway == "cometapi":
            fields["callback_url"] = "https://example.com/hook"
        set_connection(raw.url, password=SECRET, **fields)
        hook = RunwayHook("runway_default")
        hook.pause_between_tries = tenacity.wait_none()
        hook.sleep_between_tries = lambda seconds: None
        return hook

    return made


def answer(status, body, headers=()):
    lines = [f"HTTP/1.1 {status} Whatever", "Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "Connection: close", "", ""]).encode("latin-1", "replace") + body


def samples():
    """Documented answers, each with its status."""
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        whole = json.loads(path.read_text())
        if "http" in whole and whole.get("body") is not None:
            found.append((whole["http"].get("status") or 200, whole["body"]))
    return found


def places(value, place=()):
    yield place
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inside:
        yield from places(one, (*place, name))


def changed(value, place, odd):
    if not place:
        return odd
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[place[0]] = changed(copy[place[0]], place[1:], odd)
    return copy


def mutated(chance, status, body):
    for _ in range(chance.choice([0, 1, 1, 2, 3])):
        body = changed(body, chance.choice(list(places(body))), chance.choice(ODD))
    text = json.dumps(body, ensure_ascii=chance.random() < 0.7).encode("utf-8", "surrogatepass")
    kind = chance.random()
    if kind < 0.1:
        text = text[: chance.randrange(len(text) + 1)]
    elif kind < 0.2:
        where = chance.randrange(len(text) + 1)
        text = text[:where] + chance.randbytes(chance.randrange(1, 6)) + text[where:]
    elif kind < 0.22:
        text = b"[" * 50_000
    elif kind < 0.24:
        text = b'{"id": ' + b"9" * 20_000 + b"}"
    if chance.random() < 0.2:
        status = chance.choice([200, 201, 204, 301, 400, 401, 402, 404, 413, 429, 500, 502, 503, 599])
    headers = [f"X-Odd: {SECRET}", f"Retry-After: {chance.choice(ODD)!s}"[:200].replace("\n", " ")] * (
        chance.random() < 0.3
    )
    return answer(status, text, [one.replace("\r", " ").replace("\x00", " ") for one in headers])


def outcome(run):
    try:
        return run()
    except RunwayError as error:
        return error


def check(found, sent):
    """Nothing of it is false, unprintable, or the key."""
    told = str(found) if isinstance(found, RunwayError) else repr(found)
    json.dumps(told).encode()
    told.encode()
    assert not any(form in told for form in FORMS), told
    if isinstance(found, RunwayError):
        assert all(line.isprintable() for line in told.split("\n")), told
        assert found.message.isprintable()
        return
    if isinstance(found, Submission):
        assert found.runway_task_id.encode()
        assert found.runway_task_id.isprintable()
        return
    assert isinstance(found, RunwayTask)
    if found.status is TaskStatus.SUCCEEDED:
        assert found.output
        assert all(
            url.isprintable() and url.lower().startswith(("http://", "https://")) for url in found.output
        )
        assert b"http" in sent.lower()
    json.dumps(found.as_result()).encode()


@pytest.mark.slow
def test_whatever_comes_is_ours_in_both_libraries(raw, hook):
    chance = random.Random(20261125)
    known = samples()
    assert len(known) > 20
    # The session of an event loop stays open for the whole of it, so that one loop serves all.
    loop = asyncio.new_event_loop()
    try:
        for number in range(COUNT):
            if number % 100 == 0:
                one = hook(GATEWAYS[number // 100 % len(GATEWAYS)])
            raw.answer = mutated(chance, *chance.choice(known))
            if number % 4 == 3:
                route, body = "image_to_video", {"model": "m", "promptText": "a secret idea"}
                sync = outcome(lambda one=one, route=route, body=body: one.send(route, body))
                other = outcome(
                    lambda one=one, route=route, body=body: loop.run_until_complete(one.asend(route, body))
                )
            else:
                sync = outcome(lambda one=one: one.get_task("t1"))
                other = outcome(lambda one=one: loop.run_until_complete(one.aget_task("t1")))
            check(sync, raw.answer)
            check(other, raw.answer)
            assert type(sync) is type(other), (raw.answer, sync, other)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()


class TestHalfACharacter:
    """A lone surrogate in an error's text made a free 400 a lost answer."""

    BODY = b'{"error": "no \\ud800 good", "issues": [{"path": ["\\udfff"], "message": "\\ud800"}]}'

    def test_a_refusal_stays_one(self, raw, hook):
        raw.answer = answer(400, self.BODY)
        with pytest.raises(RunwayRequestRefusedError, match="no � good"):
            hook().send("text_to_video", {"promptText": "x"})

    def test_in_an_event_loop_too(self, raw, hook):
        raw.answer = answer(400, self.BODY)
        with pytest.raises(RunwayRequestRefusedError, match="no � good"):
            asyncio.run(hook().asend("text_to_video", {"promptText": "x"}))

    def test_it_is_no_id(self, raw, hook):
        raw.answer = answer(200, b'{"id": "a\\ud800b"}')
        with pytest.raises(RunwayAmbiguousSubmissionError):
            hook().send("text_to_video", {"promptText": "x"})

    def test_a_message_inside_a_message(self, raw, hook):
        raw.answer = answer(400, json.dumps({"error": '{"error": "inner \\ud800"}'}).encode())
        with pytest.raises(RunwayRequestRefusedError, match="inner"):
            hook().send("text_to_video", {"promptText": "x"})


def test_what_is_no_character_is_replaced(raw, hook):
    raw.answer = answer(400, json.dumps({"error": "a \uffef b \u202e c \ue000 d"}).encode())
    with pytest.raises(RunwayRequestRefusedError, match="a � b � c � d"):
        hook().send("text_to_video", {"promptText": "x"})


class TestTheKey:
    """A gateway that repeats the key, in any form, gets it nowhere."""

    @pytest.mark.parametrize(
        "form", [*FORMS, f"Bearer {SECRET}", base64.b64encode(f"Bearer {SECRET}".encode()).decode()]
    )
    def test_in_an_error(self, raw, hook, form):
        raw.answer = answer(400, json.dumps({"error": f"the key {form} is not good for this"}).encode())
        with pytest.raises(RunwayRequestRefusedError) as told:
            hook().send("text_to_video", {"promptText": "x"})
        assert "is not good for this" in str(told.value)
        assert form not in str(told.value) + repr(told.value.facts)

    def test_as_an_id_it_is_none(self, raw, hook):
        raw.answer = answer(200, json.dumps({"id": SECRET}).encode())
        with pytest.raises(RunwayAmbiguousSubmissionError):
            hook().send("text_to_video", {"promptText": "x"})

    def test_where_the_answer_breaks_off_in_it(self, raw, hook):
        raw.answer = answer(400, b'{"error": "' + SECRET.encode() + b'"}')[:-12]
        with pytest.raises(RunwayError) as told:
            hook().send("text_to_video", {"promptText": "x"})
        assert SECRET[:12] not in str(told.value) + repr(told.value.facts)

    def test_in_a_header(self, raw, hook):
        raw.answer = answer(301, b"", [f"Location: https://elsewhere.example/?k={SECRET}"])
        with pytest.raises(RunwayError) as told:
            hook().get_task("t1")
        assert SECRET not in str(told.value) + repr(told.value.facts)
