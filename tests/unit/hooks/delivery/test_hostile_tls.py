"""A gateway that speaks TLS badly: a call ends in time, invents no end, and charges nothing unseen."""

from __future__ import annotations

import asyncio
import shutil
import socket
import subprocess
import threading
import time
from pathlib import Path

import pytest
from unit.hooks.delivery.servers import Server, head_of
from unit.scripted import KEY

from airflow_runway.exceptions import RunwayError, RunwayNotAcceptedError, RunwayReadError
from airflow_runway.hooks import _create
from airflow_runway.hooks.runway import RunwayHook
from airflow_runway.models import TaskStatus

PATIENCE = 0.5
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
DONE = b'{"id": "t1", "status": "SUCCEEDED", "output": ["https://e/x.mp4"]}'
WHOLE = HEAD + f"Content-Length: {len(DONE)}\r\n\r\n".encode() + DONE
BODY = {"model": "gen4.5", "promptText": "x"}


class Hostile(Server):
    """Does to each connection what it is given."""

    def __init__(self, act):
        super().__init__()
        self.act = act
        self.bodies = 0

    def serve(self, connection):
        self.act(self, connection)


def answering(context, answer):
    """TLS as it should be, and an answer after which the connection just ends: no word of TLS that it is over."""

    def act(server, connection):
        secured = context.wrap_socket(connection, server_side=True, suppress_ragged_eofs=True)
        head_of(secured)
        server.bodies += 1
        secured.sendall(answer)
        # What ends is the connection below; TLS itself would have said so first.
        secured.shutdown(socket.SHUT_RDWR)

    return act


def endless_handshake(server, connection):
    while not server.ending.wait(0.01):
        # Records that are well-formed and mean nothing: a warning alert each.
        connection.sendall(b"\x15\x03\x03\x00\x02\x01\x5a")


def bytes_for_ever(server, connection):
    connection.sendall(b"\x16\x03\x03\x40\x00")
    while not server.ending.wait(0.01):
        connection.sendall(b"\x02")


def plain_words(server, connection):
    connection.sendall(WHOLE)


@pytest.fixture
def at(set_connection, certificate):
    """A hook with little patience, and whom it asks."""
    servers = []

    def made(act, host="127.0.0.1"):
        server = Hostile(act)
        server.start()
        servers.append(server)
        set_connection(f"https://{host}:{server.port}", verify=certificate.bundle, timeout=1)
        hook = RunwayHook().detached(PATIENCE)
        hook.pause_between_tries = lambda state: 0
        hook.sleep_between_tries = lambda seconds: None

        async def impatient():
            return hook.settings

        hook.asettings = impatient
        return hook, server

    yield made
    for server in servers:
        server.close()


def read(hook, library):
    return hook.get_task("t1") if library == "requests" else asyncio.run(hook.aget_task("t1"))


def create(hook, library):
    call = hook.send if library == "requests" else hook.asend
    answer = call("text_to_video", BODY)
    return answer if library == "requests" else asyncio.run(answer)


LIBRARIES = pytest.mark.parametrize("library", ["requests", "aiohttp"])
HANDSHAKES = pytest.mark.parametrize("act", [endless_handshake, bytes_for_ever, plain_words])


@LIBRARIES
@HANDSHAKES
def test_a_handshake_that_comes_to_nothing(at, act, library):
    hook, _ = at(act)
    began = time.monotonic()
    with pytest.raises(RunwayReadError) as caught:
        read(hook, library)
    assert time.monotonic() - began < PATIENCE + 2
    assert KEY not in str(caught.value)


@LIBRARIES
@HANDSHAKES
def test_no_create_is_sent_through_it(at, act, library, monkeypatch):
    monkeypatch.setattr(_create, "CONNECTING_LIMIT", PATIENCE)
    hook, server = at(act)
    with pytest.raises(RunwayNotAcceptedError, match="not"):
        create(hook, library)
    assert server.bodies == 0


@LIBRARIES
def test_a_certificate_of_another_name(at, certificate, library):
    hook, server = at(answering(certificate.context, WHOLE), host="localhost")
    with pytest.raises(RunwayReadError):
        read(hook, library)
    with pytest.raises(RunwayNotAcceptedError):
        create(hook, library)
    assert server.bodies == 0


@LIBRARIES
def test_an_end_without_notice_behind_a_whole_answer(at, certificate, library):
    hook, _ = at(answering(certificate.context, WHOLE))
    assert read(hook, library).status is TaskStatus.SUCCEEDED


@LIBRARIES
@pytest.mark.parametrize("left", [1, 10, len(DONE) - 1, len(DONE)])
@pytest.mark.parametrize("announced", [True, False])
def test_an_end_without_notice_in_the_middle_is_no_end_of_a_task(at, certificate, library, left, announced):
    length = f"Content-Length: {len(DONE)}\r\n".encode() if announced else b"Connection: close\r\n"
    hook, _ = at(answering(certificate.context, HEAD + length + b"\r\n" + DONE[:-left]))
    with pytest.raises(RunwayReadError):
        read(hook, library)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the program openssl")
@LIBRARIES
def test_one_that_negotiates_again_for_ever(set_connection, certificate, library):
    """Python's own server cannot; OpenSSL's can be told to, up to TLS 1.2."""
    port = Server().port
    pem = Path(certificate.bundle)
    server = subprocess.Popen(
        [
            "openssl",
            "s_server",
            "-accept",
            f"127.0.0.1:{port}",
            "-tls1_2",
            "-cert",
            pem,
            "-key",
            pem.with_name("key.pem"),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    over, asked = threading.Event(), threading.Event()

    def renegotiate():
        for line in server.stdout:
            if line.startswith(b"GET "):
                break
        asked.set()
        while not over.wait(0.02):
            server.stdin.write(b"R\n")
            server.stdin.flush()

    thread = threading.Thread(target=renegotiate, daemon=True)
    try:
        for line in server.stdout:
            if b"ACCEPT" in line:
                break
        thread.start()
        set_connection(f"https://127.0.0.1:{port}", verify=certificate.bundle, timeout=1)
        hook = RunwayHook().detached(PATIENCE)

        async def impatient():
            return hook.settings

        hook.asettings = impatient
        began = time.monotonic()
        with pytest.raises(RunwayError):
            read(hook, library)
        assert time.monotonic() - began < PATIENCE + 2
        assert asked.is_set()
    finally:
        over.set()
        server.kill()
        server.wait()
        thread.join(10)
