from __future__ import annotations

import json

import pytest

from airflow_runway.core.journal import batch
from airflow_runway.core.journal.batch import Item, Limits, State, StopReason, begins_anew, intent, read_item


def item(state=State.RUNNING, **fields):
    return Item(**{"key": "k.0", "state": state, "as_written": "w", **fields})


def table():
    """The rows of the table in the module's docstring: recorded, policy, another try."""
    lines = batch.__doc__.splitlines()
    borders = [number for number, line in enumerate(lines) if line.startswith("====")]
    rows = lines[borders[1] + 1 : borders[2]]
    return [(row[:23].strip(), row[23:37].strip(), row[37:].strip()) for row in rows]


@pytest.mark.parametrize(("recorded", "policy", "another_try"), table())
def test_the_table_of_the_docstring_is_what_the_code_does(recorded, policy, another_try):
    what = None if recorded == "nothing" else item(State(recorded))
    for resubmit in (True, False) if policy == "any" else (policy == "resubmit",):
        assert begins_anew(what, resubmit=resubmit) == another_try.startswith("submits")


def test_every_state_is_in_the_table():
    assert {recorded for recorded, _, _ in table()} == {"nothing", *State}


class TestItem:
    def test_there_and_back(self):
        whole = item(
            State.FAILED, sent_at=1.5, runway_task_id="t1", estimated=25.0, charged=0.0, may_pass=True, note="Oh.",
            previous=("t0",), token="x", spent=5.0,
        )  # fmt: skip
        assert read_item(json.loads(json.dumps(whole.as_json()))) == whole

    def test_what_is_empty_is_not_written(self):
        assert set(item(State.INTENT).as_json()) == {"key", "state", "as_written"}

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
        )  # fmt: skip
        assert len(json.dumps([huge.as_json()] * batch.ITEMS_PER_CHUNK)) < 65_535


class TestLimits:
    def test_none(self):
        assert Limits(moderated=0).stop_reason([item()] * 1000, 50) is None

    @pytest.mark.parametrize(
        ("running", "starting", "free"), [(0, 0, True), (1, 0, True), (1, 1, False), (2, 0, False)]
    )
    def test_in_flight(self, running, starting, free):
        found = Limits(in_flight=2).stop_reason([item()] * running, starting)
        assert found is (None if free else StopReason.IN_FLIGHT)

    def test_what_has_ended_is_not_in_flight(self):
        assert Limits(in_flight=1).stop_reason([item(State.SUCCEEDED), item(State.FAILED)], 0) is None

    @pytest.mark.parametrize(
        ("most", "starting", "allowed"), [(75, 0, True), (74, 0, False), (100, 1, True), (99, 1, False)]
    )
    def test_credits(self, most, starting, allowed):
        items = [item(charged=25, runway_task_id="a"), item(estimated=25, runway_task_id="b")]
        found = Limits(credits=most).stop_reason(items, starting)
        assert found is (None if allowed else StopReason.BUDGET)

    def test_the_dearest_so_far_is_the_price_of_the_next(self):
        items = [item(charged=40, runway_task_id="a"), item(charged=5, runway_task_id="b")]
        assert Limits(credits=85).stop_reason(items, 0) is None
        assert Limits(credits=84).stop_reason(items, 0) is StopReason.BUDGET

    def test_the_first_tells_the_price(self):
        assert Limits(credits=100).stop_reason([], 0) is None
        assert Limits(credits=100).stop_reason([], 1) is StopReason.PRICE_UNKNOWN

    def test_a_gateway_that_tells_none(self):
        assert Limits(credits=100).stop_reason([item(runway_task_id="t1")], 3) is None

    def test_moderation_comes_first(self):
        items = [item(State.MODERATED)] * 2
        assert Limits(in_flight=1, moderated=2).stop_reason([*items, item()], 0) is StopReason.MODERATION
        assert Limits(moderated=3).stop_reason(items, 0) is None

    def test_which_are_final(self):
        assert {one for one in StopReason if not one.is_final} == {
            StopReason.IN_FLIGHT,
            StopReason.PRICE_UNKNOWN,
        }
