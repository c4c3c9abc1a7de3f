"""Random text in a callback URL: where there is a place for it, and nowhere else."""

from __future__ import annotations

import re

import pytest

from airflow_runway.core.protocol.connection import read_connection
from airflow_runway.operators._callback_token import with_token

OURS = "https://studio.example/hook?of={token}"


def settings(gateway="cometapi", callback_url=None):
    extra = {"gateway": gateway, **({"callback_url": callback_url} if callback_url else {})}
    return read_connection("runway_default", password="key_0123456789", extra=extra)


def test_the_place_is_filled_with_text_that_nobody_guesses():
    token, body = with_token(settings(), "pro/generate", {"prompt": "x", "callback_url": OURS})
    assert re.fullmatch(r"[\w-]{16}", token)
    assert body == {"prompt": "x", "callback_url": f"https://studio.example/hook?of={token}"}


def test_each_submission_has_a_text_of_its_own():
    tokens = {with_token(settings(), "pro/generate", {"callback_url": OURS})[0] for _ in range(20)}
    assert len(tokens) == 20


def test_the_connections_address_is_used_where_the_route_needs_one():
    token, body = with_token(settings(callback_url=OURS), "pro/generate", {"prompt": "x"})
    assert body["callback_url"].endswith(token)


@pytest.mark.parametrize(
    ("gateway", "route", "body"),
    [
        ("cometapi", "pro/generate", {"callback_url": "https://studio.example/hook"}),
        ("cometapi", "pro/generate", {}),
        ("cometapi", "image_to_video", {}),
        ("runway", "image_to_video", {}),
        ("runway", "no_such_route", {}),
        ("cometapi", "pro/generate", {"callback_url": 7}),
    ],
)
def test_without_a_place_the_body_stays_as_it_is(gateway, route, body):
    assert with_token(settings(gateway), route, body) == ("", body)


def test_what_the_author_gave_is_not_changed():
    given = {"callback_url": OURS}
    with_token(settings(), "pro/generate", given)
    assert given == {"callback_url": OURS}
