"""What one record, one manifest, one line of a batch says of what it cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.journal.accounts import Account
from airflow_runway.core.journal.costs import Cost, cost_of, costs_in
from airflow_runway.core.journal.entries import TaskKey
from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.journal.record import Phase, Record
from airflow_runway.core.models import RunwayTask, TaskStatus
from airflow_runway.core.owner import Owner
from airflow_runway.core.saving.manifest import manifest_of
from airflow_runway.operators._batch.manifest import Fate, Origin, line_of

TASK = TaskKey("campaign", "manual__1", "submit", 3)
OWNER = Owner("campaign", "manual__1", "submit", 3, "film")
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
RECORD = Record(
    Phase.CLOSED, "f", "runway", "image_to_video", sent_at=NOON, runway_task_id="t1", estimated_credits=25.0,
    charged_credits=20.0, outcome="succeeded", model="gen4_turbo", team_name="film",
    account=Account("https://api.dev.runwayml.com", "salt", "digest"),
)  # fmt: skip
FULL = Cost(
    ids=("t1",), charged=20.0, estimated=25.0, gateway="runway", origin="https://api.dev.runwayml.com",
    dag_id="campaign", run_id="manual__1", team_name="film", route="image_to_video", model="gen4_turbo", at=NOON,
)  # fmt: skip


def line(item, state=None, **changes):
    origin = Origin("runway", "image_to_video", OWNER)
    return line_of(0, item, Fate(state or item.state.value, None, False, []), origin, "gen4_turbo") | changes


def item(state=State.SUCCEEDED, **fields):
    return Item(**{"key": "k", "state": state, "as_written": "w", "sent_at": NOON, **fields})


class TestRecords:
    def test_all_that_is_known(self):
        assert cost_of(RECORD, TASK) == FULL

    @pytest.mark.parametrize(
        "outcome", ["succeeded", "failed", "cancelled", "timed_out", "lost", "returned", ""]
    )
    def test_how_it_ended_makes_no_difference(self, outcome):
        assert cost_of(replace(RECORD, outcome=outcome), TASK) == FULL

    def test_a_lost_answer_is_open_and_different_from_any_other(self):
        lost = replace(RECORD, phase=Phase.INTENT, runway_task_id="", charged_credits=None)
        one, other = cost_of(lost, TASK), cost_of(replace(lost, sent_at=NOON + 0.001), TASK)
        assert (one.is_open, one.ids) == (True, ())
        assert len({one.lost, other.lost, cost_of(lost, replace(TASK, map_index=4)).lost}) == 3

    def test_an_id_that_only_an_error_named_may_be_another_tasks(self):
        named = replace(RECORD, phase=Phase.INTENT)
        assert not cost_of(named, TASK).is_spender
        assert cost_of(named, TASK).is_open
        taken_up = cost_of(replace(RECORD, refused=True), TASK)
        assert (taken_up.is_spender, taken_up.is_open) == (False, False)


class TestManifests:
    def test_all_that_is_known(self):
        task = RunwayTask("t1", TaskStatus.SUCCEEDED, cost_credits=20.0)
        manifest = manifest_of(
            "t1", task, [], gateway="runway", route="image_to_video", saved_at="2026-11-20T13:00:00+00:00",
            model="gen4_turbo", owner=OWNER,
        )  # fmt: skip
        expected = replace(FULL, estimated=None, origin="", at=NOON + 3600, is_spender=False)
        assert costs_in(manifest, "x") == [expected]

    def test_one_of_0_1_0(self):
        old = {
            "manifest_version": 1, "runway_task_id": "t1", "gateway": "runway", "route": None, "status": "FAILED",
            "cost_credits": None, "saved_at": "2026-11-20T12:00:00+00:00", "files": [], "error": None,
        }  # fmt: skip
        assert costs_in(old, "x") == [Cost(ids=("t1",), gateway="runway", at=NOON, is_spender=False)]

    @pytest.mark.parametrize(
        "document",
        [
            None, 7, [], "x", {}, {"manifest_version": 2, "runway_task_id": "t1"}, {"manifest_version": 1},
            {"manifest_version": 1, "runway_task_id": "a/b"}, {"index": 0},
            {"manifest_version": 1, "runway_task_id": "t1", "cost_credits": "7"},
            {"manifest_version": 1, "runway_task_id": "t1", "cost_credits": -1},
            {"manifest_version": 1, "runway_task_id": "t1", "cost_credits": float("nan")},
            {"manifest_version": 1, "runway_task_id": "t1", "cost_credits": True},
            {"manifest_version": 1, "runway_task_id": "t1", "owner": [1]},
            {"manifest_version": 1, "runway_task_id": "t1", "owner": {"dag_id": 7}},
            {"manifest_version": 1, "runway_task_id": "t1", "saved_at": "yesterday"},
            {"index": 0, "state": "failed", "earlier_ids": "t1"},
            {"index": 0, "state": "failed", "earlier_lost_answers": 10**9},
        ],
    )  # fmt: skip
    def test_what_is_no_manifest(self, document):
        with pytest.raises(ValueError, match=r"."):
            costs_in(document, "x")


class TestLines:
    def test_all_that_is_known(self):
        assert costs_in(line(item(runway_task_id="t1", charged=20.0, estimated=25.0)), "x") == [
            replace(FULL, origin="")
        ]

    def test_one_of_0_1_0(self):
        old = {
            "index": 0, "state": "succeeded", "runway_task_id": "t1", "cost_credits": 20.0, "credits": 45.0,
            "note": None, "may_pass": False, "files": [],
        }  # fmt: skip
        assert costs_in(old, "x") == [Cost(ids=("t1",), charged=20.0)]

    @pytest.mark.parametrize("state", [State.FAILED, State.POSTPONED])
    def test_what_was_never_accepted_cost_nothing(self, state):
        assert costs_in(line(item(state)), "x") == []
        assert costs_in(line(None, "not_submitted"), "x") == []

    def test_earlier_generations_are_known_only_together(self):
        told = line(item(runway_task_id="t3", charged=20.0, previous=("t1", "t2"), spent=50.0))
        last, earlier = costs_in(told, "x")
        assert (last.ids, last.charged) == (("t3",), 20.0)
        assert (earlier.ids, earlier.estimated, earlier.charged) == (("t1", "t2"), 50.0, None)

    def test_a_sum_of_nothing_is_one_that_nobody_knows(self):
        told = line(item(runway_task_id="t2", charged=20.0, previous=("t1",)))
        assert costs_in(told, "x")[1].estimated is None

    def test_lost_answers_are_different_in_each_place_and_file(self):
        told = line(item(State.INTENT, lost=2))
        both = [*costs_in(told, "one"), *costs_in(told, "other")]
        assert all(cost.is_open for cost in both)
        assert len({cost.lost for cost in both}) == 6


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*line(item()), "manifest_version", "saved_at", *OWNER.as_json()]),
            inner,
            max_size=8,
        )
    ),
    max_leaves=20,
)


@given(JSON, st.booleans())
def test_any_document_is_understood_or_refused(document, is_one_of_ours):
    if is_one_of_ours and isinstance(document, dict):
        document = {"manifest_version": 1, "runway_task_id": "t1", "index": 0, "state": "failed", **document}
    try:
        found = costs_in(document, "x")
    except (ValueError, OverflowError):
        return
    for cost in found:
        assert all(price is None or price >= 0 for price in (cost.charged, cost.estimated))
        assert bool(cost.ids) != bool(cost.lost)
