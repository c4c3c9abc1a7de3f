"""What can fail without the network is found before anything is sent, by its name, and leaves no intent behind."""

from __future__ import annotations

import pytest
from unit.scripted import Scripted

from airflow_runway.core.protocol.connection import (
    DEFAULT_CREATE_TIMEOUT,
    DEFAULT_TIMEOUT,
    read_connection,
)
from airflow_runway.exceptions import RunwayConfigurationError, RunwayReadError
from airflow_runway.hooks.runway import RunwayHook

PAYLOAD = {"model": "gen4_turbo", "promptImage": "https://e/a.jpg", "promptText": "a secret idea"}
HOST = "https://127.0.0.1:9"


@pytest.fixture
def broken_bundle(tmp_path):
    path = tmp_path / "broken.pem"
    path.write_text("no certificate")
    return str(path)


def case(message, host=HOST, environment=None, route="image_to_video", payload=PAYLOAD, **extra):
    return pytest.param(message, host, environment or {}, route, payload, extra, id=message)


CASES = [
    case("'/missing/ca.pem' (\"verify\" in its extra)", verify="/missing/ca.pem"),
    case("'/gone.pem' (REQUESTS_CA_BUNDLE)", environment={"REQUESTS_CA_BUNDLE": "/gone.pem"}),
    case("'/gone2.pem' (CURL_CA_BUNDLE)", environment={"CURL_CA_BUNDLE": "/gone2.pem"}),
    case("broken.pem", verify="BROKEN"),
    case("the host 'aaaaaaaa", host=f"https://{'a' * 64}.example"),
    case("the host 'a..b'", host="https://a..b"),
    case("unreadable proxy from its extra", proxies={"https": "http://user:hidden@[bad"}),
    case("unreadable proxy from its extra", proxies={"https": "http://user:hidden@proxy:port"}),
    case("unreadable proxy from its extra", proxies={"https": "http://user:hidden@a..b:3128"}),
    # requests takes the name for a scheme.
    case("unreadable proxy from its extra", proxies={"https": "hidden:3128"}),
    case("unreadable proxy from the environment", environment={"https_proxy": "http://user:hidden@[bad"}),
    case("whose scheme 'ftp' cannot be spoken", proxies={"https": "ftp://user:hidden@proxy:21"}),
    case("has no route 'no_such'", route="no_such"),
    case("JSON has no form for", payload={**PAYLOAD, "seed": float("nan")}),
    case("JSON has no form for", payload={**PAYLOAD, "seed": object()}),
]


def set_up(set_connection, monkeypatch, host, environment, extra, broken_bundle):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    if extra.get("verify") == "BROKEN":
        extra = {**extra, "verify": broken_bundle}
    set_connection(host, **extra)


@pytest.mark.parametrize(("message", "host", "environment", "route", "payload", "extra"), CASES)
def test_it_is_named_and_nothing_was_sent(
    set_connection, monkeypatch, broken_bundle, message, host, environment, route, payload, extra
):
    set_up(set_connection, monkeypatch, host, environment, extra, broken_bundle)
    for call in ("prepare_create", "send"):
        with pytest.raises(RunwayConfigurationError) as caught:
            getattr(RunwayHook(), call)(route, payload)
        assert message in str(caught.value)
        assert "Nothing was sent" in str(caught.value)
        assert "hidden" not in str(caught.value)
        assert "secret idea" not in str(caught.value)


@pytest.mark.parametrize(("message", "host", "environment", "route", "payload", "extra"), CASES)
async def test_so_in_an_event_loop(
    set_connection, monkeypatch, broken_bundle, message, host, environment, route, payload, extra
):
    set_up(set_connection, monkeypatch, host, environment, extra, broken_bundle)
    with pytest.raises(RunwayConfigurationError) as caught:
        await RunwayHook().asend(route, payload)
    assert message in str(caught.value)
    assert "hidden" not in str(caught.value)


def test_a_payload_without_end_is_refused_too(set_connection):
    set_connection(HOST)
    nested = []
    nested.append(nested)
    deep = []
    for _ in range(100_000):
        deep = [deep]
    for value in (nested, deep):
        with pytest.raises(RunwayConfigurationError, match="nested more than 100 levels"):
            RunwayHook().prepare_create("image_to_video", {**PAYLOAD, "seed": value})


