"""What an answer means, whatever Airflow's REST API lets through."""

from __future__ import annotations

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.review.answer import Ending, review_of
from airflow_runway.core.review.form import NONE, REJECT, USE
from airflow_runway.core.review.shots import read_shots

FILES = [{"index": 0, "path": "file:///a.png"}, {"index": 1, "path": "file:///b.png"}]
SHOTS = read_shots(
    [{"runway_task_id": "one", "files": FILES}, ["two", "three"], None], labels=["a", "b", "c"]
)
PERSON = {"id": "7", "name": "Ada"}
AT = datetime.datetime(2026, 11, 25, 20, 0, tzinfo=datetime.UTC)


def answer(options, fields, **more):
    return {
        "chosen_options": options, "params_input": fields,
        "responded_by_user": PERSON, "responded_at": AT, **more,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("event", "ending", "variants"),
    [
        (answer([USE], {"shot_001": "B", "shot_002": "A"}), Ending.CHOSEN, ["B", "A", None]),
        (answer([USE], {"shot_001": "B", "shot_002": NONE}), Ending.CHOSEN, ["B", None, None]),
        (answer([USE], {"shot_001": "B", "shot_002": "Q"}), Ending.CHOSEN, ["B", None, None]),
        (answer([USE], {"shot_001": NONE, "shot_002": NONE}), Ending.NONE, [None] * 3),
        (answer([USE], {"shot_001": NONE}), Ending.UNUSABLE, [None] * 3),
        (answer([USE], {"shot_003": "A"}), Ending.UNUSABLE, [None] * 3),
        (answer([USE], {}), Ending.UNUSABLE, [None] * 3),
        (answer([USE], None), Ending.UNUSABLE, [None] * 3),
        (answer([USE], "A"), Ending.UNUSABLE, [None] * 3),
        (answer([USE], {"shot_001": ["A"], "shot_002": {"A": 1}}), Ending.UNUSABLE, [None] * 3),
        (answer([REJECT], {"shot_001": "A"}), Ending.REJECTED, [None] * 3),
        (answer([USE, REJECT], {"shot_001": "A"}), Ending.REJECTED, [None] * 3),
        (answer(["Approve"], {"shot_001": "A"}), Ending.UNUSABLE, [None] * 3),
        (answer([], {"shot_001": "A"}), Ending.UNUSABLE, [None] * 3),
        (answer(USE, {"shot_001": "A"}), Ending.UNUSABLE, [None] * 3),
        ({"error": "no", "error_type": "timeout"}, Ending.SILENCE, [None] * 3),
        ({"error": "no", "error_type": "unknown"}, Ending.UNUSABLE, [None] * 3),
        (
            {**answer([REJECT], {}), "responded_by_user": None, "timedout": True},
            Ending.SILENCE,
            [None] * 3,
        ),
        (None, Ending.SILENCE, [None] * 3),
        ([], Ending.SILENCE, [None] * 3),
    ],
)
def test_the_table(event, ending, variants):
    review, chosen = review_of(SHOTS, event)
    assert review["ending"] == ending
    assert [shot["variant"] for shot in review["shots"]] == variants
    assert [one["variant"] for one in chosen] == [one for one in variants if one]


def test_who_chose_what_and_when():
    event = answer([USE], {"shot_001": "B", "shot_002": "B", "shot_001_note": "warmer", "shot_002_note": " "})
    review, (first, second) = review_of(SHOTS, event)
    assert (review["responded_by"], review["responded_at"]) == ("Ada", "2026-11-25T20:00:00+00:00")
    assert first == {
        "number": 1, "label": "a", "variant": "B", "runway_task_id": "one", "path": "file:///b.png",
        "note": "warmer", "manifest": {"runway_task_id": "one", "files": [FILES[1]]},
        "responded_by": "Ada", "responded_at": "2026-11-25T20:00:00+00:00",
    }  # fmt: skip
    assert (second["runway_task_id"], second["path"], second["manifest"], second["note"]) == (
        "three", None, None, None,
    )  # fmt: skip
    json.dumps(review)


def test_a_note_remains_where_nothing_is_chosen():
    review, _ = review_of(SHOTS, answer([REJECT], {"shot_002_note": "too dark"}))
    assert review["shots"][1]["note"] == "too dark"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=8), some, max_size=3),
    max_leaves=8,
)
WORDS = st.sampled_from(["A", "B", NONE, "", "a", "Z"]) | ANYTHING
FIELDS = st.dictionaries(st.sampled_from(["shot_001", "shot_002", "shot_003", "shot_001_note", "x"]), WORDS)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "chosen_options": st.lists(st.sampled_from([USE, REJECT, "x"]), max_size=2) | ANYTHING,
            "params_input": FIELDS | ANYTHING,
            "responded_by_user": st.just(PERSON) | ANYTHING,
            "responded_at": ANYTHING,
            "error": ANYTHING,
            "error_type": st.sampled_from(["timeout", "unknown"]) | ANYTHING,
        },
    )
    | ANYTHING
)
def test_whatever_comes_only_a_clear_word_of_a_person_chooses(event):
    review, chosen = review_of(SHOTS, event)
    json.dumps([review, chosen])
    assert len(review["shots"]) == 3
    assert (review["ending"] == Ending.CHOSEN) == bool(chosen)
    for one in chosen:
        assert event["chosen_options"] == [USE]
        assert event["params_input"][f"shot_{one['number']:03}"] == one["variant"]
        assert review["responded_by"] is not None
