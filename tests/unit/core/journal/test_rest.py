"""How long a batch does without a worker."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.journal.rest import LINGER, SHARE, WORTH_A_WORKER, Rest, rest_of

PLAIN = {
    "now": 1000.0, "deadline": 9000.0, "pauses": 0, "asks_again": False, "pause": None, "frees_at": None,
    "room": None, "saves": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "rest"),
    [
        ({}, Rest(None, 0, 0.0, 0.0, 0)),
        ({"asks_again": True}, Rest(1060.0, 0, 0.0, 0.0, 1)),
        ({"asks_again": True, "pauses": 3}, Rest(1480.0, 0, 0.0, 0.0, 4)),
        ({"asks_again": True, "pauses": 99}, Rest(4600.0, 0, 0.0, 0.0, 100)),
        ({"asks_again": True, "pause": 7.0}, Rest(1007.0, 0, 0.0, 0.0, 1)),
        ({"asks_again": True, "deadline": 1001.0}, Rest(1001.0, 0, 0.0, 0.0, 1)),
        ({"pauses": 3}, Rest(None, 0, 0.0, 0.0, 0)),
        ({"frees_at": 2000.0}, Rest(2000.0, 0, 0.0, 0.0, 0)),
        ({"room": 1}, Rest(None, 1, LINGER, SHARE, 0)),
        ({"room": 5}, Rest(None, 1, LINGER, SHARE, 0)),
        ({"room": 100}, Rest(None, 25, LINGER, SHARE, 0)),
        # An end that makes no room can wait: a file to be saved does not run away.
        ({"saves": True}, Rest(None, WORTH_A_WORKER, LINGER, 0.0, 0)),
        ({"saves": True, "room": 100}, Rest(None, 25, LINGER, SHARE, 0)),
        ({"saves": True, "room": 1000}, Rest(None, WORTH_A_WORKER, LINGER, SHARE, 0)),
    ],
)
def test_what_brings_a_worker_back(given, rest):
    assert rest_of(**PLAIN | given) == rest


@given(room=st.integers(1, 10_000), saves=st.booleans())
def test_enough_is_never_more_than_may_be_in_flight_nor_less_than_a_quarter_that_is_worth_it(room, saves):
    rest = rest_of(**PLAIN | {"room": room, "saves": saves})
    assert 1 <= rest.enough <= room
    assert rest.enough <= max(1, room * SHARE)
    assert saves or rest.enough > room * SHARE - 1
