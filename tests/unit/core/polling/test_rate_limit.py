from __future__ import annotations

from itertools import pairwise

import pytest

from airflow_runway.core.polling import rate_limit
from airflow_runway.core.polling.rate_limit import DueQueue, RateLimit


def reads_until(limit, now, until):
    """How many reads a limit lets through."""
    count = 0
    while (now := limit.free_at(now)) < until:
        limit.started(now)
        count += 1
    return count


class TestRateLimit:
    def test_it_begins_at_full_speed(self):
        assert reads_until(RateLimit(), 100.0, 101.0) == pytest.approx(rate_limit.FASTEST, rel=0.05)

    def test_what_was_not_used_is_not_saved_up(self):
        limit = RateLimit()
        limit.started(100.0)
        assert reads_until(limit, 1000.0, 1001.0) <= rate_limit.FASTEST * (1 + rate_limit.LEEWAY) + 1

    def test_a_complaint_halves_what_was_really_read(self):
        limit = RateLimit()
        for number in range(200):
            limit.started(100.0 + number / 100)
        limit.slowed_down(102.0)
        assert limit.rate == pytest.approx(50.0, rel=0.05)

    def test_many_complaints_about_one_excess_count_once(self):
        limit = RateLimit()
        for number in range(100):
            limit.started(100.0 + number / 100)
        for number in range(50):
            limit.slowed_down(101.0 + number / 100)
        assert limit.rate == pytest.approx(50.0, rel=0.05)

    def test_retry_after_stops_everybody(self):
        limit = RateLimit()
        limit.slowed_down(100.0, retry_after=30.0)
        assert limit.free_at(101.0) == 130.0

    def test_without_a_number_there_is_a_short_silence(self):
        limit = RateLimit()
        limit.slowed_down(100.0)
        assert limit.free_at(100.0) == 100.0 + rate_limit.SHORT_SILENCE

    def test_an_endless_retry_after_is_asked_about_again(self):
        limit = RateLimit()
        limit.slowed_down(100.0, retry_after=86_400.0)
        assert limit.free_at(100.0) == 100.0 + rate_limit.LONGEST_SILENCE

    def test_a_later_complaint_does_not_shorten_the_silence(self):
        limit = RateLimit()
        limit.slowed_down(100.0, retry_after=30.0)
        limit.slowed_down(110.0)
        assert limit.free_at(111.0) == 130.0

    def test_it_never_stands_still_for_good(self):
        limit = RateLimit()
        for second in range(100):
            limit.slowed_down(100.0 + 2 * second)
        assert limit.rate == rate_limit.SLOWEST

    def test_good_answers_bring_it_back_by_a_constant_per_second(self):
        limit = RateLimit()
        limit.slowed_down(100.0)
        rates = []
        for second in range(1, 70):
            for part in range(10):
                limit.answered(100.0 + second + part / 10)
            rates.append(limit.rate)
        steps = [later - earlier for earlier, later in pairwise(rates[:50])]
        assert min(steps) == pytest.approx(max(steps))
        assert rates[20] < rate_limit.FASTEST
        assert rates[-1] == rate_limit.FASTEST

    def test_a_long_silence_earns_nothing(self):
        limit = RateLimit()
        limit.slowed_down(100.0)
        limit.answered(100_000.0)
        assert limit.rate <= rate_limit.SLOWEST + rate_limit.FASTEST / rate_limit.RECOVERY


class TestDueQueue:
    def test_who_has_waited_longest_comes_first(self):
        queue = DueQueue()
        for task, due in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
            queue.put(task, due)
        assert [queue.take(10.0) for _ in range(4)] == ["a", "b", "c", None]

    def test_nobody_starves_among_the_overdue(self):
        queue = DueQueue()
        for number in range(100):
            queue.put(f"t{number}", 0.0)
        taken, now = [], 0.0
        for _ in range(300):
            now += 1.0
            task = queue.take(now)
            taken.append(task)
            queue.put(task, now + 10.0)
        counts = {task: taken.count(task) for task in taken}
        assert set(counts.values()) == {3}

    def test_nothing_before_its_time(self):
        queue = DueQueue()
        queue.put("a", 5.0)
        assert queue.take(4.9) is None
        assert queue.next_due() == 5.0

    def test_the_earlier_of_two_wishes_counts(self):
        queue = DueQueue()
        queue.put("a", 5.0)
        queue.put("a", 3.0)
        queue.put("a", 9.0)
        assert queue.next_due() == 3.0
        assert queue.take(3.0) == "a"
        assert queue.take(100.0) is None

    def test_five_seconds_lie_between_two_reads_of_a_task(self):
        queue = DueQueue()
        queue.put("a", 0.0)
        queue.take(1.0)
        queue.put("a", 1.0)
        assert queue.next_due() == 6.0

    def test_what_was_dropped_does_not_come(self):
        queue = DueQueue()
        queue.put("a", 0.0)
        queue.drop("a")
        queue.drop("unknown")
        assert queue.take(10.0) is None
        assert len(queue) == 0

    def test_it_does_not_remember_for_ever(self):
        queue = DueQueue()
        for number in range(10_000):
            queue.put(f"t{number}", 0.0)
            queue.take(float(number))
        assert len(queue._read_at) < 300
        assert len(queue._heap) == 0
