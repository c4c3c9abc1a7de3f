"""What a record says of its model and its team, and how records without them are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.journal.record import Phase, Record, model_in, read_one

RECORD = Record(
    Phase.SUBMITTED, "f", "runway", "image_to_video", sent_at=1.0, anchored_at=1.0, runway_task_id="t1",
    model="gen4_turbo", team_name="film",
)  # fmt: skip


def test_both_come_back():
    assert read_one(RECORD.as_json()) == RECORD


@pytest.mark.parametrize("missing", [("model",), ("team_name",), ("model", "team_name")])
def test_a_record_from_before_has_neither(missing):
    value = {name: part for name, part in RECORD.as_json().items() if name not in missing}
    read = read_one(value)
    assert all(getattr(read, name) == "" for name in missing)
    assert read.runway_task_id == "t1"


@pytest.mark.parametrize(
    "model", ["gen4_turbo", "gen4.5", "veo3.1_fast", "org/model:latest", "act_two", "M" * 64]
)
def test_a_models_name_is_kept(model):
    assert model_in({"model": model, "promptText": "a secret idea"}) == model


@pytest.mark.parametrize(
    "other",
    [
        None,
        "",
        4,
        {"a": 1},
        ["gen4"],
        "a secret idea",
        "M" * 65,
        "key_0123456789abcdef",
        "x\x1b[2J",
        "gen4\n",
        "=1",
    ],
)
def test_what_is_no_models_name_is_not(other):
    assert model_in({"model": other}) == ""
    assert model_in({}) == ""


@given(st.text(max_size=200))
def test_nothing_long_or_odd_gets_into_a_record(text):
    found = model_in({"model": text})
    assert found in {"", text}
    assert len(found) <= 64
    assert found.isprintable()
    assert " " not in found