async def test_socks_is_for_requests_only_and_only_if_it_can(set_connection, monkeypatch):
    set_connection(HOST, proxies={"https": "socks5://127.0.0.1:9"})
    monkeypatch.setattr("airflow_runway.hooks._network.find_spec", lambda name: None)
    with pytest.raises(RunwayConfigurationError, match="socks5"):
        RunwayHook().prepare_create("image_to_video", PAYLOAD)
    monkeypatch.setattr("airflow_runway.hooks._network.find_spec", lambda name: object())
    RunwayHook().prepare_create("image_to_video", PAYLOAD)
    with pytest.raises(RunwayConfigurationError, match="socks5"):
        await RunwayHook().asend("image_to_video", PAYLOAD)


@pytest.mark.parametrize(
    ("host", "extra"),
    [
        ("https://api.dev.runwayml.com", {}),
        ("https://xn--bcher-kva.example", {}),
        ("https://bücher.example", {}),
        ("https://[::1]:8443", {}),
        ("https://relay.example.", {"proxies": {"https": "127.0.0.1:3128"}}),
        ("https://relay.example", {"proxies": {"https": "http://user:p%40ss@proxy:3128"}}),
        ("https://relay.example", {"verify": False}),
        ("http://127.0.0.1:9", {"allow_insecure_http": True, "verify": "/missing/but/not/needed"}),
    ],
)
def test_what_is_right_passes(set_connection, host, extra):
    set_connection(host, **extra)
    RunwayHook().prepare_create("image_to_video", PAYLOAD)


def test_the_environment_fills_in_what_the_connection_leaves_open(set_connection, monkeypatch):
    """Alike for both libraries: a proxy for another scheme does not turn the environment's off."""
    from airflow_runway.hooks._network import proxy_of

    monkeypatch.setenv("https_proxy", "http://of-the-environment:1")
    set_connection(HOST, proxies={"http": "http://of-the-connection:1"})
    assert proxy_of(RunwayHook().settings) == "http://of-the-environment:1"
    set_connection(HOST, proxies={"https": "http://of-the-connection:1"})
    assert proxy_of(RunwayHook().settings) == "http://of-the-connection:1"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    set_connection(HOST)
    assert proxy_of(RunwayHook().settings) is None


def test_how_long_a_create_may_take():
    default = read_connection("studio", password="k" * 20)
    assert (default.timeout, default.create_timeout) == (DEFAULT_TIMEOUT, DEFAULT_CREATE_TIMEOUT)
    assert default.create_timeout >= 120
    for seconds in (1, 60, 600):
        given = read_connection("studio", password="k" * 20, extra={"timeout": seconds})
        assert given.create_timeout == given.timeout == seconds


class TestReads:
    async def test_what_is_wrong_with_the_connection_is_a_configuration_error_there_too(self, set_connection):
        for extra in ({"verify": "/missing/ca.pem"}, {"proxies": {"https": "http://[bad"}}):
            set_connection(HOST, **extra)
            with pytest.raises(RunwayConfigurationError):
                RunwayHook().get_task("t1")
            with pytest.raises(RunwayConfigurationError):
                await RunwayHook().aget_task("t1")

    @pytest.mark.parametrize("location", ["http://[bad", "/good", "\xff\xfe"])
    async def test_a_redirect_is_an_answer_wherever_it_leads(self, connected, location):
        connected.answers(Scripted(302, {}, {"Location": location}))
        with pytest.raises(RunwayReadError, match="HTTP 302"):
            RunwayHook().get_task("t1")
        with pytest.raises(RunwayReadError, match="HTTP 302"):
            await RunwayHook().aget_task("t1")

    @pytest.mark.parametrize("raised", [ValueError("x"), UnicodeError("x"), KeyError("x"), RuntimeError("x")])
    async def test_no_foreign_exception_comes_out(self, connected, monkeypatch, raised):
        def fails(*args, **kwargs):
            raise raised

        monkeypatch.setattr("requests.Session.send", fails)
        monkeypatch.setattr("aiohttp.ClientSession.request", fails)
        with pytest.raises(RunwayReadError):
            RunwayHook().get_task("t1")
        with pytest.raises(RunwayReadError):
            await RunwayHook().aget_task("t1")
