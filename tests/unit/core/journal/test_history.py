"""What is kept of a task's submissions, and read again, by this version and by others."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from unit.samples import written_by_0_1_0

from airflow_runway.core.journal.accounts import Account
from airflow_runway.core.journal.history import (
    ANSWERED_KEPT,
    OPEN_KEPT,
    PREVIOUS_KEPT,
    UNREADABLE,
    History,
    read_history,
)
from airflow_runway.core.journal.record import Phase, Record, fingerprint

RECORD = Record(
    Phase.SUBMITTED, "a", "runway", "image_to_video", sent_at=1.0, anchored_at=1.0, runway_task_id="t1"
)
LOST = Record(Phase.INTENT, "b", "runway", "image_to_video", sent_at=2.0, anchored_at=2.0, token="x")
FULL = replace(
    RECORD, token="x", evidence={"credits": 5.0}, account=Account("https://h", "s", "d"), max_tries=2,
    anchored_at=3.0, outcome="failed", as_written="w", replaces=("t0",), refused=True, estimated_credits=25.0,
)  # fmt: skip


def stored(history):
    return json.loads(json.dumps(history.as_json()))


def numbered(record, number):
    return replace(record, fingerprint=f"{record.phase} {number}", sent_at=float(number), runway_task_id=(
        f"t{number}" if record.runway_task_id else ""
    ))  # fmt: skip


class TestStored:
    @pytest.mark.parametrize(
        "history",
        [History(), History(FULL), History(None, (LOST,)), History(LOST, (RECORD, FULL), ("t8", "t9"))],
    )
    def test_it_survives_the_store(self, history):
        assert read_history(stored(history)) == history

    def test_nothing_is_nothing(self):
        assert read_history(None) == History()

    @pytest.mark.parametrize(
        "bad",
        [
            1, "x", [], {}, True, {"phase": "odd"}, {"version": 2}, {**stored(History(RECORD)), "version": 3},
            {**stored(History(RECORD)), "earlier": [{}]}, {**stored(History(RECORD)), "current": {"phase": "intent"}},
            {"version": 2, "current": {**stored(History(RECORD))["current"], "account": {"credits": 3}},
             "earlier": [], "previous": []},
            {"version": 2, "current": {**stored(History(RECORD))["current"], "sent_at": "soon"},
             "earlier": [], "previous": []},
        ],
    )  # fmt: skip
    def test_what_cannot_be_understood_is_not_nothing(self, bad):
        assert read_history(bad) is UNREADABLE

    @pytest.mark.parametrize(
        "edited",
        [
            {"evidence": {"credits": "many"}},
            {"evidence": {"credits": None}},
            {"sent_at": float("nan")},
            {"anchored_at": float("inf")},
            {"estimated_credits": "25"},
            {"runway_task_id": "../organization"},
            {"replaces": ["a b"]},
        ],
    )
    def test_nor_is_what_a_person_edited_until_nothing_can_be_done_with_it(self, edited):
        current = {**stored(History(RECORD))["current"], **edited}
        assert read_history({"version": 2, "current": current, "earlier": [], "previous": []}) is UNREADABLE

    def test_a_newer_record_is_unreadable(self):
        newer = {**stored(History(RECORD)), "version": 3, "more": True}
        assert read_history(newer) is UNREADABLE

    def test_0_1_0_finds_nothing_that_it_knows_in_ours(self):
        """It takes a value for unreadable, and sends nothing, where one of these is missing."""
        assert not {"phase", "fingerprint", "gateway", "route", "sent_at"} & set(stored(History(FULL)))

    def test_a_full_one_is_small_enough_for_every_way_to_the_store(self):
        history = History()
        long = replace(
            FULL, fingerprint="f" * 64, as_written="f" * 64, runway_task_id="i" * 36, token="t" * 16,
            account=Account("https://gateway.somewhere.example:8443", "s" * 16, "d" * 16), replaces=("i" * 36,),
        )  # fmt: skip
        for number in range(100):
            phase = Phase.INTENT if number % 2 else Phase.CLOSED
            history = history.followed_by(replace(long, phase=phase, sent_at=float(number)))
        assert len(json.dumps(history.as_json())) < 65_535


@pytest.mark.parametrize(("name", "value"), written_by_0_1_0("record").items())
class TestRecordsOf010:
    def test_they_are_read(self, name, value):
        history = read_history(value)
        assert history.current.phase == value["phase"]
        assert history.current.runway_task_id == value["runway_task_id"]
        assert history.current.fingerprint == value["fingerprint"]
        assert history.current.outcome == value["outcome"]
        assert history.current.max_tries == value["max_tries"]
        assert history.previous == tuple(value["previous"])

    def test_their_figures_are_evidence_and_their_account_is_not_known(self, name, value):
        current = read_history(value).current
        assert current.account is None
        assert current.evidence == value["account"]

    def test_they_go_on_as_ours(self, name, value):
        history = read_history(value)
        assert read_history(stored(history)) == history


class TestWithOutcome:
    def test_the_record_of_an_id_ends(self):
        history = History(LOST, (RECORD,)).with_outcome("t1", "cancelled")
        assert history == History(LOST, (replace(RECORD, phase=Phase.CLOSED, outcome="cancelled"),))

    def test_an_id_that_is_not_known_changes_nothing(self):
        assert History(LOST, (RECORD,)).with_outcome("t9", "cancelled") == History(LOST, (RECORD,))


class TestMatching:
    def test_the_newest_of_the_request_counts(self):
        older, newer = replace(RECORD, runway_task_id="t7"), replace(LOST, fingerprint="a")
        assert History(FULL, (older, newer)).matching("a") == FULL
        assert History(replace(FULL, fingerprint="c"), (older, newer)).matching("a") == newer

    def test_else_the_current_one(self):
        assert History(RECORD, (LOST,)).matching("c") == RECORD
        assert History().matching("c") is None
        assert History(None, (LOST,)).matching("c") is None


class TestFollowedBy:
    def test_what_was_current_is_kept(self):
        assert History(RECORD).followed_by(LOST) == History(LOST, (RECORD,))
        assert History().followed_by(LOST) == History(LOST)

    def test_an_earlier_one_that_counts_again_is_there_once(self):
        assert History(LOST, (RECORD,)).followed_by(RECORD) == History(RECORD, (LOST,))

    def test_the_order_is_kept_where_something_is_dropped(self):
        history = History()
        for number in range(3 * ANSWERED_KEPT):
            history = history.followed_by(numbered(LOST if number % 3 else RECORD, number))
        sent = [record.sent_at for record in history.newest_first()]
        assert sent == sorted(sent, reverse=True)

    def test_of_generations_that_are_too_many_the_ids_are_kept(self):
        history = History()
        for number in range(ANSWERED_KEPT + 5):
            before, history = history, history.followed_by(numbered(RECORD, number))
            assert history.lost_from(before) == ()
        assert len(history.earlier) == ANSWERED_KEPT
        assert history.ids() == tuple(f"t{number}" for number in range(ANSWERED_KEPT + 5))

    def test_then_it_says_which_id_it_forgets(self):
        history = History(previous=tuple(f"p{number}" for number in range(PREVIOUS_KEPT)))
        for number in range(ANSWERED_KEPT + 1):
            history = history.followed_by(numbered(RECORD, number))
        later = history.followed_by(numbered(RECORD, 99))
        assert later.lost_from(history) == ("p0",)

    def test_lost_answers_are_not_pushed_out_by_generations(self):
        history = History(LOST)
        for number in range(100):
            history = history.followed_by(numbered(RECORD, number))
        assert history.open() == (LOST,)

    def test_the_oldest_of_too_many_is_dropped_and_named(self):
        history = History()
        for number in range(OPEN_KEPT + 1):
            history = history.followed_by(numbered(LOST, number))
        assert len(history.open()) == OPEN_KEPT + 1
        later = history.followed_by(numbered(LOST, 99))
        assert later.lost_from(history) == ("the submission at 0 (seconds since the epoch)",)


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
