from __future__ import annotations

import json

import pytest

from airflow_runway.core.journal.accounts import Account, AccountInUse, AccountMatch, read_account

KEY = "key_0123456789abcdef"
NOW = AccountInUse("https://api.dev.runwayml.com", KEY)


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("https://api.dev.runwayml.com", "https://api.dev.runwayml.com"),
        ("https://API.dev.runwayml.com:443/", "https://api.dev.runwayml.com"),
        ("http://127.0.0.1:8765/runwayml", "http://127.0.0.1:8765"),
        ("http://host:80", "http://host"),
        ("https://host:80", "https://host:80"),
        ("https://[::1]:8080/x", "https://[::1]:8080"),
        ("https://user:pass@host/path?token=x#y", "https://host"),
    ],
)
def test_only_the_origin_of_the_base_url_is_kept(base_url, origin):
    assert AccountInUse(base_url, KEY).sealed("salt").origin == origin


def test_the_digest_is_short_salted_and_tells_nothing():
    one, two = NOW.sealed("a"), NOW.sealed("b")
    assert len(one.digest) == 16
    assert one.digest != two.digest
    assert KEY not in repr(NOW) + repr(one)


@pytest.mark.parametrize(
    ("now", "match"),
    [
        (NOW, AccountMatch.SAME),
        (AccountInUse("https://API.dev.runwayml.com:443/", KEY), AccountMatch.SAME),
        # Behind a relay the path may say whose account it is.
        (AccountInUse("https://api.dev.runwayml.com/v2", KEY), AccountMatch.OTHER),
        (AccountInUse("https://api.dev.runwayml.com", KEY + "0"), AccountMatch.OTHER),
        (AccountInUse("https://api.cometapi.com", KEY), AccountMatch.OTHER),
        (AccountInUse("http://api.dev.runwayml.com", KEY), AccountMatch.OTHER),
    ],
)
def test_an_account_is_recognised_by_base_url_and_key(now, match):
    assert now.compared_with(NOW.sealed("salt")) is match


def test_what_was_not_recorded_is_unknown():
    assert NOW.compared_with(None) is AccountMatch.UNKNOWN


def test_it_survives_the_store():
    account = NOW.sealed("salt")
    assert read_account(json.loads(json.dumps(account.as_json()))) == account
    assert read_account(None) is None


@pytest.mark.parametrize("bad", [{}, {"origin": "x"}, 7])
def test_what_cannot_be_understood_is_no_account(bad):
    with pytest.raises((KeyError, TypeError)):
        read_account(bad)


def test_an_account_is_not_made_up():
    assert Account("o", "s", "d") != Account("o", "s", "e")
