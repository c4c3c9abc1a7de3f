from __future__ import annotations

import json

import pytest

from airflow_runway.core.journal.item import ITEMS_PER_CHUNK, Item, State, intent, read_item


def item(state=State.RUNNING, **fields):
    return Item(**{"key": "k.0", "state": state, "as_written": "w", "content": "k", **fields})


class TestItem:
    def test_there_and_back(self):
        whole = item(
            State.FAILED, sent_at=1.5, runway_task_id="t1", estimated=25.0, charged=0.0, may_pass=True, note="Oh.",
            previous=("t0",), token="x", spent=5.0, content="c", kind="k", sent_in=3, lost=1, dearest=30.0,
        )  # fmt: skip
        assert read_item(json.loads(json.dumps(whole.as_json()))) == whole

    def test_what_is_empty_is_not_written(self):
        assert set(item(State.INTENT).as_json()) == {"key", "state", "as_written", "content"}

    def test_a_later_version_is_readable(self):
        assert read_item({**item().as_json(), "colour": "blue"}) == item()

    @pytest.mark.parametrize("value", [None, [], "x", {}, {"key": "k", "state": "odd", "as_written": "w"}])
    def test_what_is_none(self, value):
        with pytest.raises(ValueError, match=r"no item|odd"):
            read_item(value)

    def test_a_note_is_short_and_harmless(self):
        ended = item().ended(State.FAILED, note="https://e/a?X-Amz-Signature=secret " + "x" * 1000)
        assert "secret" not in ended.note
        assert len(ended.note) <= 200

    def test_what_it_costs(self):
        assert item(estimated=25).credits == 25
        assert item(estimated=25, charged=20).credits == 20
        assert item(estimated=25, charged=0.0).credits == 0
        again = intent(item(charged=20, runway_task_id="t1"), key="k.0", as_written="w", now=2.0)
        assert (again.credits, again.previous) == (20, ("t1",))

    def test_the_largest_chunk_fits(self):
        huge = item(
            State.FAILED, key="x" * 30, sent_at=1e9 + 0.123456, runway_task_id="i" * 200, estimated=1e6, charged=1e6,
            spent=1e6, may_pass=True, note="\u7dda" * 200, previous=("i" * 40,) * 5, token="t" * 16,
            content="c" * 24, kind="k" * 8, as_written="w" * 24, sent_in=99, lost=99, dearest=1e6,
        )  # fmt: skip
        assert len(json.dumps([huge.as_json()] * ITEMS_PER_CHUNK)) < 65_535

    @pytest.mark.parametrize(
        "name", ["spent", "charged", "estimated", "sent_at", "lost", "sent_in", "dearest"]
    )
    @pytest.mark.parametrize("value", ["5", True, [1], float("nan"), float("inf")])
    def test_an_amount_that_is_none_is_not_taken_for_one(self, name, value):
        with pytest.raises(ValueError, match="no number"):
            read_item({**item().as_json(), name: value})

    @pytest.mark.parametrize("value", ["../organization", "a b", 5, "..", "x" * 201])
    @pytest.mark.parametrize(
        "as_stored", [lambda one: {"runway_task_id": one}, lambda one: {"previous": [one]}]
    )
    def test_an_id_that_a_person_wrote_there_is_asked_for_only_if_it_is_one(self, value, as_stored):
        with pytest.raises(ValueError, match="no Runway task id"):
            read_item({**item().as_json(), **as_stored(value)})

    def test_what_0_1_0_wrote_is_known_by_its_content(self):
        old = {"key": "abc.1", "state": "running", "as_written": "w", "runway_task_id": "t1"}
        assert read_item(old) == Item("abc.1", State.RUNNING, "w", runway_task_id="t1", content="abc")

    def test_a_lost_answer_is_carried_on(self):
        lost = item(State.INTENT, estimated=None, dearest=40.0, lost=1)
        again = intent(lost, key="k.0", as_written="w", now=2.0)
        assert (again.lost, again.dearest, again.price) == (2, 40.0, 40.0)
        assert again.was_paid_for

    def test_only_what_may_have_been_charged_was_paid_for(self):
        assert not item(State.FAILED).was_paid_for
        assert not item(State.POSTPONED).was_paid_for
        assert item(State.INTENT).was_paid_for
        assert item(State.FAILED, runway_task_id="t1").was_paid_for
        assert item(State.POSTPONED, previous=("t1",)).was_paid_for
