"""Which budgets bound a task, as they are written in the configuration."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.journal.bounds import (
    as_credits,
    bound_of,
    least,
    millionths,
    of_a_day,
    read_credits,
    read_days,
)


@pytest.mark.parametrize(
    ("text", "credits_"), [("", None), ("  ", None), ("5000", 5000.0), (" 0.5 ", 0.5), ("0", 0)]
)
def test_a_number_of_credits(text, credits_):
    assert read_credits("max_credits_per_run", text) == credits_


@pytest.mark.parametrize("text", ["five", "-1", "nan", "inf", "1e999", "5 credits", "{{ x }}"])
def test_what_is_no_number_is_told_with_its_option(text):
    with pytest.raises(ValueError, match=r"\[runway\] max_credits_per_run is .* no number of credits"):
        read_credits("max_credits_per_run", text)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("", {}),
        ("500", {"": 500}),
        ("500, dag:campaign=2000, team:film=20000", {"": 500, "dag:campaign": 2000, "team:film": 20000}),
        ("dag:a=b=5", {"dag:a=b": 5}),
    ],
)
def test_bounds_of_a_day(text, days):
    assert read_days(text) == days


@pytest.mark.parametrize(
    "text", ["x", "campaign=5", "dag:=5", "dag:a=", "500, 600", "dag:a=5, dag:a=6", "team:a", "person:a=5"]
)
def test_bounds_of_a_day_that_are_none(text):
    with pytest.raises(ValueError, match=r"\[runway\] max_credits_per_day"):
        read_days(text)


def test_a_dag_has_its_own_bound_in_the_place_of_the_general_one_and_its_team_another():
    days = read_days("500, dag:campaign=2000, team:film=20000")
    assert list(of_a_day(days, "campaign", "film")) == [("campaign", "", 2000), ("", "film", 20000)]
    assert list(of_a_day(days, "other", "sound")) == [("other", "", 500)]
    assert list(of_a_day(days, "other", "")) == [("other", "", 500)]
    assert not list(of_a_day(read_days("team:film=1"), "other", ""))


def test_of_several_bounds_the_lowest_counts():
    assert least(None, 5, 3) == 3
    assert least(None, None) is None


@given(st.floats(0, 1e6))
def test_an_amount_is_never_less_and_a_bound_never_more_than_was_said(credits_):
    assert bound_of("b", credits_).most <= millionths(credits_)
    assert abs(millionths(credits_) - credits_ * 1e6) <= 1
    assert abs(bound_of("b", credits_).most - credits_ * 1e6) <= 1


def test_ordinary_credits_are_exact():
    assert [millionths(one) for one in (0.1, 0.3, 25, 1 / 3)] == [100_000, 300_000, 25_000_000, 333_334]
    assert [as_credits(one) for one in (25_000_000, 333_334, 0)] == ["25", "0.333334", "0"]
