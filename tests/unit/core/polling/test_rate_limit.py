from __future__ import annotations

from itertools import pairwise

import pytest

from airflow_runway.core.polling import rate_limit
from airflow_runway.core.polling.rate_limit import Agenda, Pace


def reads_until(pace, now, until):
    """How many reads a pace lets through."""
    count = 0
    while (now := pace.free_at(now)) < until:
        pace.started(now)
        count += 1
    return count


class TestPace:
    def test_it_begins_at_full_speed(self):
        assert reads_until(Pace(), 100.0, 101.0) == pytest.approx(rate_limit.FASTEST, rel=0.05)

    def test_what_was_not_used_is_not_saved_up(self):
        pace = Pace()
        pace.started(100.0)
        assert reads_until(pace, 1000.0, 1001.0) <= rate_limit.FASTEST * (1 + rate_limit.LEEWAY) + 1

    def test_a_complaint_halves_what_was_really_read(self):
        pace = Pace()
        for number in range(200):
            pace.started(100.0 + number / 100)
        pace.was_too_fast(102.0)
        assert pace.rate == pytest.approx(50.0, rel=0.05)

    def test_many_complaints_about_one_excess_count_once(self):
        pace = Pace()
        for number in range(100):
            pace.started(100.0 + number / 100)
        for number in range(50):
            pace.was_too_fast(101.0 + number / 100)
        assert pace.rate == pytest.approx(50.0, rel=0.05)

    def test_retry_after_stops_everybody(self):
        pace = Pace()
        pace.was_too_fast(100.0, retry_after=30.0)
        assert pace.free_at(101.0) == 130.0

    def test_without_a_number_there_is_a_short_silence(self):
        pace = Pace()
        pace.was_too_fast(100.0)
        assert pace.free_at(100.0) == 100.0 + rate_limit.SHORT_SILENCE

    def test_an_endless_retry_after_is_asked_about_again(self):
        pace = Pace()
        pace.was_too_fast(100.0, retry_after=86_400.0)
        assert pace.free_at(100.0) == 100.0 + rate_limit.LONGEST_SILENCE

    def test_a_later_complaint_does_not_shorten_the_silence(self):
        pace = Pace()
        pace.was_too_fast(100.0, retry_after=30.0)
        pace.was_too_fast(110.0)
        assert pace.free_at(111.0) == 130.0

    def test_it_never_stands_still_for_good(self):
        pace = Pace()
        for second in range(100):
            pace.was_too_fast(100.0 + 2 * second)
        assert pace.rate == rate_limit.SLOWEST

    def test_good_answers_bring_it_back_by_a_constant_per_second(self):
        pace = Pace()
        pace.was_too_fast(100.0)
        rates = []
        for second in range(1, 70):
            for part in range(10):
                pace.went_well(100.0 + second + part / 10)
            rates.append(pace.rate)
        steps = [later - earlier for earlier, later in pairwise(rates[:50])]
        assert min(steps) == pytest.approx(max(steps))
        assert rates[20] < rate_limit.FASTEST
        assert rates[-1] == rate_limit.FASTEST

    def test_a_long_silence_earns_nothing(self):
        pace = Pace()
        pace.was_too_fast(100.0)
        pace.went_well(100_000.0)
        assert pace.rate <= rate_limit.SLOWEST + rate_limit.FASTEST / rate_limit.RECOVERY


class TestAgenda:
    def test_who_has_waited_longest_comes_first(self):
        agenda = Agenda()
        for task, due in (("b", 2.0), ("a", 1.0), ("c", 3.0)):
            agenda.put(task, due)
        assert [agenda.take(10.0) for _ in range(4)] == ["a", "b", "c", None]

    def test_nobody_starves_among_the_overdue(self):
        agenda = Agenda()
        for number in range(100):
            agenda.put(f"t{number}", 0.0)
        taken, now = [], 0.0
        for _ in range(300):
            now += 1.0
            task = agenda.take(now)
            taken.append(task)
            agenda.put(task, now + 10.0)
        counts = {task: taken.count(task) for task in taken}
        assert set(counts.values()) == {3}

    def test_nothing_before_its_time(self):
        agenda = Agenda()
        agenda.put("a", 5.0)
        assert agenda.take(4.9) is None
        assert agenda.next_due() == 5.0

    def test_the_earlier_of_two_wishes_counts(self):
        agenda = Agenda()
        agenda.put("a", 5.0)
        agenda.put("a", 3.0)
        agenda.put("a", 9.0)
        assert agenda.next_due() == 3.0
        assert agenda.take(3.0) == "a"
        assert agenda.take(100.0) is None

    def test_five_seconds_lie_between_two_reads_of_a_task(self):
        agenda = Agenda()
        agenda.put("a", 0.0)
        agenda.take(1.0)
        agenda.put("a", 1.0)
        assert agenda.next_due() == 6.0

    def test_what_was_dropped_does_not_come(self):
        agenda = Agenda()
        agenda.put("a", 0.0)
        agenda.drop("a")
        agenda.drop("unknown")
        assert agenda.take(10.0) is None
        assert len(agenda) == 0

    def test_it_does_not_remember_for_ever(self):
        agenda = Agenda()
        for number in range(10_000):
            agenda.put(f"t{number}", 0.0)
            agenda.take(float(number))
        assert len(agenda._read_at) < 300
        assert len(agenda._heap) == 0
