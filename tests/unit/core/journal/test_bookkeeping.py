"""The books of a batch: step by step, what a full count of the items comes to."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.journal.bookkeeping import Books
from airflow_runway.core.journal.item import Item, State, intent
from airflow_runway.core.journal.limits import Limits, StopReason, kind_of

NOW = 1000.0


def item(state=State.RUNNING, key="k.0", **fields):
    return Item(key, state, **{"as_written": "w", "sent_at": NOW, "kind": "A", **fields})


def books(*items, **limits):
    kept = Books(Limits(**{"timeout": 100.0, **limits}))
    for number, one in enumerate(items):
        kept.record(replace(one, key=f"{number}"))
    return kept


def reason(kept, kind="A", now=NOW, key="new"):
    return kept.stop_reason(key, kind, now)


def accepted(**fields):
    return item(runway_task_id="t", **fields)


class TestInFlight:
    def test_no_bound(self):
        assert reason(books(*[item()] * 1000, moderated=0)) is None

    @pytest.mark.parametrize(
        ("running", "starting", "free"), [(0, 0, True), (1, 0, True), (1, 1, False), (2, 0, False)]
    )
    def test_what_runs_and_what_is_under_way(self, running, starting, free):
        kept = books(*[item()] * running, in_flight=2)
        for number in range(starting):
            kept.start(f"s{number}", "A")
        assert reason(kept) is (None if free else StopReason.IN_FLIGHT)

    def test_what_has_ended_is_not(self):
        assert reason(books(item(State.SUCCEEDED), item(State.FAILED), in_flight=1)) is None

    def test_a_lost_answer_is_until_it_is_older_than_the_timeout(self):
        kept = books(item(State.INTENT), in_flight=1)
        assert reason(kept, now=NOW + 99) is StopReason.IN_FLIGHT
        assert kept.ages_at() == NOW + 100
        assert reason(kept, now=NOW + 100) is None
        assert kept.ages_at() is None

    def test_it_does_not_stand_in_its_own_way(self):
        assert reason(books(item(State.INTENT), in_flight=1), key="0") is None


class TestCredits:
    @pytest.mark.parametrize(
        ("most", "starting", "free"), [(75, 0, True), (74, 0, False), (100, 1, True), (99, 1, False)]
    )
    def test_what_is_spent_reserved_and_next(self, most, starting, free):
        kept = books(accepted(charged=25), accepted(estimated=25), credits=most)
        for number in range(starting):
            kept.start(f"s{number}", "A")
        assert reason(kept) is (None if free else StopReason.BUDGET)

    def test_the_dearest_of_a_kind_is_the_price_of_the_next(self):
        for most, found in ((85, None), (84, StopReason.BUDGET)):
            assert reason(books(accepted(charged=40), accepted(charged=5), credits=most)) is found

    def test_each_kind_has_its_price(self):
        kept = books(accepted(charged=40), accepted(charged=5, kind="B"), credits=50)
        assert reason(kept, "A") is StopReason.BUDGET
        assert reason(kept, "B") is None

    def test_the_first_of_a_kind_goes_alone(self):
        kept = books(accepted(charged=5), credits=100)
        assert reason(kept, "B") is None
        kept.start("x", "A")
        assert reason(kept, "B") is StopReason.PRICE_UNKNOWN
        kept = books(accepted(charged=5), credits=100)
        kept.start("x", "B")
        assert reason(kept, "A") is StopReason.PRICE_UNKNOWN

    def test_no_first_of_a_kind_where_nothing_is_left(self):
        assert reason(books(accepted(charged=100), credits=100), "B") is StopReason.BUDGET

    def test_a_lost_answer_costs_the_dearest_price_known(self):
        items = (accepted(charged=40, kind="B"), accepted(charged=5), item(State.INTENT))
        assert books(*items).committed() == 85
        assert reason(books(*items, credits=89)) is StopReason.BUDGET
        assert reason(books(*items, credits=90)) is None

    def test_also_when_it_is_old_or_was_submitted_again(self):
        old = books(accepted(charged=40), item(State.INTENT))
        assert reason(old, now=NOW + 1000) is None
        assert old.committed() == 80
        again = accepted(charged=40, lost=1)
        assert books(again).committed() == 80

    def test_while_no_price_is_known_one_may_be_open(self):
        assert reason(books(item(State.INTENT), credits=100)) is StopReason.PRICE_LOST
        assert reason(books(item(State.INTENT), credits=100), "B") is StopReason.PRICE_LOST
        known = books(accepted(charged=5), item(State.INTENT, kind="B"), credits=100)
        assert reason(known, "B") is StopReason.PRICE_LOST
        assert reason(known, "A") is None

    def test_a_gateway_that_tells_no_price_is_not_bounded(self):
        kept = books(accepted(), credits=1)
        kept.start("x", "A")
        assert reason(kept) is None

    def test_a_price_that_exceeds_the_bound_is_told_of_whom_it_was_not_known(self):
        kept = books(credits=20)
        kept.start("x", "A")
        kept.intend(item(State.INTENT, "x"))
        kept.record(accepted(key="x", estimated=25.0))
        assert kept.end("x")
        kept = books(accepted(charged=25, key="y"), credits=1)
        kept.start("x", "A")
        kept.record(accepted(key="x", estimated=25.0))
        assert not kept.end("x")


class TestHowOftenItWentWrong:
    def test_moderation_comes_first(self):
        items = [item(State.MODERATED)] * 2
        assert reason(books(*items, item(), in_flight=1, moderated=2)) is StopReason.MODERATION
        assert reason(books(*items, moderated=3)) is None
        assert reason(books(*items, moderated=0)) is None

    def test_lost_answers(self):
        assert reason(books(*[item(State.INTENT)] * 3)) is StopReason.LOST_ANSWERS
        assert reason(books(*[item(State.INTENT)] * 2)) is None
        assert reason(books(*[item(State.INTENT)] * 9, lost_answers=0)) is None

    def test_what_is_under_way_is_not_lost_until_it_ends_so(self):
        kept = books(lost_answers=1)
        kept.start("x", "A")
        kept.intend(item(State.INTENT, "x"))
        assert reason(kept) is None
        kept.end("x")
        assert reason(kept) is StopReason.LOST_ANSWERS

    def test_what_is_excused_counts_again_when_it_was_sent_again(self):
        kept = books(item(State.INTENT), item(State.MODERATED), lost_answers=1, moderated=1)
        kept.excuse(moderated=["1"], lost=["0"])
        assert reason(kept) is None
        kept.start("0", "A")
        kept.intend(intent(item(State.INTENT), key="0", as_written="w", now=NOW))
        kept.end("0")
        assert reason(kept) is StopReason.LOST_ANSWERS


BODY = {"model": "gen4.5", "duration": 5, "ratio": "1:1", "promptText": "a"}


class TestKinds:
    def test_a_prompt_makes_no_difference(self):
        assert kind_of(BODY) == kind_of({**BODY, "promptText": "b", "seed": 1})

    @pytest.mark.parametrize(
        "change", [{"model": "x"}, {"duration": 10}, {"ratio": "16:9"}, {"duration": None}]
    )
    def test_model_duration_and_ratio_do(self, change):
        assert kind_of(BODY) != kind_of({**BODY, **change})


def test_which_reasons_are_final():
    assert {one for one in StopReason if not one.is_final} == {StopReason.IN_FLIGHT, StopReason.PRICE_UNKNOWN}


def counted(items, under_way, now):
    """A full count, as slow and as plain as can be: in flight, credits, and what is committed."""
    lost = [one for one in items if one.state is State.INTENT and one.key not in under_way]
    prices = {}
    for one in items:
        if one.price is not None:
            prices[one.kind] = max(prices.get(one.kind, 0), one.price)
    dearest = max(prices.values(), default=0)
    told = sum(one.credits for one in items)
    untold = sum(prices.get(one.kind, dearest) for one in items if one.is_unpriced)
    answers = len(lost) + sum(one.lost for one in items)
    fresh = sum(one.sent_at + 100 > now for one in lost)
    running = sum(one.state is State.RUNNING for one in items)
    return running + len(under_way) + fresh, told, told + untold + answers * dearest


prices = st.one_of(st.none(), st.integers(0, 400).map(lambda number: number / 4))
changes = st.lists(
    st.tuples(st.integers(0, 5), st.sampled_from(["sent", *State]), prices, prices, st.integers(0, 60)),
    max_size=40,
)


@pytest.mark.property
@given(changes)
def test_step_by_step_they_come_to_what_a_full_count_comes_to(life):
    kept, items, now, under_way = Books(Limits(timeout=100.0)), {}, NOW, {}
    for number, what, estimated, charged, later in life:
        key, kind, now = f"{number}", "AB"[number % 2], now + later
        if what == "sent":
            if key in under_way:
                kept.end(key)
                del under_way[key]
                continue
            kept.start(key, kind)
            before = items.get(key)
            items[key] = intent(before, key=key, as_written="w", now=now, kind=kind)
            kept.intend(items[key])
            under_way[key] = kept.committed()
            continue
        before = items.get(key) or item(State.INTENT, key, sent_at=now, kind=kind)
        items[key] = replace(
            before,
            state=what,
            estimated=estimated,
            charged=charged,
            # Prices that were told once are known for good.
            dearest=before.price,
            runway_task_id="t" if what is not State.INTENT else before.runway_task_id,
        )
        kept.record(items[key])
    for key in under_way:
        kept.end(key)
    in_flight, told, committed = counted(list(items.values()), {}, now)
    assert kept.in_flight(now) == in_flight
    assert kept.credits() == pytest.approx(told)
    assert kept.committed() == pytest.approx(committed)
