"""The files of a journal folder: what they say together, and what has to be said next."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.journal.entries import (
    Change,
    Entry,
    TaskKey,
    Word,
    as_json,
    changes,
    file_name,
    history_of,
    number_in,
    read_entry,
    task_in,
)
from airflow_runway.core.journal.history import History
from airflow_runway.core.journal.record import Phase, Record

INTENT = Record(Phase.INTENT, "same", "runway", "image_to_video", sent_at=1.0, anchored_at=1.0, max_tries=3)
SUBMITTED = replace(INTENT, phase=Phase.SUBMITTED, runway_task_id="t1", estimated_credits=25.0)
TASK = TaskKey("dag", "run", "group.task", 3)
OTHER = replace(INTENT, fingerprint="other", sent_at=2.0)


def written(*histories):
    """Files of a worker that writes one history after the other."""
    entries, before = [], History()
    for history in histories:
        for change in changes(before, history):
            entries.append(Entry(len(entries) + 1, change))
        before = history
    return entries


def words(entries):
    return [file_name(entry.number, entry.change.word) for entry in entries]


class TestWhatIsSaid:
    def test_a_submission(self):
        closed = replace(SUBMITTED, phase=Phase.CLOSED, outcome="succeeded")
        entries = written(History(INTENT), History(SUBMITTED), History(closed))
        assert words(entries) == ["0001-intent.json", "0002-submitted.json", "0003-closed.json"]
        assert history_of(entries) == History(closed)

    def test_that_it_was_handed_over_is_not_said(self):
        returned = replace(SUBMITTED, phase=Phase.CLOSED, outcome="returned")
        assert words(written(History(INTENT), History(SUBMITTED), History(returned))) == [
            "0001-intent.json",
            "0002-submitted.json",
        ]

    def test_what_was_not_accepted_counts_no_longer(self):
        entries = written(History(INTENT), History())
        assert words(entries) == ["0001-intent.json", "0002-forgotten.json"]
        assert history_of(entries) == History()

    def test_then_what_there_was_before_counts_again(self):
        entries = written(
            History(INTENT), History(SUBMITTED), History(OTHER, (SUBMITTED,)), History(SUBMITTED)
        )
        assert words(entries)[2:] == ["0003-intent.json", "0004-forgotten.json"]
        assert history_of(entries) == History(SUBMITTED)

    def test_an_earlier_submission_may_count_again(self):
        other = replace(OTHER, phase=Phase.SUBMITTED, runway_task_id="t2")
        entries = written(
            History(INTENT),
            History(SUBMITTED),
            History(OTHER, (SUBMITTED,)),
            History(other, (SUBMITTED,)),
            History(replace(SUBMITTED, anchored_at=9.0), (other,)),
        )
        assert words(entries)[-1] == "0005-taken-up.json"
        assert history_of(entries) == History(replace(SUBMITTED, anchored_at=9.0), (other,))

    def test_an_id_that_an_error_named(self):
        named = replace(INTENT, runway_task_id="t1", refused=True)
        entries = written(History(INTENT), History(named))
        assert words(entries)[-1] == "0002-named.json"
        assert history_of(entries) == History(named)

    def test_what_became_of_one_that_was_replaced(self):
        other = replace(OTHER, phase=Phase.SUBMITTED, runway_task_id="t2", replaces=("t1",))
        before = History(other, (SUBMITTED,))
        after = before.with_outcome("t1", "cancelled").with_current(replace(other, replaces=()))
        entries = [*written(History(INTENT), History(SUBMITTED), History(OTHER, (SUBMITTED,)), before, after)]
        assert [one.partition("-")[2] for one in words(entries)[-2:]] == ["closed.json", "submitted.json"]
        assert history_of(entries) == after

    def test_what_a_late_worker_says_does_not_change_what_the_task_stands_for(self):
        entries = written(History(INTENT), History(OTHER, (INTENT,)))
        late = Entry(3, Change(Word.SUBMITTED, SUBMITTED))
        assert history_of([*entries, late]) == History(OTHER, (SUBMITTED,))

    def test_nothing_new_is_nothing(self):
        assert changes(History(SUBMITTED), History(SUBMITTED)) == []

    def test_an_old_one_of_which_only_the_id_is_kept_is_not_forgotten(self):
        before = History(OTHER, (SUBMITTED,))
        assert changes(before, History(OTHER, (), ("t1",))) == []


records = st.builds(
    Record,
    phase=st.sampled_from(Phase),
    fingerprint=st.sampled_from("ab"),
    gateway=st.just("runway"),
    route=st.just("r"),
    sent_at=st.sampled_from([1.0, 2.0, 3.0]),
    runway_task_id=st.sampled_from(["", "t1", "t2"]),
    outcome=st.sampled_from(["", "failed", "succeeded"]),
)


@st.composite
def lives(draw):
    """Histories, each following on the one before as a store makes them."""
    history, found = History(), []
    for number in range(draw(st.integers(1, 8))):
        move = draw(st.sampled_from(["intend", "forget", "change", "take up"]))
        if move == "intend":
            record = replace(draw(records), phase=Phase.INTENT, sent_at=10.0 + number)
            found.append(history := history.followed_by(record))
        elif move == "forget" and len(found) > 1 and found[-1].current.phase is Phase.INTENT:
            if found[-2] != history.with_current(found[-1].current):
                found.append(history := found[-2])
        elif move == "change" and history.current:
            changed = replace(
                draw(records), sent_at=history.current.sent_at, fingerprint=history.current.fingerprint
            )
            found.append(history := history.with_current(changed))
        elif move == "take up" and history.earlier:
            found.append(history := history.followed_by(draw(st.sampled_from(history.earlier))))
    return found


def as_sets(history):
    return history.current, sorted(map(str, history.earlier))


@pytest.mark.property
@given(lives())
def test_the_files_say_what_was_known(histories):
    if histories:
        assert as_sets(history_of(written(*histories))) == as_sets(histories[-1])


@pytest.mark.property
@given(lives(), st.randoms())
def test_their_order_in_a_listing_means_nothing(histories, chance):
    entries = written(*histories)
    shuffled = list(entries)
    chance.shuffle(shuffled)
    assert history_of(shuffled) == history_of(entries)


class TestNames:
    @pytest.mark.parametrize("word", Word)
    def test_a_name_is_read_as_it_was_written(self, word):
        assert number_in(file_name(17, word)) == 17

    def test_there_is_no_last_number(self):
        assert number_in(file_name(123_456, Word.CLOSED)) == 123_456

    @pytest.mark.parametrize(
        "name",
        ["", "1-intent.json", "0001.json", "0001-other.json", "0001-intent.json.bak", "x/0001-intent.json"],
    )
    def test_others_are_none(self, name):
        assert number_in(name) is None


class TestStored:
    @pytest.mark.parametrize("word", Word)
    def test_an_entry_survives(self, word):
        change = Change(word, SUBMITTED, is_current=word is Word.TAKEN_UP)
        value = json.loads(json.dumps(as_json(change, TASK, owner="me", now=5.0)))
        assert (value["owner"], value["written_at"]) == ("me", 5.0)
        assert read_entry(4, value) == Entry(4, change)
        assert task_in(value) == TASK

    @pytest.mark.parametrize(
        "value",
        [
            None,
            1,
            [],
            {},
            "x",
            {"version": 1},
            {"version": 1, "word": "odd", "record": {}, "is_current": True},
        ],
    )
    def test_what_is_none_is_refused(self, value):
        with pytest.raises(ValueError, match=r"no entry|odd"):
            read_entry(1, value)

    def test_one_of_a_later_version_is_refused(self):
        value = {**as_json(Change(Word.INTENT, INTENT), TASK, owner="me", now=5.0), "version": 2}
        with pytest.raises(ValueError, match="later version"):
            read_entry(1, value)

    @pytest.mark.parametrize(
        "task", [None, 1, [], {}, {"dag_id": "d"}, {"dag_id": 1, "run_id": "r", "task_id": "t", "map_index": None},
                 {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": "0"}],
    )  # fmt: skip
    def test_whose_it_is_must_be_told(self, task):
        with pytest.raises(ValueError, match="no entry"):
            task_in({"task": task})
