from __future__ import annotations

import itertools
import json
from dataclasses import replace

import pytest

from airflow_runway.core.journal import submission as journal
from airflow_runway.core.journal.submission import (
    UNREADABLE,
    Look,
    Phase,
    Policy,
    Reattach,
    Record,
    Refuse,
    Remote,
    Reuse,
    Submit,
    TryLater,
    decide,
    fingerprint,
    read_record,
    remote_of,
)
from airflow_runway.core.models import RunwayTask, TaskStatus

RECORD = Record(Phase.SUBMITTED, "same", "runway", "image_to_video", sent_at=1.0, runway_task_id="t1")
RECORDED = {
    "nothing": None,
    "unreadable": UNREADABLE,
    "intent": replace(RECORD, phase=Phase.INTENT, runway_task_id=""),
    "submitted": RECORD,
    "happy": replace(RECORD, phase=Phase.CLOSED, outcome="succeeded"),
    "unhappy": replace(RECORD, phase=Phase.CLOSED, outcome="failed"),
}
POLICIES = list(itertools.product(["fail", "resubmit"], ["reuse", "regenerate"]))
ALL = list(
    itertools.product(RECORDED, ["same", "changed"], ["no", "yes"], [r.value for r in Remote], POLICIES)
)


def table():
    """The rows of the table in the module's docstring."""
    lines = journal.__doc__.splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("====")]
    starts = [0]
    for column in lines[rules[0]].split("  ")[:-1]:
        starts.append(starts[-1] + len(column) + 2)
    for line in lines[rules[1] + 1 : rules[2]]:
        yield [line[start:end].strip() for start, end in zip(starts, [*starts[1:], None], strict=True)]


def expected(recorded, request, cleared, remote, policy):
    def fits(cell, *values):
        words = [word.strip() for word in cell.split(",")]
        return words == ["any"] or any(value in words for value in values)

    return next(
        row[-1]
        for row in table()
        if fits(row[0], recorded)
        and fits(row[1], request)
        and fits(row[2], cleared)
        and fits(row[3], remote)
        and fits(row[4], *policy)
    )


def decided(recorded, request, cleared, remote, policy):
    return decide(
        RECORDED[recorded],
        request,
        cleared=cleared == "yes",
        remote=Remote(remote),
        policy=Policy(resubmit_ambiguous=policy[0] == "resubmit", regenerate=policy[1] == "regenerate"),
    )


def in_words(decision):
    match decision:
        case Submit(replaces="", note=""):
            return "submit"
        case Submit(replaces="t1", note=""):
            return "submit, cancelling"
        case Submit(replaces=""):
            return "submit, telling"
        case Reattach("t1"):
            return "re-attach"
        case Reuse("t1"):
            return "reuse"
        case Look("t1"):
            return "look"
        case Refuse():
            return "refuse"
        case TryLater():
            return "try later"
    raise AssertionError(decision)


@pytest.mark.parametrize(("recorded", "request_", "cleared", "remote", "policy"), ALL)
def test_the_table_of_the_docstring_is_what_happens(recorded, request_, cleared, remote, policy):
    case = (recorded, request_, cleared, remote, policy)
    assert in_words(decided(*case)) == expected(*case)


def test_every_row_is_needed():
    used = {expected(*case) for case in ALL}
    assert used == {row[-1] for row in table()}


@pytest.mark.parametrize("case", ALL)
def test_nothing_is_submitted_beside_a_live_generation_unless_it_is_cancelled(case):
    """The invariant that money hangs on, without looking at the table."""
    recorded, _, _, remote, _ = case
    decision = decided(*case)
    if recorded in {"submitted", "happy", "unhappy"} and isinstance(decision, Submit):
        assert remote in {"alive", "done", "failed", "gone"}
        assert decision.replaces == ("t1" if remote == "alive" else "")


@pytest.mark.parametrize("case", [case for case in ALL if case[1] == "same" and case[2] == "no"])
def test_a_plain_retry_never_pays_for_a_generation_that_is_there(case):
    recorded, _, _, remote, policy = case
    if recorded in {"submitted", "happy"} and remote != "gone":
        assert isinstance(decided(*case), Reattach | Look)
    if recorded == "intent" and policy[0] == "fail":
        assert isinstance(decided(*case), Refuse)


class TestRecords:
    def test_a_record_survives_the_store(self):
        record = replace(
            RECORD, token="x", account={"credits": 5.0}, previous=("t0",), max_tries=2, anchored_at=3.0
        )
        assert read_record(json.loads(json.dumps(record.as_json()))) == record

    @pytest.mark.parametrize(
        "bad", [1, "x", [], {}, {"phase": "odd"}, {**RECORD.as_json(), "sent_at": "soon"}, True]
    )
    def test_what_cannot_be_understood_is_not_nothing(self, bad):
        assert read_record(bad) is UNREADABLE

    def test_nothing_is_nothing(self):
        assert read_record(None) is None


class TestFingerprint:
    def test_the_order_of_fields_does_not_matter(self):
        assert fingerprint("g", "c", "r", {"a": 1, "b": 2}) == fingerprint("g", "c", "r", {"b": 2, "a": 1})

    @pytest.mark.parametrize(
        "other", [("x", "c", "r", {}), ("g", "x", "r", {}), ("g", "c", "x", {}), ("g", "c", "r", {"a": 1})]
    )
    def test_everything_else_does(self, other):
        assert fingerprint("g", "c", "r", {}) != fingerprint(*other)

    def test_it_tells_nothing(self):
        assert "secret prompt" not in fingerprint("g", "c", "r", {"promptText": "secret prompt"})


@pytest.mark.parametrize(
    ("status", "remote"),
    [
        (TaskStatus.PENDING, Remote.ALIVE), (TaskStatus.THROTTLED, Remote.ALIVE), (TaskStatus.RUNNING, Remote.ALIVE),
        (TaskStatus.UNKNOWN, Remote.ALIVE), (TaskStatus.OUTPUT_MISSING, Remote.ALIVE),
        (TaskStatus.SUCCEEDED, Remote.DONE), (TaskStatus.FAILED, Remote.FAILED),
        (TaskStatus.CANCELLED, Remote.FAILED), (TaskStatus.GONE, Remote.GONE), (TaskStatus.NOT_VISIBLE, Remote.GONE),
    ],
)  # fmt: skip
def test_remote_states(status, remote):
    assert remote_of(RunwayTask("t1", status)) is remote
