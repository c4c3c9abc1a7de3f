"""Sums for people, programs and spreadsheets: nothing that nobody knows is 0, and no name does anything."""

from __future__ import annotations

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway._costs.forms import as_csv, as_json, as_table, facts, notes
from airflow_runway.core.journal.cost_sums import Sum

KNOWN = Sum(12, 300.0, 11, 25.0, 1)
UNKNOWN = Sum(3, unknown=3, lost=2)
TOTAL = Sum(15, 300.0, 11, 25.0, 1, 3, 2)


def test_a_table():
    assert as_table("dag", {"campaign": KNOWN, "": UNKNOWN}, TOTAL).splitlines() == [
        "dag        generations  charged  estimated only  unknown price  lost answers",
        "campaign            12      300              25              0             0",
        "(unknown)            3        -               -              3             2",
        "all                 15      300              25              3             2",
    ]


def test_one_row_is_its_own_total():
    assert len(as_table("dag", {"campaign": KNOWN}, KNOWN).splitlines()) == 2


def test_nothing_says_so():
    assert as_table("dag", {}, Sum()) == "Nothing was found: no generation, and no lost answer."


@pytest.mark.parametrize(
    ("amount", "shown"),
    [(0.0, "0"), (0.5, "0.5"), (12.345, "12.35"), (1234567.25, "1234567.25"), (100.0, "100")],
)
def test_large_sums_keep_their_cents(amount, shown):
    assert as_table("dag", {"a": Sum(1, amount, 1)}, Sum()).splitlines()[1].split()[2] == shown


def test_what_is_not_known_is_null():
    assert facts(UNKNOWN) == {
        "generations": 3, "charged_credits": None, "charged_generations": 0, "estimated_credits": None,
        "estimated_generations": 0, "unknown_generations": 3, "lost_answers": 2,
    }  # fmt: skip
    assert facts(Sum(1, 0.0, 1))["charged_credits"] == 0


def test_json():
    document = json.loads(
        as_json("team", {"since": None}, {"film": KNOWN, "": UNKNOWN}, TOTAL, not_counted=1)
    )
    assert document == {
        "by": "team", "since": None, "rows": [{"team": "film", **facts(KNOWN)}, {"team": None, **facts(UNKNOWN)}],
        "total": facts(TOTAL), "not_counted": 1,
    }  # fmt: skip


def test_csv_has_no_total():
    rows = list(csv.DictReader(io.StringIO(as_csv("dag", {"campaign": KNOWN, "": UNKNOWN}))))
    assert [row["dag"] for row in rows] == ["campaign", ""]
    assert [row["charged_credits"] for row in rows] == ["300.0", ""]
    assert [row["lost_answers"] for row in rows] == ["0", "2"]


@pytest.mark.parametrize(
    "name", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\uff1d1", "=", "\x00=1"]
)
def test_no_name_is_a_formula(name):
    (row,) = csv.reader(io.StringIO(as_csv("dag", {name: KNOWN}).partition("\n")[2]))
    assert row[0].lstrip()[0] not in "=+-@\uff1d"


@given(st.dictionaries(st.text(max_size=300), st.just(KNOWN), max_size=3))
def test_no_name_does_anything_to_a_terminal(rows):
    for text in (
        as_table("dag", rows, KNOWN),
        as_csv("dag", rows),
        as_json("dag", {}, rows, KNOWN, not_counted=0),
    ):
        assert all(line.isprintable() for line in text.split("\n"))
    assert len(as_table("dag", rows, KNOWN).splitlines()) <= 2 + len(rows)
    assert len(list(csv.reader(io.StringIO(as_csv("dag", rows))))) == 1 + len(rows)


def test_notes_say_what_is_in_no_sum():
    assert notes(KNOWN) == [
        "Estimated only: the most that 1 generation may cost, of which nobody was told a charge."
    ]
    assert notes(UNKNOWN, undated=4) == [
        "Unknown price: 3 generations, in no sum.",
        "Lost answers: 2. Each may have been charged; in no sum.",
        "Of unknown date, and in the table all the same: 4.",
    ]
    assert notes(Sum(1, 5.0, 1)) == []
