from __future__ import annotations

import pytest

from airflow_runway.stores.submission import write_persistently


def test_once_is_enough_if_it_works(naps):
    calls = []
    assert write_persistently(lambda: calls.append(1)) is True
    assert (calls, naps) == ([1], [])


def test_it_gives_up_after_four(naps, caplog):
    calls = []

    def write():
        calls.append(1)
        raise ConnectionError("away")

    assert write_persistently(write) is False
    assert (len(calls), naps) == (4, [1, 2, 4])
    assert caplog.text.count("The journal could not be written.") == 4


def test_a_worker_that_is_stopped_is_not_held(naps):
    def write():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_persistently(write)
    assert naps == []
