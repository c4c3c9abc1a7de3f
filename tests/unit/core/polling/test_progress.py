from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.polling import progress
from airflow_runway.core.polling.progress import next_interval, updated

INTERVAL = 10.0


def progress_of(*readings):
    """What is known after readings, each a time and a progress."""
    known = None
    for now, fraction in readings:
        known = updated(known, fraction, now)
    return known


def test_without_progress_it_is_the_interval():
    assert next_interval(progress_of((0, None), (10, None)), INTERVAL) == INTERVAL


def test_one_reading_says_nothing_of_the_speed():
    assert next_interval(progress_of((0, 0.3)), INTERVAL) == INTERVAL


def test_a_near_end_is_aimed_at():
    steady = progress_of((0, 0.2), (10, 0.4), (20, 0.6), (30, 0.8))
    assert next_interval(steady, INTERVAL) == pytest.approx(10 + progress.BEHIND)


def test_a_far_end_is_approached_within_bounds():
    assert next_interval(progress_of((0, 0.01), (10, 0.02)), INTERVAL) == progress.LONGEST_STRETCH * INTERVAL


def test_the_first_expectation_is_doubted():
    assert next_interval(progress_of((0, 0.2), (10, 0.4)), INTERVAL) == pytest.approx(
        30 * (1 - progress.FIRST_DOUBT)
    )


def test_an_end_that_seems_passed_is_looked_for_after_half_an_interval():
    assert next_interval(progress_of((0, 0.2), (10, 0.6), (20, 1.0)), INTERVAL) == INTERVAL / 2


def test_standing_still_is_not_trusted():
    still = progress_of((0, 0.1), (10, 0.5), (20, 0.5))
    assert still.doubt >= still.left
    assert next_interval(still, INTERVAL) == INTERVAL


def test_falling_back_begins_anew():
    again = progress_of((0, 0.1), (10, 0.8), (20, 0.05))
    assert again.left is None
    assert next_interval(again, INTERVAL) == INTERVAL


def test_a_reading_without_progress_in_between_changes_nothing():
    assert progress_of((0, 0.1), (10, 0.3), (20, None)) == progress_of((0, 0.1), (10, 0.3))


def test_a_clock_that_went_back_begins_anew():
    assert progress_of((100, 0.1), (50, 0.3)) == progress_of((50, 0.3))


@given(
    st.lists(st.tuples(st.floats(0, 1e6), st.one_of(st.none(), st.floats(0, 1))), min_size=1, max_size=20),
    st.floats(5, 600),
)
def test_whatever_is_reported_the_bounds_hold(readings, interval):
    bounds = progress.SHORTEST_STRETCH * interval, progress.LONGEST_STRETCH * interval
    assert bounds[0] <= next_interval(progress_of(*readings), interval) <= bounds[1]
