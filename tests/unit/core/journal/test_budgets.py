"""Ledgers: what their names say, what is room, and that nobody together spends more than is allowed."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_runway.core.journal.budgets import (
    PENDING,
    Bound,
    Reservation,
    Room,
    Standing,
    Word,
    exceeds,
    kind_on,
    prices_with,
    reservation_of,
    room_for,
    standings_in,
    task_mark,
)
from airflow_runway.core.journal.entries import TaskKey

NOW = 1_000_000.0
TASK = TaskKey("dag", "run", "film", 3)
BOUND = Bound("max_credits_per_run", 100)


def standing(name, amount, word=Word.ACCEPTED, *, at=NOW, task=TASK, kind="kindkind"):
    kind = kind_on("runway", "image_to_video", kind)
    return Standing(reservation_of(task, at, name, kind), word, amount)


class TestNames:
    def test_a_name_says_all(self):
        one = standing("a", 25_000_000)
        name = one.reservation.file(one.word, one.amount)
        assert name.startswith("0001000000000-")
        assert name.endswith("-3accepted-25000000.json")
        assert standings_in([name]) == [one]

    @given(st.lists(st.tuples(st.sampled_from(Word), st.none() | st.integers(0, 10**12)), min_size=1))
    def test_the_latest_word_counts_and_of_two_amounts_the_larger(self, words):
        own = standing("a", None).reservation
        (found,) = standings_in([own.file(word, amount) for word, amount in words])
        last = max(words, key=lambda one: list(Word).index(one[0]))[0]
        amounts = [amount for word, amount in words if word is last]
        assert found == Standing(own, last, None if None in amounts else max(amounts))

    def test_names_of_later_words_sort_later(self):
        own = standing("a", None).reservation
        names = [own.file(word, amount) for word in Word for amount in (None, 5)]
        assert sorted(names, key=lambda name: name.rsplit("-", 1)[0]) == names

    @pytest.mark.parametrize(
        "name", ["notes.txt", "1-2-3.json", "0001000000000-a-b-c-1reserved-x.json", ".json"]
    )
    def test_a_foreign_file_is_told(self, name):
        with pytest.raises(ValueError, match=name[:5]):
            standings_in([name])

    def test_a_word_that_is_none_is_foreign(self):
        name = standing("a", 5).reservation.file(Word.LOST, 5).replace("lost", "found")
        with pytest.raises(ValueError, match="found"):
            standings_in([name])

    def test_two_of_the_same_task_and_moment_are_two(self):
        assert standing("a", 1).reservation != standing("b", 1).reservation

    def test_a_kind_is_one_on_one_route_of_one_gateway(self):
        assert kind_on("runway", "r", "a") == kind_on("runway", "r", "a")
        others = [kind_on("runway", "s", "a"), kind_on("cometapi", "r", "a"), kind_on("runway", "r", "b")]
        assert len({*others, kind_on("runway", "r", "a")}) == 4


class TestRoom:
    def room(self, others, wanted, *, bound=BOUND, prices=None):
        own = standing("own", wanted, Word.RESERVED, task=TaskKey("dag", "run", "own"))
        return room_for([*others, own], own, bound, prices or {}, NOW)

    def test_what_fits(self):
        assert self.room([], 100).room is Room.FITS
        assert self.room([standing("a", 60)], 40).room is Room.FITS

    def test_what_is_spent_leaves_no_room(self):
        found = self.room([standing("a", 60)], 41)
        assert (found.room, found.spent) == (Room.EXCEEDED, 60)
        assert [one.amount for one in found.others] == [60]

    def test_what_is_about_to_be_sent_may_make_room(self):
        assert self.room([standing("a", 60, Word.RESERVED)], 41).room is Room.WAIT

    def test_what_was_about_to_be_sent_long_ago_may_have_been(self):
        old = standing("a", 60, Word.RESERVED, at=NOW - PENDING)
        assert self.room([old], 41).room is Room.EXCEEDED

    def test_what_was_lost_stays(self):
        assert self.room([standing("a", 60, Word.LOST)], 41).room is Room.EXCEEDED

    def test_what_was_withdrawn_does_not(self):
        assert self.room([standing("a", 60, Word.WITHDRAWN)], 100).room is Room.FITS

    def test_the_first_of_its_kind_goes_alone(self):
        assert self.room([standing("a", None, Word.RESERVED)], 1).room is Room.WAIT
        assert self.room([standing("a", None, Word.RESERVED)], None).room is Room.WAIT
        assert self.room([standing("a", 99, kind="other")], None).room is Room.FITS
        assert self.room([standing("a", 100, kind="other")], None).room is Room.EXCEEDED

    def test_a_price_that_the_ledger_tells_is_known(self):
        assert self.room([standing("a", 50)], None).room is Room.FITS
        assert self.room([standing("a", 51)], None).room is Room.EXCEEDED

    @pytest.mark.parametrize("word", [Word.LOST, Word.ACCEPTED, Word.SETTLED])
    def test_a_price_that_nobody_knows_lets_nothing_through(self, word):
        found = self.room([standing("a", None, word), standing("b", 1, kind="other")], 1)
        assert found.room is Room.UNKNOWN
        assert [one.amount for one in found.others] == [None]

    def test_a_lost_one_costs_the_dearest_price_of_its_kind(self):
        lost = standing("a", None, Word.LOST)
        prices = {lost.reservation.kind: 60}
        assert self.room([lost], 40, prices=prices).room is Room.FITS
        assert self.room([lost], 41, prices=prices).room is Room.EXCEEDED

    def test_a_bound_of_a_task_counts_what_that_task_spends(self):
        bound = Bound("max_credits_per_task", 100, task_mark(TaskKey("dag", "run", "own")))
        assert (
            self.room([standing("a", 60), standing("x", None, Word.LOST)], 100, bound=bound).room is Room.FITS
        )


class Submitter:
    """One that does what an operator does, one operation on the ledger at a time."""

    def __init__(self, number, kind, price, most):
        self.number, self.kind, self.price, self.most = number, kind, price, most
        self.attempt = 0
        self.state = "out"
        self.spent = 0
        self.own = None
        self.is_first = False

    def steps(self, ledger, prices, bound):
        """A generator: what stands between two yields happens at once."""
        while True:
            self.attempt += 1
            known = prices.get(self.kind)
            amount = self.most if known is None else known
            mark = f"{self.number:08d}{self.attempt:08d}"
            reservation = Reservation(int(NOW * 1000), f"{self.number:016d}", mark, self.kind)
            own = Standing(reservation, Word.RESERVED, amount)
            yield
            ledger.add(own)
            yield
            listed = set(ledger)
            yield
            room = room_for(listed, own, bound, dict(prices), NOW).room
            if room is not Room.FITS:
                ledger.discard(own)
                if room is not Room.WAIT or self.attempt > 20:
                    self.state = room
                    return
                yield
                continue
            self.own = own
            self.is_first = own.amount is None and self.kind not in prices_with(listed, prices)
            break
        yield  # the POST
        # Of one kind all have one price, and what a submitter bounds is cancelled at once if it is dearer.
        self.spent = self.price
        accepted = Standing(own.reservation, Word.ACCEPTED, self.price)
        self.state = "accepted"
        yield
        ledger.add(accepted)
        ledger.discard(own)
        yield
        if own.amount is None or self.price > own.amount:
            prices[self.kind] = max(self.price, prices.get(self.kind, 0))
            yield
            if exceeds(set(ledger), accepted, bound, dict(prices)):
                self.state, self.spent = "cancelled", 0
                ledger.add(Standing(own.reservation, Word.SETTLED, 0))
                ledger.discard(accepted)
                return
        prices.setdefault(self.kind, self.price)


@settings(max_examples=400)
@given(st.data())
def test_together_nobody_spends_more_than_is_allowed(data):
    """Whoever goes when: what was accepted, and not cancelled at once, is within the bound at every moment."""
    kinds = {f"{number:08d}": data.draw(st.integers(1, 60), label="price") for number in range(2)}
    bound = Bound("max_credits_per_run", data.draw(st.integers(0, 150), label="bound"))
    ledger, prices = set(), {}
    submitters = []
    for number in range(data.draw(st.integers(1, 6), label="submitters")):
        kind = data.draw(st.sampled_from(sorted(kinds)), label="kind")
        most = data.draw(st.none() | st.just(kinds[kind] + 5), label="max_credits")
        submitters.append(Submitter(number, kind, kinds[kind], most))
    under_way = {one.number: one.steps(ledger, prices, bound) for one in submitters}
    while under_way:
        number = data.draw(st.sampled_from(sorted(under_way)), label="goes")
        if next(under_way[number], "over") == "over":
            del under_way[number]
        assert sum(one.spent for one in submitters if one.number not in under_way) <= bound.most
        # The first of a kind may be one too many, until it is cancelled; it is alone with that.
        firsts = [one.spent for one in submitters if one.number in under_way and one.is_first]
        assert sum(one.spent for one in submitters) - max(firsts, default=0) <= bound.most


def test_alone_one_gets_through():
    """The property is not kept by letting nobody through."""
    one = Submitter(1, "0" * 8, 10, None)
    assert next(one.steps(set(), {}, Bound("b", 10)), "over") != "over"
    for _ in one.steps(set(), {}, Bound("b", 10)):
        pass
    assert (one.state, one.spent) == ("accepted", 10)
