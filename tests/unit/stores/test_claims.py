"""Claims: of many that want a generation, one gets it, and keeps it."""

from __future__ import annotations

import threading

import pytest
from fsspec.implementations.local import LocalFileSystem

from airflow_runway.stores.claims import claim, claimed_by
from airflow_runway.stores.files import Files, JournalFolderError

RACES, RACERS = 20, 8


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    return Files(LocalFileSystem(), str(tmp_path), f"file://{tmp_path}")


def test_the_first_has_it_and_a_second_does_not(files):
    assert claimed_by(files, "t1") is None
    assert claim(files, "t1", by="one")
    assert not claim(files, "t1", by="other")
    assert claimed_by(files, "t1") == "one"


def test_a_try_that_died_right_after_its_claim_has_it_in_the_next(files):
    assert claim(files, "t1", by="one")
    assert claim(files, "t1", by="one")


@pytest.mark.parametrize("name", ["a b/../c", "ä" * 200, "x" * 200])
def test_any_id_makes_a_name_of_its_own(files, name):
    assert claim(files, name, by="one")
    assert not claim(files, name, by="other")
    assert claim(files, f"{name[:-1]}y", by="other")


def test_of_many_at_once_one_gets_it(files):
    """20 races of 8."""
    for race in range(RACES):
        barrier, got = threading.Barrier(RACERS), []

        def run(number, race=race, barrier=barrier, got=got):
            barrier.wait(20)
            if claim(files, f"t{race}", by=f"one of {number}"):
                got.append(f"one of {number}")

        threads = [threading.Thread(target=run, args=(number,)) for number in range(RACERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert got == [claimed_by(files, f"t{race}")]


def test_what_is_not_known_is_no_claim(files, monkeypatch):
    def full(self, path, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Files, "_create", full)
    with pytest.raises(
        JournalFolderError, match=r"claim on Runway task t1 could not be written .*\(OSError\)"
    ):
        claim(files, "t1", by="one")


def test_a_claim_that_is_none_is_told(files, tmp_path):
    (tmp_path / "claims").mkdir()
    (tmp_path / "claims" / "t1.json").write_text("[]")
    with pytest.raises(JournalFolderError, match=r"claims/t1.json could not be read"):
        claimed_by(files, "t1")
