"""What a person may settle: the decisions, as tables."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_runway.core.journal.accounts import AccountMatch
from airflow_runway.core.journal.entries import Change, Entry, Word, history_of
from airflow_runway.core.journal.history import History
from airflow_runway.core.journal.record import Phase, Record
from airflow_runway.core.journal.recovery import (
    CREATED_AFTER,
    CREATED_BEFORE,
    Doubt,
    Standing,
    States,
    after,
    attached,
    cancelled,
    doubts,
    forgotten,
    handle_of,
    is_waited_for,
    may_run,
    moment,
    open_in,
    unproven,
)

INTENT = Record(Phase.INTENT, "same", "runway", "image_to_video", sent_at=1_000_000.0, max_tries=3)
NAMED = replace(INTENT, runway_task_id="t1")
SUBMITTED = replace(NAMED, phase=Phase.SUBMITTED)
EARLIER = replace(INTENT, fingerprint="another", sent_at=5.0)


@pytest.mark.parametrize(
    ("record", "standing"),
    [
        (INTENT, Standing.LOST),
        (NAMED, Standing.NAMED),
        (replace(NAMED, refused=True), Standing.REFUSED),
        (SUBMITTED, Standing.ALONE),
        (replace(SUBMITTED, phase=Phase.CLOSED, outcome="returned"), Standing.ALONE),
        (replace(SUBMITTED, phase=Phase.CLOSED, outcome="timed_out"), Standing.ALONE),
        (replace(SUBMITTED, phase=Phase.CLOSED, outcome="stopped: unknown"), Standing.ALONE),
        (replace(SUBMITTED, phase=Phase.CLOSED, outcome="stopped: cancelled"), None),
        (replace(SUBMITTED, phase=Phase.CLOSED, outcome="succeeded"), None),
        (replace(SUBMITTED, phase=Phase.CLOSED, outcome="failed"), None),
        (replace(SUBMITTED, phase=Phase.CLOSED, outcome="lost"), None),
    ],
)
def test_where_a_submission_stands(record, standing):
    found = [one.standing for one in open_in(History(record), States("failed", "failed"))]
    assert found == ([] if standing is None else [standing])
    assert may_run(record) is (standing is Standing.ALONE)


@pytest.mark.parametrize(
    ("task", "run", "outcome", "is_current", "waits"),
    [
        ("running", "running", "", True, True),
        ("deferred", "running", "", True, True),
        ("none", "failed", "", True, True),
        ("running", "running", "", False, False),
        ("success", "running", "returned", True, True),
        ("success", "running", "", True, True),
        ("success", "success", "returned", True, False),
        ("failed", "running", "timed_out", True, False),
        (None, None, "", True, False),
        (None, "running", "returned", True, True),
    ],
)
def test_who_waits_for_a_generation(task, run, outcome, is_current, waits):
    record = replace(SUBMITTED, outcome=outcome)
    assert is_waited_for(record, States(task, run), is_current=is_current) is waits


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-12T13:46:40Z", 1_000_000.0),
        ("1970-01-12T13:46:40.123456789Z", 1_000_000.123456),
        ("1970-01-12 13:46:40", 1_000_000.0),
        ("1970-01-12T15:46:40+02:00", 1_000_000.0),
        ("soon", None),
        ("", None),
        (None, None),
    ],
)
def test_a_moment_as_a_gateway_tells_it(text, seconds):
    found = moment(text)
    assert found == (None if seconds is None else pytest.approx(seconds))


HOURS = 3600


@pytest.mark.parametrize(
    ("seconds", "is_official", "fits"),
    [
        (-CREATED_BEFORE, True, True),
        (-CREATED_BEFORE - 1, True, False),
        (CREATED_AFTER, True, True),
        (CREATED_AFTER + 1, True, False),
        (8 * HOURS, True, False),
        (8 * HOURS, False, True),
        (-12 * HOURS - 60, False, True),
        (-12 * HOURS - 61, False, False),
        (16 * HOURS, False, False),
    ],
)
def test_the_time_of_creation(seconds, is_official, fits):
    record = replace(INTENT, sent_at=1_000_000.0 - seconds, gateway="runway" if is_official else "cometapi")
    found = doubts(record, "1970-01-12T13:46:40Z", AccountMatch.SAME)
    assert found == ([] if fits else [Doubt.TIME])


@pytest.mark.parametrize("account", AccountMatch)
def test_the_account(account):
    found = doubts(INTENT, None, account)
    assert found == ([Doubt.ACCOUNT] if account is AccountMatch.OTHER else [])


@pytest.mark.parametrize(
    ("gateway", "created_at", "account", "number"),
    [
        ("runway", "1970-01-12T13:46:40Z", AccountMatch.SAME, 0),
        ("runway", None, AccountMatch.SAME, 1),
        ("cometapi", "1970-01-12T13:46:40Z", AccountMatch.SAME, 1),
        ("cometapi", "1970-01-12T13:46:40Z", AccountMatch.UNKNOWN, 2),
    ],
)
def test_what_only_a_person_can_say(gateway, created_at, account, number):
    assert len(unproven(replace(INTENT, gateway=gateway), created_at, account)) == number


class TestChanges:
    def test_an_attached_one_counts_as_accepted_and_is_not_taken_for_cleared(self):
        record = attached(replace(NAMED, refused=True), "t9", now=7.0, estimated=25.0).record
        assert (record.phase, record.runway_task_id, record.max_tries) == (Phase.SUBMITTED, "t9", None)
        assert not record.is_doubtful
        assert (record.anchored_at, record.estimated_credits) == (7.0, 25.0)
        assert handle_of(record) == handle_of(NAMED)

    @pytest.mark.parametrize(
        "change", [attached(INTENT, "t1", now=7.0), forgotten(INTENT), cancelled(INTENT)]
    )
    @pytest.mark.parametrize("is_current", [True, False])
    def test_the_store_and_the_folder_say_the_same_afterwards(self, change, is_current):
        first, second = (EARLIER, INTENT) if is_current else (INTENT, EARLIER)
        history = History(second, (first,))
        files = [
            Entry(1, Change(Word.INTENT, first, is_current=True)),
            Entry(2, Change(Word.INTENT, second, is_current=True)),
            Entry(3, change),
        ]
        assert after(history, change) == history_of(files)

    def test_the_last_one_that_is_forgotten_leaves_nothing(self):
        assert after(History(INTENT), forgotten(INTENT)) == History()

    def test_of_two_at_once_the_one_that_knows_of_an_acceptance_counts(self):
        files = [
            Entry(1, Change(Word.INTENT, INTENT, is_current=True)),
            Entry(2, attached(INTENT, "t1", now=7.0)),
            Entry(2, forgotten(INTENT)),
        ]
        for order in (files, files[::-1]):
            found = history_of(order).current
            assert found is not None
            assert found.runway_task_id == "t1"


class TestRoute:
    """CometAPI's record says for what it was asked; Runway's own object does not."""

    @pytest.mark.parametrize(
        ("route", "action", "is_doubtful"),
        [
            ("image_to_video", "image_to_video", False),
            ("image_to_video", "text_to_video", True),
            ("image_to_video", "", False),
            ("image_to_video", "generate", False),
            ("pro/generate", "image_to_video", False),
        ],
    )
    def test_another_one_is_a_reason_to_refuse(self, route, action, is_doubtful):
        record = replace(INTENT, gateway="cometapi", route=route)
        found = doubts(record, None, AccountMatch.SAME, action)
        assert (Doubt.ROUTE in found) is is_doubtful

    def test_it_is_read(self):
        from unit.samples import response

        from airflow_runway.core.protocol.decoding import decode_task
        from airflow_runway.core.protocol.gateways import GATEWAYS

        task = decode_task(response("cometapi.tasks.read.wrapper_failure"), GATEWAYS["cometapi"], "t1")
        assert task.action == "image_to_video"
