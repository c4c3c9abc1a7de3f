"""What a create rests on: when its body is asked for, that nothing is raised past it, and that it ends."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from base64 import b64encode
from dataclasses import replace

import aiohttp
import pytest
import requests
from unit.hooks.delivery.cells import DIRECT, FORWARDED, LIBRARIES, PROXIED, ROUTES, TLS, TUNNELLED
from unit.hooks.delivery.servers import Server, head_of
from unit.scripted import KEY
from urllib3.exceptions import LocationParseError

from airflow_runway.core.protocol.calls import Call, NoAnswerError
from airflow_runway.core.protocol.connection import read_connection
from airflow_runway.core.protocol.verdicts import Delivery
from airflow_runway.hooks import _create
from airflow_runway.hooks._deadline import Deadline, WatchedAdapter
from airflow_runway.hooks._observed_body import HandOver, ReadableBody, WrittenBody

CREATE = Call("POST", "/v1/image_to_video", {"promptText": "x" * 200_000}, creates=True)


def send(library, settings, call=CREATE):
    if library == "requests":
        return _create.create(settings, call)
    return asyncio.run(_create.acreate(settings, call))


def settings_for(url, **extra):
    return read_connection("studio", host=url, password=KEY, extra={"allow_insecure_http": True, **extra})


@pytest.fixture
def way(serving, certificate):
    """A gateway, and settings that lead to it on a route."""

    def make(route, behaviour="accept", proxy="pass on"):
        secure = route in {TLS, TUNNELLED}
        gateway, before = serving(certificate.context if secure else None)
        gateway.behaviour, before.behaviour = behaviour, proxy
        extra = {"verify": certificate.bundle} if secure else {}
        if route in PROXIED:
            extra["proxies"] = {"https" if secure else "http": before.url}
            before.start()
        gateway.start()
        return gateway, settings_for(gateway.url, **extra)

    return make


class TestObservation:
    @pytest.mark.parametrize("route", ROUTES)
    @pytest.mark.parametrize("library", LIBRARIES)
    def test_a_body_is_asked_for_when_the_connection_stands(self, way, monkeypatch, route, library):
        """Through the proxy and TLS; by requests when the gateway has the head already."""
        gateway, settings = way(route)
        seen = []
        real = HandOver.begin

        def begin(self):
            if not self.begun:
                stands = gateway.addressed if library == "requests" else gateway.connected
                seen.append(route == FORWARDED or stands.wait(10))
            real(self)

        monkeypatch.setattr(HandOver, "begin", begin)
        assert send(library, settings).status == 200
        assert seen == [True]

    @pytest.mark.parametrize("library", LIBRARIES)
    def test_each_create_has_a_connection_of_its_own_and_ends_it(self, way, library):
        gateway, settings = way(DIRECT)
        for _ in range(3):
            send(library, settings)
        gateway.settle()
        assert len(gateway._threads) == 3
        assert not [thread for thread in threading.enumerate() if "runway-create" in thread.name]

    def test_a_body_is_given_once(self):
        told = []
        hand_over = HandOver(lambda: told.append(1))
        body = ReadableBody(b"abcdef", hand_over)
        assert len(body) == 6
        assert hand_over.delivery is Delivery.NOT_SENT
        assert [body.read(4), body.read(4), body.read(4), body.read()] == [b"abcd", b"ef", b"", b""]
        assert hand_over.delivery is Delivery.UNKNOWN
        assert told == [1]
        assert ReadableBody(b"abcdef", hand_over).read() == b"abcdef"

    @pytest.mark.parametrize("ask", ["write", "write_with_length"])
    async def test_a_body_is_written_once(self, ask):
        class Writer:
            written = b""

            async def write(self, piece):
                self.written += piece

        writer, hand_over = Writer(), HandOver(lambda: None)
        body = WrittenBody(b"x" * 200_000, hand_over)
        more = () if ask == "write" else (None,)
        assert body.size == 200_000
        await getattr(body, ask)(writer, *more)
        assert writer.written == b"x" * 200_000
        assert hand_over.begun
        with pytest.raises(TypeError):
            await getattr(body, ask)(writer, *more)
        with pytest.raises(TypeError):
            body.decode()
        assert len(writer.written) == 200_000

    def test_there_is_no_other_way_to_write_it(self):
        """A newer aiohttp that asks in another way must be looked at: what it asks has to be observed."""
        ours = {name for name in vars(WrittenBody) if not name.startswith("_")}
        theirs = {name for name in dir(aiohttp.Payload) if "write" in name}
        assert theirs <= ours


class TestProxyCredentials:
    @pytest.mark.parametrize("library", LIBRARIES)
    @pytest.mark.parametrize("route", PROXIED)
    @pytest.mark.parametrize("refused", [False, True])
    def test_they_go_to_the_proxy_and_into_no_message(self, serving, certificate, route, library, refused):
        gateway, proxy = serving(certificate.context if route == TUNNELLED else None)
        proxy.behaviour = "407" if refused else "pass on"
        gateway.start()
        proxy.start()
        scheme = gateway.url.partition(":")[0]
        there = proxy.url.replace("//", "//somebody:h1dden@")
        settings = settings_for(gateway.url, verify=certificate.bundle, proxies={scheme: there})
        if route == TUNNELLED and refused:
            with pytest.raises(NoAnswerError) as caught:
                send(library, settings)
            assert "h1dden" not in caught.value.reason
            assert "407" in caught.value.reason
        else:
            assert send(library, settings).status == (407 if refused else 200)
        (head,) = proxy.heads
        assert b"proxy-authorization: basic " + b64encode(b"somebody:h1dden").lower() in head.lower()
        assert (KEY.encode() in head) == (route == FORWARDED)


RAISED = [
    ValueError("Invalid IPv6 URL"),
    UnicodeError("label too long"),
    OSError("no CA bundle"),
    http.client.HTTPException("odd"),
    LocationParseError("x"),
    requests.exceptions.ProxyError("cut"),
    requests.exceptions.InvalidHeader("two lengths"),
    aiohttp.ClientError("x"),
    RuntimeError("can't start new thread"),
    KeyError("x"),
]


class TestNothingIsRaisedPastIt:
    @pytest.mark.parametrize("read", [False, True], ids=["unread", "read"])
    @pytest.mark.parametrize("raised", RAISED, ids=lambda error: type(error).__name__)
    def test_requests(self, monkeypatch, raised, read):
        def fails(self, request, **_):
            if read:
                request.body.read(1)
            raise raised

        monkeypatch.setattr(WatchedAdapter, "send", fails)
        with pytest.raises(NoAnswerError) as caught:
            send("requests", settings_for("http://127.0.0.1:9"))
        assert caught.value.delivery is (Delivery.UNKNOWN if read else Delivery.NOT_SENT)

    @pytest.mark.parametrize("read", [False, True], ids=["unread", "read"])
    @pytest.mark.parametrize("raised", RAISED, ids=lambda error: type(error).__name__)
    def test_aiohttp(self, monkeypatch, raised, read):
        def fails(self, *args, data, **_):
            if read:
                data._hand_over.begin()
            raise raised

        monkeypatch.setattr(aiohttp.ClientSession, "request", fails)
        with pytest.raises(NoAnswerError) as caught:
            send("aiohttp", settings_for("http://127.0.0.1:9"))
        assert caught.value.delivery is (Delivery.UNKNOWN if read else Delivery.NOT_SENT)

    @pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
    def test_what_ends_the_process_goes_through(self, monkeypatch, end):
        def ends(self, request, **_):
            raise end

        monkeypatch.setattr(WatchedAdapter, "send", ends)
        with pytest.raises(end):
            send("requests", settings_for("http://127.0.0.1:9"))
        assert not [thread for thread in threading.enumerate() if "runway-create" in thread.name]

    async def test_what_ends_the_task_goes_through_and_ends_the_connection(self, way):
        gateway, settings = way(TLS, "silence")
        task = asyncio.create_task(_create.acreate(settings, CREATE))
        await asyncio.to_thread(gateway.charged.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(gateway.settle)

    def test_the_key_is_in_no_reason(self, monkeypatch):
        def fails(self, request, **_):
            raise requests.exceptions.InvalidHeader(f"bad value {request.headers['Authorization']}")

        monkeypatch.setattr(WatchedAdapter, "send", fails)
        with pytest.raises(NoAnswerError) as caught:
            send("requests", settings_for("http://127.0.0.1:9"))
        assert KEY not in caught.value.reason


class Dripping(Server):
    """A proxy whose consent to a tunnel never ends."""

    def serve(self, connection):
        head_of(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.ending.wait(0.01):
            connection.sendall(b"x")


class TestItEnds:
    @pytest.mark.parametrize("library", LIBRARIES)
    def test_before_the_body_it_was_not_sent(self, way, monkeypatch, library):
        monkeypatch.setattr(_create, "CONNECTING_LIMIT", 0.15)
        proxy = Dripping()
        proxy.start()
        try:
            settings = settings_for(
                "https://127.0.0.1:9", proxies={"https": f"http://127.0.0.1:{proxy.port}"}
            )
            with pytest.raises(NoAnswerError, match=r"no connection within 0.15 s") as caught:
                send(library, settings)
        finally:
            proxy.close()
        assert caught.value.delivery is Delivery.NOT_SENT

    @pytest.mark.parametrize("library", LIBRARIES)
    def test_after_the_body_nobody_knows(self, way, monkeypatch, library):
        monkeypatch.setattr(_create, "SLOWEST_UPLOAD", float("inf"))
        _, settings = way(DIRECT, "silence")
        with pytest.raises(NoAnswerError, match=r"no answer within 0.1 s") as caught:
            send(library, replace(settings, create_timeout=0.1))
        assert caught.value.delivery is Delivery.UNKNOWN

    def test_the_time_counts_from_the_hand_over(self, way, monkeypatch):
        """Whatever the connection took. That aiohttp does so too, the table shows: its deadline there is shorter."""
        _, settings = way(TUNNELLED)
        restarted = []
        monkeypatch.setattr(Deadline, "restart", lambda self, seconds: restarted.append(seconds))
        assert send("requests", settings).status == 200
        assert restarted == [120.0 + len(_create._encoded(CREATE)) / _create.SLOWEST_UPLOAD]

    def test_a_connection_made_too_late_ends_at_once(self):
        one, other = socket.socketpair()
        with one, other, Deadline(0) as deadline:
            deadline._thread.join()
            assert deadline.expired
            deadline.watch(one)
            assert other.recv(1) == b""

    def test_a_deadline_that_is_not_reached_leaves_the_connection_alone(self):
        one, other = socket.socketpair()
        with one, other:
            with Deadline(60) as deadline:
                deadline.watch(one)
                deadline.restart(60)
            assert not deadline.expired
            one.sendall(b"x")
            assert other.recv(1) == b"x"
