from __future__ import annotations

import random

import pytest

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.models import CancelOutcome, RunwayTask, TaskStatus
from airflow_runway.core.polling import decisions
from airflow_runway.core.polling.decisions import (
    Finished,
    GaveUp,
    LookAgain,
    Wait,
    after_look,
    after_reading,
    after_trouble,
    first_look,
    timed_out,
)

NOW = 1_000_000.0


class NoChance(random.Random):
    """Jitter that does nothing."""

    def uniform(self, a, b):
        return (a + b) / 2


def wait(**fields):
    return Wait("t1", **{"deadline": NOW + 600, **fields})


def read(status, wait_=None, *, now=NOW, chance=None):
    return after_reading(wait_ or wait(), RunwayTask("t1", status), now=now, chance=chance or NoChance())


def fail(wait_=None, error=None, *, now=NOW):
    return after_trouble(
        wait_ or wait(), error or ErrorFacts(ErrorKind.READ, "down."), now=now, chance=NoChance()
    )


class TestAfterReading:
    @pytest.mark.parametrize("status", [TaskStatus.SUCCEEDED, TaskStatus.FAILED, TaskStatus.CANCELLED])
    def test_a_final_word_ends_it_even_after_the_deadline(self, status):
        decision = read(status, now=NOW + 10_000)
        assert decision == Finished(RunwayTask("t1", status))

    @pytest.mark.parametrize(
        "status", [TaskStatus.PENDING, TaskStatus.RUNNING, TaskStatus.UNKNOWN, TaskStatus.OUTPUT_MISSING]
    )
    def test_everything_else_is_looked_at_again_after_the_interval(self, status):
        decision = read(status, wait(interval=8))
        assert isinstance(decision, LookAgain)
        assert decision.after == 8
        assert decision.wait.seen

    def test_throttled_tasks_are_looked_at_less_often(self):
        assert read(TaskStatus.THROTTLED, wait(interval=8)).after == decisions.THROTTLED_INTERVAL

    def test_never_more_often_than_every_five_seconds(self):
        chance = random.Random(1)
        pauses = [read(TaskStatus.RUNNING, wait(interval=5), chance=chance).after for _ in range(200)]
        assert min(pauses) == 5

    def test_jitter_spreads_the_looks(self):
        chance = random.Random(1)
        pauses = [read(TaskStatus.RUNNING, wait(interval=10), chance=chance).after for _ in range(200)]
        assert 8 <= min(pauses) < 8.5
        assert 11.5 < max(pauses) <= 12

    def test_the_last_look_falls_on_the_deadline(self):
        assert read(TaskStatus.RUNNING, now=NOW + 597).after == 3

    @pytest.mark.parametrize("status", [TaskStatus.RUNNING, TaskStatus.UNKNOWN, TaskStatus.THROTTLED])
    def test_at_the_deadline_it_ends_with_what_was_seen_last(self, status):
        decision = read(status, now=NOW + 600)
        assert isinstance(decision, GaveUp)
        assert decision.error.kind is ErrorKind.TASK_TIMEOUT
        assert "t1" in str(decision.error)
        assert status.value in str(decision.error)
        assert "1970-01-12 13:56:40 UTC" in str(decision.error)

    def test_success_without_output_gets_five_more_looks(self):
        decision = read(TaskStatus.OUTPUT_MISSING)
        for _ in range(4):
            decision = read(TaskStatus.OUTPUT_MISSING, decision.wait)
            assert isinstance(decision, LookAgain)
        decision = read(TaskStatus.OUTPUT_MISSING, decision.wait)
        assert decision.error.kind is ErrorKind.OUTPUT_MISSING

    def test_another_word_in_between_starts_that_count_anew(self):
        decision = read(TaskStatus.OUTPUT_MISSING)
        assert read(TaskStatus.RUNNING, decision.wait).wait.looks_without_output == 0


