"""Each generation counts once, parts add up to the whole, and what nobody knows is in no sum."""

from __future__ import annotations

from dataclasses import replace
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.journal.cost_sums import By, Sum, counted_once, day_of, selected, sum_of, sums_by
from airflow_runway.core.journal.costs import Cost

A = Cost(
    ids=("t1",), gateway="runway", origin="https://a", dag_id="a", charged=20.0, estimated=25.0, at=100.0
)


def total(*costs):
    return sum_of(counted_once(costs))


class TestOnce:
    def test_a_charge_counts_and_not_its_estimate(self):
        assert total(A) == Sum(generations=1, charged=20.0, charged_of=1)

    def test_without_a_charge_the_estimate_counts_apart(self):
        assert total(replace(A, charged=None)) == Sum(generations=1, estimated=25.0, estimated_of=1)

    def test_without_either_it_is_in_no_sum(self):
        assert total(replace(A, charged=None, estimated=None)) == Sum(generations=1, unknown=1)

    def test_a_charge_of_nothing_is_known(self):
        assert total(replace(A, charged=0.0)) == Sum(generations=1, charged=0.0, charged_of=1)

    def test_a_lost_answer_is_no_generation(self):
        assert total(Cost(lost=("a",), is_open=True, estimated=25.0)) == Sum(lost=1)

    def test_two_task_instances_with_one_generation(self):
        later = replace(A, dag_id="b", charged=None, at=200.0)
        (one,) = counted_once([later, A])
        assert one == A

    def test_who_spent_goes_before_who_was_only_told_of_it(self):
        named = replace(A, dag_id="b", at=50.0, is_spender=False, is_open=True, charged=None)
        (one,) = counted_once([named, A])
        assert (one.dag_id, one.is_open, one.is_spender) == ("a", False, True)

    def test_a_manifest_tells_the_charge_of_a_record(self):
        manifest = Cost(
            ids=("t1",), gateway="runway", charged=20.0, dag_id="save", at=500.0, is_spender=False
        )
        (one,) = counted_once([manifest, replace(A, charged=None)])
        assert one == A

    @pytest.mark.parametrize("change", [{"gateway": "cometapi"}, {"origin": "https://b"}, {"ids": ("t2",)}])
    def test_another_gateway_address_or_id_is_another_generation(self, change):
        assert total(A, replace(A, **change)) == Sum(generations=2, charged=40.0, charged_of=2)

    def test_a_manifest_that_fits_both_is_not_a_third(self):
        manifest = Cost(ids=("t1",), gateway="runway", charged=20.0, is_spender=False)
        assert total(A, replace(A, origin="https://b"), manifest).generations == 2

    def test_an_error_that_named_an_id_which_nobody_else_knows_is_a_lost_answer(self):
        assert total(replace(A, is_open=True, is_spender=False, charged=None)) == Sum(lost=1)


class TestTogether:
    LUMP = Cost(ids=("t1", "t2"), gateway="runway", estimated=50.0)

    def test_they_count_as_many_and_as_estimated(self):
        assert total(self.LUMP) == Sum(generations=2, estimated=50.0, estimated_of=2)

    def test_what_is_known_by_itself_is_taken_off(self):
        assert total(self.LUMP, A) == Sum(2, 20.0, 1, 30.0, 1)
        assert total(self.LUMP, A, replace(A, ids=("t2",))) == Sum(2, 40.0, 2)

    def test_a_sum_in_which_a_price_is_missing(self):
        assert total(replace(self.LUMP, estimated=20.0), A) == Sum(2, 20.0, 1, unknown=1)

    def test_a_later_sum_of_the_same_item_holds_the_earlier(self):
        later = replace(self.LUMP, ids=("t1", "t2", "t3"), estimated=75.0)
        assert total(self.LUMP, later) == total(later) == Sum(3, estimated=75.0, estimated_of=3)

    def test_also_where_it_keeps_only_the_last_ids(self):
        five, later = ("1", "2", "3", "4", "5"), ("2", "3", "4", "5", "6")
        both = replace(self.LUMP, ids=five, estimated=125.0), replace(self.LUMP, ids=later, estimated=150.0)
        assert total(*both).estimated == 150.0


