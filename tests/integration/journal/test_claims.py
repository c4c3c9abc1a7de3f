"""Claims and the index by router on a file system and on an S3 server."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from airflow_runway.core.journal.entries import TaskKey
from airflow_runway.core.journal.record import Phase, Record
from airflow_runway.stores.claims import claim, claimed_by
from airflow_runway.stores.folder import configured_journal
from airflow_runway.stores.routers import RouterNotes

RACES, RACERS = 20, 8
INTENT = Record(
    Phase.INTENT, "same", "runway", "generate/video", sent_at=1e9, router="film / é", taken_until=1e9 + 600
)


@pytest.fixture
def files(journal):
    return configured_journal().files


def notes(files, index=0):
    return RouterNotes(files, INTENT.router, TaskKey("dag", "run", "task", index))


def test_of_many_at_once_one_gets_it(files):
    """20 races of 8 on each storage."""
    for race in range(RACES):
        barrier, got = threading.Barrier(RACERS), []

        def run(number, race=race, barrier=barrier, got=got):
            barrier.wait(20)
            if claim(files, f"t{race}", by=str(number)):
                got.append(str(number))

        threads = [threading.Thread(target=run, args=(number,)) for number in range(RACERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert got == [claimed_by(files, f"t{race}")]


def test_a_claim_is_its_own_in_the_next_try(files):
    assert claim(files, "t1", by="one")
    assert claim(files, "t1", by="one")
    assert not claim(files, "t1", by="other")


def test_what_others_note_is_seen_at_once(files):
    own, other = notes(files), notes(files, 1)
    own.intend(INTENT)
    assert own.of(INTENT).others_open == 0
    other.intend(INTENT)
    assert (own.of(INTENT).others_open, own.of(INTENT).is_noted) == (1, True)
    other.hold(INTENT, "t1")
    other.hold(INTENT, "t1")
    assert own.of(INTENT).others_open == 0
    assert own.of(INTENT).holds("t1")
    assert other.of(INTENT).is_own("t1")
    assert not own.of(INTENT).is_own("t1")


@pytest.mark.parametrize("days", [-2.0, -1.0, 0.0, 1.0])
def test_only_submissions_of_its_time_count(files, days):
    own, other = notes(files), notes(files, 1)
    own.intend(INTENT)
    shifted = INTENT.sent_at + days * 86_400
    other.intend(replace(INTENT, sent_at=shifted, taken_until=shifted + 600))
    assert own.of(INTENT).others_open == (days == 0)


def test_one_that_began_the_day_before_and_may_still_be_under_way_counts(files):
    own, other = notes(files), notes(files, 1)
    own.intend(INTENT)
    other.intend(replace(INTENT, sent_at=INTENT.sent_at - 80_000, taken_until=INTENT.sent_at))
    assert own.of(INTENT).others_open == 1


def test_tasks_are_listed_as_before(files, journal):
    notes(files).intend(INTENT)
    claim(files, "t1", by="one")
    assert list(configured_journal().tasks()) == []
