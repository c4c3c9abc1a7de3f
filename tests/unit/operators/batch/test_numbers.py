"""Numbers add up, and no two tasks write one manifest."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from unit.operators.batch_tries import prompts

from airflow_runway.exceptions import RunwayBatchError
from airflow_runway.operators._batch.manifest import own_name


class TestTheNameOfAManifest:
    def test_plain_ids_stand_in_it_as_they_are(self):
        assert own_name("dag", "task", "run-1", -1) == "dag.task.run-1.manifest.jsonl"
        assert own_name("dag", "task", "run-1", 0) == "dag.task.run-1.0.manifest.jsonl"

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            (("d", "t", "2026-01-01T00:00:00+00:00", -1), ("d", "t", "2026-01-01T00_00_00_00_00", -1)),
            (("d", "t", "a b", -1), ("d", "t", "a/b", -1)),
            (("a.b", "c", "r", -1), ("a", "b.c", "r", -1)),
            (("d", "t", "x" * 200 + "1", -1), ("d", "t", "x" * 200 + "2", -1)),
            (("d", "t", "r", None), ("d", "t", "r", 0)),
            (("\u00e4", "t", "r", -1), ("\u00f6", "t", "r", -1)),
        ],
    )
    def test_what_differs_only_in_odd_characters_differs(self, one, other):
        assert own_name(*one) != own_name(*other)

    @given(
        st.lists(
            st.tuples(*[st.text("aB._-/ \u00e4", min_size=1, max_size=4)] * 3),
            min_size=2,
            max_size=2,
            unique=True,
        )
    )
    def test_any_two(self, both):
        names = {own_name(*one, -1) for one in both}
        assert len(names) == 2
        assert all("/" not in name for name in names)


class TestSums:
    def test_requests_that_left_the_list_are_in_the_credits(self, batch):
        one = batch(requests=prompts("a", "b", "c"))
        one.to_the_end()
        one.clear()
        result = one.to_the_end(requests=prompts("c", "d"))
        assert (result["total"], result["credits"], result["credits_off_list"]) == (2, 100, 50)

    def test_earlier_generations_are_too(self, batch, tmp_path):
        path = tmp_path / "manifest.jsonl"
        one = batch(requests=prompts("a", "b"), manifest=f"file://{path}")
        one.gateway.endings = {"b": "FAILED"}
        one.to_the_end()
        one.gateway.endings = {}
        one.clear()
        result = one.to_the_end()
        assert result["credits"] == 75
        assert [json.loads(line)["credits"] for line in path.read_text().splitlines()] == [25, 50]

    def test_a_line_says_whose_money_went_where(self, batch, tmp_path):
        path = tmp_path / "manifest.jsonl"
        one = batch(requests=[*prompts("a", "b"), {"promptText": "c"}], manifest=f"file://{path}")
        one.gateway.endings, one.gateway.refused = {"b": "FAILED"}, {"c"}
        one.to_the_end()
        one.clear()
        one.gateway.endings = {}
        one.to_the_end()
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        owner = {"dag_id": "dag", "run_id": "run", "task_id": "task", "map_index": None, "team_name": None}
        assert [line["owner"] for line in lines] == [owner] * 3
        assert [(line["gateway"], line["route"]) for line in lines] == [("runway", "text_to_video")] * 3
        assert [line["model"] for line in lines] == ["gen4.5", "gen4.5", None]
        assert [line["runway_task_id"] for line in lines] == ["t1", "t3", None]
        assert [line["earlier_ids"] for line in lines] == [[], ["t2"], []]
        assert [line["earlier_credits"] for line in lines] == [0, 25, 0]
        assert [line["earlier_lost_answers"] for line in lines] == [0, 0, 0]
        assert all(datetime.fromisoformat(line["sent_at"]).tzinfo for line in lines[:2])

    def test_an_unfinished_item_is_named_with_its_id(self, batch, tmp_path):
        path = tmp_path / "manifest.jsonl"
        one = batch(
            timeout=600, cancel_on_timeout=False, on_partial_failure="fail", manifest=f"file://{path}"
        )
        trigger = one.begin()
        one.now = trigger.deadline
        with pytest.raises(RunwayBatchError, match=r"3 unfinished.*charged if they finish: t1, t2, t3"):
            one.go_on(trigger, ended=[])
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        assert [line["runway_task_id"] for line in lines] == ["t1", "t2", "t3"]
        assert "t2" in lines[1]["note"]

    def test_one_that_left_the_list_is_named_too(self, batch):
        one = batch(timeout=600, cancel_on_timeout=False)
        one.begin()
        one.clear()
        trigger = one.begin(requests=[*prompts("a"), 7])
        one.now = trigger.deadline
        one.go_on(trigger, ended=[], requests=[*prompts("a"), 7])
        assert (
            "Requests have left the list. Not known to have ended, and charged if they finish: t2, t3."
            in one.log.text
        )

    def test_what_is_to_come_is_not_counted_twice(self, batch):
        one = batch(requests=prompts(*"abcd"), max_in_flight=1)
        one.gateway.refused = set("abcd")
        one.to_the_end()
        one.gateway.refused = set()
        one.clear()
        one.log.text = ""
        one.begin()
        assert "0 of 4 succeeded, 0 running, 4 to come, 0 ended otherwise" in one.log.text