class TestFirstLook:
    def test_a_thousand_waits_that_begin_together_are_spread_over_one_interval(self):
        chance = random.Random(1)
        looks = sorted(first_look(wait(interval=20), chance=chance) for _ in range(1000))
        assert looks[0] >= 5
        assert looks[-1] <= 25
        for second in range(5, 25):
            assert 25 <= sum(second <= look < second + 1 for look in looks) <= 80

    @pytest.mark.parametrize(
        ("interval", "running_for", "latest"),
        [
            (60, 0, 65),
            (60, 20, 45),  # as if the wait had begun when it was sent
            (60, 57, 10),
            (60, 10_000, 10),
            (10, 10_000, 10),
            (5, 10_000, 10),
            (60, -30, 65),  # a clock that was set back
        ],
    )
    def test_what_has_run_for_long_is_looked_at_soon_but_not_at_once(self, interval, running_for, latest):
        chance = random.Random(1)
        looks = [
            first_look(wait(interval=interval), chance=chance, running_for=running_for) for _ in range(2000)
        ]
        assert 5 <= min(looks) < 5.5
        assert latest - 0.5 < max(looks) <= latest

    @pytest.mark.parametrize(
        ("interval", "running_for", "latest"),
        [(60, 0, 65), (60, 57, 15), (10, 0, 15), (5, 0, 15), (10, 900, 15)],
    )
    def test_nor_before_anybody_could_use_it(self, interval, running_for, latest):
        chance = random.Random(1)
        looks = [
            first_look(wait(interval=interval), chance=chance, running_for=running_for, not_before=10)
            for _ in range(2000)
        ]
        assert 10 <= min(looks) < 10.5
        assert latest - 0.5 < max(looks) <= latest


class TestProgress:
    def test_the_next_look_comes_when_the_end_is_expected(self):
        decision = LookAgain(0, wait())
        for second, progress in ((0, 0.2), (10, 0.4), (20, 0.6), (30, 0.8)):
            task = RunwayTask("t1", TaskStatus.RUNNING, progress=progress)
            decision = after_reading(decision.wait, task, now=NOW + second, chance=NoChance())
        assert 10 < decision.after < 11

    def test_throttled_tasks_are_not_hurried_by_it(self):
        near = after_reading(
            wait(), RunwayTask("t1", TaskStatus.RUNNING, progress=0.5), now=NOW, chance=NoChance()
        )
        throttled = RunwayTask("t1", TaskStatus.THROTTLED, progress=0.99)
        decision = after_reading(near.wait, throttled, now=NOW + 10, chance=NoChance())
        assert decision.after == decisions.THROTTLED_INTERVAL

    def test_never_more_often_than_every_five_seconds_with_it_either(self):
        decision = LookAgain(0, wait(interval=5))
        for second in range(0, 50, 5):
            task = RunwayTask("t1", TaskStatus.RUNNING, progress=second / 50)
            decision = after_reading(decision.wait, task, now=NOW + second, chance=random.Random(second))
            assert decision.after >= 5


class TestNotSeeing:
    def test_a_new_task_may_stay_invisible_for_five_minutes(self):
        first = read(TaskStatus.NOT_VISIBLE)
        assert isinstance(read(TaskStatus.NOT_VISIBLE, first.wait, now=NOW + 299), LookAgain)
        lost = read(TaskStatus.NOT_VISIBLE, first.wait, now=NOW + 300)
        assert lost.error.kind is ErrorKind.TASK_LOST

    def test_a_task_seen_once_is_lost_after_three_looks_over_half_a_minute(self):
        one = read(TaskStatus.NOT_VISIBLE, wait(seen=True))
        two = read(TaskStatus.NOT_VISIBLE, one.wait, now=NOW + 40)
        assert isinstance(two, LookAgain)
        assert "was known" in str(read(TaskStatus.NOT_VISIBLE, two.wait, now=NOW + 41).error)

    def test_three_looks_in_a_hurry_are_not_enough(self):
        decision = read(TaskStatus.NOT_VISIBLE, wait(seen=True))
        for second in (5, 10, 15):
            decision = read(TaskStatus.NOT_VISIBLE, decision.wait, now=NOW + second)
            assert isinstance(decision, LookAgain)

    def test_seen_again_all_is_forgotten(self):
        one = read(TaskStatus.NOT_VISIBLE, wait(seen=True))
        again = read(TaskStatus.RUNNING, one.wait)
        assert again.wait.unseen_since is None
        assert again.wait.unseen_looks == 0

    def test_gone_after_having_been_seen_is_final(self):
        assert read(TaskStatus.GONE, wait(seen=True)).error.kind is ErrorKind.TASK_LOST

    def test_gone_before_it_was_seen_gets_three_looks_over_half_a_minute(self):
        one = read(TaskStatus.GONE)
        two = read(TaskStatus.GONE, one.wait, now=NOW + 15)
        assert isinstance(two, LookAgain)
        three = read(TaskStatus.GONE, two.wait, now=NOW + 31)
        assert "is not known to the server, after 3 readings" in str(three.error)


