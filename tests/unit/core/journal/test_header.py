"""A batch as a whole: what another try changes, and what other versions wrote."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_runway.core.journal.header import VERSION, Header, NewerVersionError, read_header

WHOLE = Header(1.5, 3, 4, True, 2, 1, 1, 3, 77)


def test_there_and_back():
    assert read_header(json.loads(json.dumps(WHOLE.as_json()))) == WHOLE


def test_what_0_1_0_wrote_has_no_pin():
    old = {"version": 1, "started_at": 5.0, "max_tries": 2, "chunks": 1, "concluded": False}
    assert read_header(old) == Header(5.0, 2, 1)


def test_0_1_0_cannot_read_what_is_written_now_and_so_sends_nothing():
    assert "started_at" not in WHOLE.as_json()  # which it reads first


def test_a_newer_version_is_refused():
    with pytest.raises(NewerVersionError, match=f"version {VERSION + 1}"):
        read_header({**WHOLE.as_json(), "version": VERSION + 1})


@pytest.mark.parametrize(
    "value", [None, [], "x", {}, {"version": 1}, {"version": 2}, {"version": 2, "began_at": 1}]
)
def test_what_is_none(value):
    with pytest.raises(ValueError, match="no header"):
        read_header(value)


def test_a_clear_is_known_by_max_tries():
    assert WHOLE.is_cleared(4)
    assert not WHOLE.is_cleared(3)


def test_a_retry_keeps_the_pin_and_the_deadline():
    assert WHOLE.retried() == replace(WHOLE, tries=3, anew_since=3, concluded=False)
    assert replace(WHOLE, concluded=False).retried().anew_since == WHOLE.anew_since


def test_a_clear_counts_the_deadline_anew():
    begun = WHOLE.begun(4, 9.0)
    assert (begun.began_at, begun.max_tries, begun.tries, begun.anew_since) == (9.0, 4, 3, 3)
    assert not begun.concluded