class TestParts:
    def test_names_in_order_and_what_is_not_known_at_the_end(self):
        costs = [replace(A, ids=(name or "x",), team_name=name) for name in ("film", "", "ads")]
        assert list(sums_by(costs, By.TEAM)) == ["ads", "film", ""]

    def test_days_are_of_utc(self):
        assert day_of(0.0) == "1970-01-01"
        assert day_of(86_399.9) == "1970-01-01"
        assert day_of(86_400.0) == "1970-01-02"

    @pytest.mark.parametrize("at", [None, 1e300, -1e300, 1e13])
    def test_a_moment_that_is_none_has_no_day(self, at):
        assert day_of(at) == ""

    def test_what_is_selected(self):
        other = replace(A, ids=("t2",), dag_id="b", run_id="r", at=200.0)
        undated = replace(A, ids=("t3",), at=None)
        costs = [A, other, undated]
        assert selected(costs) == costs
        assert selected(costs, dag_id="a") == [A, undated]
        assert selected(costs, run_id="r") == [other]
        assert selected(costs, since=200.0) == [other, undated]


PRICES = st.none() | st.integers(0, 400).map(lambda quarter: quarter / 4)
IDS = st.sampled_from([f"t{number}" for number in range(6)])
SOURCES = st.builds(
    Cost,
    ids=IDS.map(lambda one: (one,)),
    charged=PRICES,
    estimated=PRICES,
    gateway=st.sampled_from(["", "runway", "cometapi"]),
    origin=st.sampled_from(["", "https://a", "https://b"]),
    dag_id=st.sampled_from(["", "a", "b"]),
    run_id=st.sampled_from(["", "r", "s"]),
    team_name=st.sampled_from(["", "film", "ads"]),
    model=st.sampled_from(["", "gen4"]),
    at=st.none() | st.integers(0, 10**6).map(float),
    is_open=st.booleans(),
    is_spender=st.booleans(),
)
LOST = st.builds(
    Cost,
    lost=st.sampled_from([("x",), ("y",), ("z",)]),
    is_open=st.just(True),
    dag_id=st.sampled_from(["a", "b"]),
)
TOGETHER = st.builds(Cost, ids=st.lists(IDS, min_size=2, unique=True).map(tuple), estimated=PRICES)


@given(st.lists(SOURCES | LOST | TOGETHER, max_size=12), st.sampled_from(By), st.randoms())
def test_parts_add_up_and_neither_order_nor_repetition_matters(costs, by, chance):
    counted = counted_once(costs)
    whole, parts = sum_of(counted), sums_by(counted, by).values()
    for name in Sum.__dataclass_fields__:
        assert isclose(getattr(whole, name), sum(getattr(part, name) for part in parts), abs_tol=1e-6)
    assert whole.generations == whole.charged_of + whole.estimated_of + whole.unknown
    again = [*costs, *costs]
    chance.shuffle(again)
    assert sum_of(counted_once(again)) == whole
    assert sum_of(counted_once(counted)) == whole


@given(st.lists(SOURCES, max_size=12))
def test_nothing_is_counted_twice_and_nothing_is_lost(costs):
    counted = counted_once(costs)
    for one in {cost.ids for cost in costs}:
        known = [cost for cost in costs if cost.ids == one]
        places = {(cost.gateway, cost.origin) for cost in known}
        # Never more than there are places that contradict each other, and at least one.
        assert 1 <= sum(cost.ids == one for cost in counted) <= len(places)
    everything = [cost.charged for cost in costs if cost.charged is not None]
    assert sum_of(counted).charged <= sum(everything) + 1e-6


@given(st.lists(SOURCES, min_size=1, max_size=8))
def test_one_generation_of_many_sources_costs_what_the_best_informed_says(costs):
    same = [replace(cost, ids=("t1",), gateway="runway", origin="https://a") for cost in costs]
    (one,) = counted_once(same)
    told = [cost.charged for cost in same if cost.charged is not None]
    assert one.charged == (max(told) if told else None)
    assert one.is_open == all(cost.is_open for cost in same)
    spenders = [cost for cost in same if cost.is_spender and cost.dag_id]
    if spenders:
        assert one.dag_id in {cost.dag_id for cost in spenders}