class TestAfterTrouble:
    def test_trouble_slows_down_and_never_ends_a_wait_that_has_seen_its_task(self):
        decision, pauses = LookAgain(0, wait(seen=True, deadline=NOW + 10_000)), []
        for _ in range(50):
            decision = fail(decision.wait)
            pauses.append(decision.after)
        assert pauses[:4] == [10, 20, 40, 60]
        assert pauses[-1] == decisions.LONGEST_BACK_OFF

    def test_a_good_reading_ends_the_back_off(self):
        decision = fail(fail(wait(seen=True)).wait)
        decision = read(TaskStatus.RUNNING, decision.wait)
        assert fail(decision.wait).after == 10

    def test_without_a_single_answer_it_ends_after_ten_tries_and_keeps_the_id(self):
        decision = LookAgain(0, wait(deadline=NOW + 10_000))
        for _ in range(9):
            decision = fail(decision.wait)
        decision = fail(decision.wait)
        assert decision.error.kind is ErrorKind.READ_REFUSED
        assert "t1" in str(decision.error)
        assert "down." in str(decision.error)

    def test_not_visible_is_an_answer(self):
        decision = read(TaskStatus.NOT_VISIBLE, wait(deadline=NOW + 10_000))
        for _ in range(20):
            decision = fail(decision.wait)
        assert isinstance(decision, LookAgain)

    def test_retry_after_is_obeyed(self):
        assert fail(error=ErrorFacts(ErrorKind.READ, "busy.", retry_after=120)).after == 120

    def test_jitter_does_not_shorten_retry_after(self):
        chance = random.Random(1)
        error = ErrorFacts(ErrorKind.READ, "busy.", retry_after=120)
        pauses = [after_trouble(wait(), error, now=NOW, chance=chance).after for _ in range(100)]
        assert min(pauses) == 120
        assert max(pauses) > 130

    def test_at_the_deadline_it_ends_and_tells_the_trouble(self):
        decision = fail(wait(seen=True), now=NOW + 600)
        assert decision.error.kind is ErrorKind.TASK_TIMEOUT
        assert "down." in str(decision.error)

    def test_a_wrong_address_ends_it_at_once(self):
        error = ErrorFacts(ErrorKind.READ_REFUSED, "404.")
        assert fail(error=error) == GaveUp(error)

    def test_a_refused_key_is_believed_the_second_time(self):
        error = ErrorFacts(ErrorKind.READ_REFUSED, "401.", key_refused=True)
        again = fail(error=error)
        assert isinstance(again, LookAgain)
        assert fail(again.wait, error) == GaveUp(error)

    def test_a_reading_in_between_forgives(self):
        error = ErrorFacts(ErrorKind.READ_REFUSED, "401.", key_refused=True)
        again = read(TaskStatus.RUNNING, fail(error=error).wait)
        assert isinstance(fail(again.wait, error), LookAgain)


class TestAfterLook:
    def test_a_reading_is_judged_as_one(self):
        task = RunwayTask("t1", TaskStatus.RUNNING)
        assert after_look(wait(), task, now=NOW, chance=NoChance()) == read(TaskStatus.RUNNING)

    @pytest.mark.parametrize("kind", [ErrorKind.READ, ErrorKind.READ_REFUSED])
    @pytest.mark.parametrize("key_refused", [True, False])
    def test_a_failed_read_is_trouble(self, kind, key_refused):
        error = ErrorFacts(kind, "no.", key_refused=key_refused)
        assert after_look(wait(), error, now=NOW, chance=NoChance()) == fail(error=error)

    @pytest.mark.parametrize("kind", [kind for kind in ErrorKind if not kind.startswith("read")])
    def test_any_other_error_ends_it_as_it_is(self, kind):
        error = ErrorFacts(kind, "no.")
        assert after_look(wait(), error, now=NOW, chance=NoChance()) == GaveUp(error)


@pytest.mark.parametrize(
    ("cancelled", "words"),
    [
        (None, "a RunwayTaskSensor with this id and a longer timeout picks it up at no cost"),
        (CancelOutcome.CANCELLED, "It was cancelled; a refund is not promised."),
        (CancelOutcome.ALREADY_FINISHED, "It has ended since"),
        (CancelOutcome.NOT_FOUND, "does not know it any more"),
        (CancelOutcome.NOT_SUPPORTED, "has no way to cancel"),
        (CancelOutcome.UNKNOWN, "it may go on and be charged"),
    ],
)
def test_a_deadline_tells_what_became_of_the_generation(cancelled, words):
    error = timed_out(wait(), cancelled=cancelled)
    assert error.kind is ErrorKind.TASK_TIMEOUT
    assert "Runway task t1 had not finished by 1970-01-12 13:56:40 UTC." in str(error)
    assert words in str(error)
