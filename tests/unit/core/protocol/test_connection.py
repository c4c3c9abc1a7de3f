from __future__ import annotations

import pytest
from unit.core.raising import raises

from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.protocol.connection import doubts_about, origin_of, read_connection


def read(**fields):
    return read_connection("studio", **{"password": "key_x", **fields})


def test_a_key_is_enough_for_the_official_api():
    settings = read()
    assert settings.gateway.name == "runway"
    assert settings.base_url == "https://api.dev.runwayml.com"
    assert settings.api_version == "2024-11-06"
    assert not settings.is_resold


@pytest.mark.parametrize(
    ("fields", "base_url"),
    [
        ({"host": "relay.example"}, "https://relay.example"),
        ({"host": "https://relay.example/runway/"}, "https://relay.example/runway"),
        ({"host": "relay.example", "port": 8443}, "https://relay.example:8443"),
        (
            {"host": "127.0.0.1", "schema": "http", "port": 8765, "extra": {"allow_insecure_http": "true"}},
            "http://127.0.0.1:8765",
        ),
        ({"host": "http://127.0.0.1:8765", "extra": {"allow_insecure_http": True}}, "http://127.0.0.1:8765"),
    ],
)
def test_base_urls(fields, base_url):
    assert read(**fields).base_url == base_url


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"password": ""}, "no API key"),
        ({"password": None}, "Password field"),
        ({"password": "key x"}, "blank"),
        ({"password": "key\r\nX-Evil: 1"}, "blank"),
        ({"extra": {"gateway": "comet"}}, "unknown gateway 'comet': use one of cometapi, gptplus5, runway"),
        ({"host": "http://relay.example"}, 'set "allow_insecure_http": true'),
        ({"host": "ftp://relay.example"}, "not http(s)"),
        ({"host": "https://user:pw@relay.example"}, "with a user"),
        ({"host": "https://relay.example/?a=1"}, "a query"),
        ({"host": "https://relay.example:port"}, "cannot be read"),
        ({"extra": {"timeout": "soon"}}, "seconds from 1 to 600"),
        ({"extra": {"timeout": 0}}, "seconds from 1 to 600"),
        ({"extra": {"api_version": "2024\r\nX: 1"}}, "unreadable api_version"),
        ({"extra": {"proxies": "http://p"}}, "unreadable proxies"),
    ],
)
def test_what_is_wrong_is_said_with_the_remedy(fields, words):
    with raises(ErrorKind.CONFIGURATION) as caught:
        read(**fields)
    assert words in str(caught.value)
    assert "'studio'" in str(caught.value)
    assert "Nothing was sent" in str(caught.value)


def test_unknown_extra_keys_are_named_and_not_passed_on():
    settings = read(extra={"Authorization": "Bearer evil", "timeout": 5})
    assert settings.ignored == ("Authorization",)
    assert settings.timeout == 5


@pytest.mark.parametrize(
    ("value", "verify"),
    [(True, True), ("false", False), (False, False), (None, True), ("/ca.pem", "/ca.pem")],
)
def test_verify(value, verify):
    assert read(extra={"verify": value}).verify == verify


def test_the_key_is_not_shown():
    assert "key_x" not in repr(read())


@pytest.mark.parametrize(
    ("fields", "doubts"),
    [
        ({"password": "key_0123456789"}, []),
        ({"password": "key_0123456789", "extra": {"headers": {}, "a": 1}}, ["are ignored: a, headers."]),
        ({"password": "sk-0123456789"}, ["Keys of Runway begin with 'key_'"]),
        ({"password": "sk-0123456789", "extra": {"gateway": "cometapi"}}, []),
        ({"password": "key_0123456789", "extra": {"gateway": "gptplus5"}}, ["as those of Runway do"]),
        ({"password": "key_0123456789", "extra": {"verify": False}}, ["whoever stands in between"]),
        (
            {"password": "key_0123456789", "host": "https://api.cometapi.com/x"},
            ["that of CometAPI, and the gateway is set to Runway"],
        ),
        (
            {"password": "key_0123456789", "host": "http://e", "extra": {"allow_insecure_http": True}},
            ["travels readably"],
        ),
    ],
)
def test_what_a_person_should_look_at(fields, doubts):
    found = doubts_about(read_connection("c", **fields))
    assert len(found) == len(doubts)
    assert all(words in doubt for words, doubt in zip(doubts, found, strict=True))


def test_a_secret_in_an_ignored_name_is_not_repeated():
    name = "https://e/?token=hush"
    (doubt,) = doubts_about(read_connection("c", password="key_0123456789", extra={name: 1}))
    assert "hush" not in doubt


def test_the_origin_is_shown_without_the_path():
    assert origin_of("https://e:8443/tenant/secret") == "https://e:8443"
