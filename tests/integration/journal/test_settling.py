"""What a person settles, on a file system and on an S3 server."""

from __future__ import annotations

import pytest

from airflow_runway.core.journal.history import History
from airflow_runway.core.journal.record import Phase, Record
from airflow_runway.core.journal.recovery import attached, forgotten
from airflow_runway.stores.claims import claim
from airflow_runway.stores.folder import configured_journal
from airflow_runway.stores.history import AnotherWorkerError, InFolder

INTENT = Record(Phase.INTENT, "same", "runway", "image_to_video", sent_at=1.0, anchored_at=1.0, max_tries=3)


@pytest.fixture
def two(journal):
    """Two commands that have both read a lost answer."""
    InFolder(journal()).write(History(INTENT))
    keepers = [InFolder(journal()) for _ in range(2)]
    for keeper in keepers:
        keeper.read()
    return keepers


def test_of_two_that_attach_one_does(two, journal):
    two[0].settle(attached(INTENT, "t1", now=2.0), "mira")
    with pytest.raises(AnotherWorkerError):
        two[1].settle(attached(INTENT, "t2", now=2.0), "noor")
    assert InFolder(journal()).read().current.runway_task_id == "t1"


def test_what_one_attaches_another_does_not_forget(two, journal):
    two[0].settle(attached(INTENT, "t1", now=2.0), "mira")
    with pytest.raises(AnotherWorkerError):
        two[1].settle(forgotten(INTENT), "noor")
    assert InFolder(journal()).read().current.runway_task_id == "t1"


def test_who_has_recorded_an_id_is_found(two, journal):
    two[0].settle(attached(INTENT, "t1", now=2.0), "mira")
    InFolder(journal(task_id="other", map_index=3)).write(History(INTENT))
    known = configured_journal()
    assert known is not None
    assert known.holders("t1") == {journal().task}
    assert known.holders("t2") == set()
    assert {folder.task for folder in known.tasks()} == {
        journal().task,
        journal(task_id="other", map_index=3).task,
    }


def test_a_claim_is_no_task_and_no_second_one_has_it(two):
    known = configured_journal()
    assert known is not None
    assert claim(known.files, "t1", by="one")
    assert not claim(known.files, "t1", by="other")
    assert len(list(known.tasks())) == 1
