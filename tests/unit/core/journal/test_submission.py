from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from airflow_runway.core.journal import submission as journal
from airflow_runway.core.journal.submission import (
    UNREADABLE,
    AccountMatch,
    Elsewhere,
    Look,
    Phase,
    Policy,
    Reattach,
    Record,
    Refuse,
    Remote,
    Reuse,
    Search,
    Submit,
    TryLater,
    decide,
    remote_of,
)
from airflow_runway.core.models import RunwayTask, TaskStatus

RECORD = Record(Phase.SUBMITTED, "same", "runway", "image_to_video", sent_at=1.0, runway_task_id="t1")
CLOSED = replace(RECORD, phase=Phase.CLOSED)
NAMED = replace(RECORD, phase=Phase.INTENT)
#: Word of the table → records that it means.
RECORDED = {
    "nothing": [None],
    "unreadable": [UNREADABLE],
    "intent": [replace(RECORD, phase=Phase.INTENT, runway_task_id="")],
    "traceable": [replace(RECORD, phase=Phase.INTENT, runway_task_id="", router="film", taken_until=9.0)],
    "named": [NAMED],
    "refused": [replace(NAMED, refused=True)],
    "accepted": [
        RECORD,
        *(replace(CLOSED, outcome=word) for word in ("returned", "succeeded", "timed_out", "error")),
    ],
    "failed": [
        replace(CLOSED, outcome="failed"),
        replace(CLOSED, outcome="cancelled"),
        replace(CLOSED, outcome="stopped: cancelled"),
    ],
    "lost": [replace(CLOSED, outcome="lost")],
}
POLICIES = list(itertools.product(["fail", "resubmit", "recover"], ["reuse", "regenerate"]))
ALL = list(
    itertools.product(
        RECORDED,
        ["same", "changed"],
        ["no", "yes"],
        [remote.value for remote in Remote],
        [account.value for account in AccountMatch],
        POLICIES,
        ["no", "yes"],
    )
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


def row_of(recorded, request, cleared, remote, account, policy, mapped):
    def fits(cell, *values):
        words = [word.strip() for word in cell.split(",")]
        return words == ["any"] or any(value in words for value in values)

    return next(
        row
        for row in ROWS
        if fits(row[0], recorded)
        and fits(row[1], request)
        and fits(row[2], cleared)
        and fits(row[3], remote)
        and fits(row[4], account)
        and fits(row[5], *policy)
        and fits(row[6], mapped)
    )


ROWS = list(table())


def decided(record, request, cleared, remote, account, policy, mapped):
    return decide(
        record
        if not isinstance(record, Record) or request == "same"
        else replace(record, fingerprint="other"),
        "same",
        cleared=cleared == "yes",
        remote=Remote(remote),
        account=AccountMatch(account),
        mapped=mapped == "yes",
        policy=Policy(
            resubmit_ambiguous=policy[0] == "resubmit",
            recover_ambiguous=policy[0] == "recover",
            regenerate=policy[1] == "regenerate",
        ),
    )


def in_words(decision):  # noqa: C901 - one line per decision
    match decision:
        case Submit(replaces="", leaves=""):
            return "submit"
        case Submit(replaces="t1", leaves=""):
            return "submit, replacing"
        case Submit(replaces="", leaves="t1"):
            return "submit, leaving"
        case Reattach():
            return "re-attach"
        case Reuse():
            return "reuse"
        case Look():
            return "look"
        case Search():
            return "search"
        case Refuse():
            return "refuse"
        case TryLater():
            return "try later"
        case Elsewhere():
            return "elsewhere"
    raise AssertionError(decision)


def test_the_table_of_the_docstring_is_what_happens():
    """Over all combinations: 7,776 cases, several records for some of the words."""
    for case in ALL:
        for record in RECORDED[case[0]]:
            assert in_words(decided(record, *case[1:])) == row_of(*case)[-1], (record, case)


def test_every_row_is_needed():
    assert {tuple(row_of(*case)) for case in ALL} == {tuple(row) for row in ROWS}


def test_the_decision_names_the_record_that_it_is_about():
    for case in ALL:
        for record in RECORDED[case[0]]:
            decision = decided(record, "same", *case[2:])
            if isinstance(decision, Look | Reattach | Reuse | Search | Refuse | Elsewhere):
                assert decision.record == record


class TestWhatMoneyHangsOn:
    """Invariants, without looking at the table."""

    def submitting(self):
        for case in ALL:
            for record in RECORDED[case[0]]:
                decision = decided(record, *case[1:])
                if isinstance(record, Record) and isinstance(decision, Submit):
                    yield record, case, decision

    def test_nothing_is_submitted_beside_a_live_generation_that_nobody_hears_of(self):
        for record, (word, _, _, remote, _, _, mapped), decision in self.submitting():
            if record.runway_task_id:
                assert remote in {"alive", "done", "failed", "gone"}
                if remote == "alive":
                    is_left = mapped == "yes" or word in {"named", "refused"}
                    assert (decision.leaves if is_left else decision.replaces) == "t1"

    def test_what_only_an_error_has_named_is_never_cancelled(self):
        for record, _, decision in self.submitting():
            assert not (record.is_doubtful and decision.replaces)
        taken_up = replace(RECORD, refused=True)
        assert decide(taken_up, "other", cleared=False, remote=Remote.ALIVE) == Submit(leaves="t1")

    def test_nothing_is_cancelled_in_a_mapped_task_or_where_it_was_not_seen_to_run(self):
        for _, (_, _, _, remote, _, _, mapped), decision in self.submitting():
            if decision.replaces:
                assert (remote, mapped) == ("alive", "no")

    def test_for_the_same_request_a_404_is_gone_only_on_its_own_account(self):
        for record, (_, request, cleared, remote, account, policy, _), decision in self.submitting():
            regenerates = cleared == "yes" and policy[1] == "regenerate"
            looked = record.runway_task_id and remote == "gone"
            if looked and request == "same" and account != "same" and not regenerates:
                assert record.outcome in {"failed", "cancelled", "stopped: cancelled"}
                assert decision == Submit()

    def test_a_plain_retry_never_pays_for_a_generation_that_is_there(self):
        for record, (_, request, cleared, remote, _, policy, _), _ in self.submitting():
            if request == "same" and cleared == "no":
                assert remote in {"failed", "gone"} or policy[0] == "resubmit"
                assert record.runway_task_id or policy[0] == "resubmit"


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
