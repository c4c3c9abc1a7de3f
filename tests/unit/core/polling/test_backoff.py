from __future__ import annotations

import random

import pytest

from airflow_runway.core.polling.backoff import backoff


class Most(random.Random):
    """Always the upper bound."""

    def uniform(self, a, b):
        assert a == 0
        return b


@pytest.mark.parametrize(
    ("tries", "bound"), [(1, 1), (2, 2), (3, 4), (4, 8), (5, 16), (6, 30), (7, 30), (10_000, 30)]
)
def test_the_bound_doubles_up_to_the_longest(tries, bound):
    assert backoff(tries, chance=Most()) == bound


@pytest.mark.parametrize("tries", [0, -1])
def test_before_the_first_failure_it_is_as_after_it(tries):
    assert backoff(tries, chance=Most()) == 1


@pytest.mark.parametrize(("tries", "bound"), [(1, 0.5), (5, 0.5), (200, 0.5)])
def test_the_longest_is_the_callers(tries, bound):
    assert backoff(tries, chance=Most(), longest=0.5) == bound


def test_without_a_bound_it_ends_somewhere_all_the_same():
    assert backoff(10_000, chance=Most(), longest=float("inf")) == 2.0**16


def test_those_who_failed_together_are_spread():
    chance = random.Random(1)
    pauses = [backoff(4, chance=chance) for _ in range(1000)]
    assert min(pauses) < 0.1
    assert max(pauses) > 7.9
    assert 3.5 < sum(pauses) / len(pauses) < 4.5


def test_the_same_chance_gives_the_same_pause():
    assert backoff(3, chance=random.Random(7)) == backoff(3, chance=random.Random(7))
