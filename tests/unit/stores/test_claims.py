"""A generation is one submission's."""

from __future__ import annotations

import threading

import fsspec
import pytest

from airflow_runway.stores.claims import claim
from airflow_runway.stores.files import Files

IDS = ["t1", "..x", "a?b%c", "é" * 200, "x" * 200]


@pytest.fixture
def files(tmp_path):
    return Files(fsspec.filesystem("file"), str(tmp_path), "file:///journal")


@pytest.mark.parametrize("runway_task_id", IDS)
def test_the_first_has_it_and_has_it_again(files, runway_task_id):
    assert claim(files, runway_task_id, by={"task": "a"})
    assert not claim(files, runway_task_id, by={"task": "b"})
    assert claim(files, runway_task_id, by={"task": "a"})


def test_ids_do_not_meet(files):
    assert all(claim(files, one, by={"n": number}) for number, one in enumerate([*IDS, "x" * 199, "é" * 199]))


def test_of_many_at_once_one_has_it(files):
    won, start = [], threading.Barrier(8)

    def race(number):
        start.wait(20)
        if claim(files, "t1", by={"n": number}):
            won.append(number)

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(won) == 1
