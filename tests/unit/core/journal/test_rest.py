"""How long a batch does without a worker."""

from __future__ import annotations

import pytest

from airflow_runway.core.journal.rest import LINGER, LINGER_FOR_ROOM, Rest, rest_of

PLAIN = {
    "now": 1000.0, "deadline": 9000.0, "pauses": 0, "asks_again": False, "pause": None, "frees_at": None,
    "room": None, "saves": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("given", "rest"),
    [
        ({}, Rest(None, 0, 0.0, 0)),
        ({"asks_again": True}, Rest(1060.0, 0, 0.0, 1)),
        ({"asks_again": True, "pauses": 3}, Rest(1480.0, 0, 0.0, 4)),
        ({"asks_again": True, "pauses": 99}, Rest(4600.0, 0, 0.0, 100)),
        ({"asks_again": True, "pause": 7.0}, Rest(1007.0, 0, 0.0, 1)),
        ({"asks_again": True, "deadline": 1001.0}, Rest(1001.0, 0, 0.0, 1)),
        ({"pauses": 3}, Rest(None, 0, 0.0, 0)),
        ({"frees_at": 2000.0}, Rest(2000.0, 0, 0.0, 0)),
        ({"room": 5}, Rest(None, 1, LINGER_FOR_ROOM, 0)),
        ({"room": 100}, Rest(None, 25, LINGER_FOR_ROOM, 0)),
        ({"saves": True}, Rest(None, 50, LINGER, 0)),
        ({"saves": True, "room": 1000}, Rest(None, 50, LINGER_FOR_ROOM, 0)),
    ],
)
def test_what_brings_a_worker_back(given, rest):
    assert rest_of(**PLAIN | given) == rest
