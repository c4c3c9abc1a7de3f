"""What follows from a router's list: the table, and what money hangs on."""

from __future__ import annotations

import itertools

import pytest

from airflow_runway.core.journal import evidence
from airflow_runway.core.journal.evidence import (
    Adopt,
    Found,
    LeaveToPerson,
    LookLater,
    Others,
    Window,
    closes_at,
    judge,
    over_at,
    unheld,
    window_of,
)
from airflow_runway.core.journal.record import Phase, Record
from airflow_runway.core.protocol.routers import RoutedRequest

RECORD = Record(
    Phase.INTENT, "x", "runway", "generate/video", sent_at=1000.0, router="film", taken_until=1600.0
)
ONE, TWO, UNNAMED = (
    RoutedRequest("t1", 1100.0), RoutedRequest("t2", 1200.0), RoutedRequest("", 1100.0),
)  # fmt: skip
TIMEOUT = 900.0
#: Word of the table → moments, findings.
TIMES = {"open": [0.0, 1000.0, 1779.9], "closed": [1780.0, 1899.9], "over": [1900.0, 9e9]}
GENERATIONS = {
    "known": [{"known": TWO}, {"known": TWO, "generations": (ONE,)}],
    "none": [{"generations": ()}],
    "one": [{"generations": (ONE,)}],
    "several": [{"generations": (ONE, TWO)}, {"generations": (UNNAMED,)}, {"generations": (ONE, UNNAMED)}],
}
ALL = list(itertools.product(TIMES, ["read", "unread"], GENERATIONS, [others.value for others in Others]))


def table():
    """The rows of the table in the module's docstring."""
    lines = evidence.__doc__.splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("====")]
    starts = [0]
    for column in lines[rules[0]].split("  ")[:-1]:
        starts.append(starts[-1] + len(column) + 2)
    for line in lines[rules[1] + 1 : rules[2]]:
        yield [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]


ROWS = list(table())


def row_of(*case):
    return next(
        row for row in ROWS if all(cell in {"any", value} for cell, value in zip(row, case, strict=False))
    )


def in_words(verdict):
    match verdict:
        case Adopt():
            return "adopt"
        case LookLater():
            return "wait"
        case LeaveToPerson():
            return "leave to a person"
    raise AssertionError(verdict)


def findings(read, generations, others):
    for fields in GENERATIONS[generations]:
        given = {"generations": (), **fields}
        if read == "unread":
            given["generations"] = None
        yield Found(others=Others(others), **given)


def test_the_table_of_the_docstring_is_what_happens():
    """Over all combinations: 72, several moments and findings for some of the words."""
    assert len(ALL) == 72
    for case in ALL:
        for now, found in itertools.product(TIMES[case[0]], findings(*case[1:])):
            assert in_words(judge(RECORD, found, now=now, evidence_timeout=TIMEOUT)) == row_of(*case)[-1], (
                case
            )


def test_every_row_is_needed():
    assert {tuple(row_of(*case)) for case in ALL} == {tuple(row) for row in ROWS}


def test_nothing_is_adopted_that_could_be_anothers():
    for case in ALL:
        for now, found in itertools.product(TIMES[case[0]], findings(*case[1:])):
            verdict = judge(RECORD, found, now=now, evidence_timeout=TIMEOUT)
            if isinstance(verdict, Adopt) and not found.known:
                assert (verdict.generation,) == tuple(found.generations)
                assert found.others is Others.NONE
                assert now >= RECORD.taken_until + evidence.CLOCKS_APART + evidence.LISTED_LATE


def test_it_is_told_when_looking_again_can_tell_more():
    found = Found((), Others.NONE)
    assert judge(RECORD, found, now=1700.0, evidence_timeout=TIMEOUT) == LookLater(80.0)
    assert judge(RECORD, found, now=1800.0, evidence_timeout=TIMEOUT) == LookLater(None)


@pytest.mark.parametrize(("timeout", "over"), [(0.0, 1780.0), (900.0, 1900.0)])
def test_it_is_not_over_before_the_list_was_certain(timeout, over):
    assert closes_at(RECORD) == 1780.0
    assert over_at(RECORD, timeout) == over


def test_the_window_is_wider_than_the_post_by_what_clocks_may_differ():
    assert window_of(1000.0, 1600.0) == Window(940.0, 1660.0)


@pytest.mark.parametrize(("begins", "meets"), [(0.0, False), (840.0, True), (1000.0, True), (1660.5, False)])
def test_windows_that_meet(begins, meets):
    other = Window(begins, begins + 100)
    assert window_of(1000.0, 1600.0).meets(other) is meets
    assert other.meets(window_of(1000.0, 1600.0)) is meets


def test_what_is_outside_or_held_does_not_count_and_each_counts_once():
    listed = [ONE, ONE, TWO, RoutedRequest("t0", 939.0), RoutedRequest("t9", 1661.0), UNNAMED, UNNAMED]
    window = window_of(1000.0, 1600.0)
    assert unheld(listed, window, {"t2"}) == (ONE, UNNAMED, UNNAMED)
