"""The journal of a batch: who writes what, and that nothing recorded is left out of a later reading."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from unit.stores.state_store import context

from airflow_runway.core.journal.item import ITEMS_PER_CHUNK, Item, State
from airflow_runway.exceptions import RunwayJournalError
from airflow_runway.stores.batch import KEY, BatchStore


def opened(memory):
    store = BatchStore(context(memory))
    store.load()
    return store


def intent(number):
    return Item(f"item {number}", State.INTENT, "words")


def read_again(memory):
    return {item.key: item.state for item in opened(memory).items()}


def test_items_of_several_threads_go_with_one_write(memory):
    store = opened(memory)
    store.intend(intent(0))
    memory.written.clear()
    begun, go_on = threading.Event(), threading.Event()

    def hold_up(key):
        begun.set()
        assert go_on.wait(10)

    memory.at_write = hold_up
    with ThreadPoolExecutor(9) as pool:
        first = pool.submit(store.intend, intent(1))
        assert begun.wait(10)
        others = [pool.submit(store.intend, intent(number)) for number in range(2, 10)]
        while len(store.items()) < 10 and not first.done():
            pass
        go_on.set()
        for future in (first, *others):
            future.result(10)
    assert memory.written == [f"{KEY}_0000"] * 2
    assert len(read_again(memory)) == 10


def test_no_intent_is_taken_for_written_when_the_write_that_carried_it_failed(memory):
    store = opened(memory)
    store.intend(intent(0))
    begun, go_on = threading.Event(), threading.Event()

    def fail(key):
        begun.set()
        assert go_on.wait(10)
        raise ConnectionError("the API server is away")

    memory.at_write = fail
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(store.intend, intent(1))]
        assert begun.wait(10)
        futures += [pool.submit(store.intend, intent(number)) for number in (2, 3, 4)]
        go_on.set()
        for future in futures:
            with pytest.raises(RunwayJournalError):
                future.result(10)
    assert read_again(memory) == {"item 0": State.INTENT}


def test_a_count_that_could_not_be_written_is_written_with_the_next_item(memory):
    store = opened(memory)
    for number in range(ITEMS_PER_CHUNK):
        store.intend(intent(number))
    memory.failures = 1
    with pytest.raises(RunwayJournalError):
        store.intend(intent(ITEMS_PER_CHUNK))
    store.intend(intent(ITEMS_PER_CHUNK + 1))
    assert read_again(memory)[f"item {ITEMS_PER_CHUNK + 1}"] is State.INTENT


def test_an_entry_is_complete_before_the_next_one_begins(memory):
    store = opened(memory)
    for number in range(ITEMS_PER_CHUNK - 1):
        store.intend(intent(number))
    # The last place of the entry goes to an item that cannot be written, nor taken back.
    memory.failures = 2
    with pytest.raises(RunwayJournalError):
        store.intend(intent(ITEMS_PER_CHUNK - 1))
    store.intend(intent(ITEMS_PER_CHUNK))
    assert [len(memory.values[f"{KEY}_{number:04d}"]) for number in (0, 1)] == [ITEMS_PER_CHUNK, 1]
    again = opened(memory)
    again.put(intent(ITEMS_PER_CHUNK).ended(State.RUNNING))
    assert read_again(memory)[f"item {ITEMS_PER_CHUNK}"] is State.RUNNING


def test_what_has_not_changed_is_not_written_again(memory):
    store = opened(memory)
    for number in range(2 * ITEMS_PER_CHUNK):
        store.intend(intent(number))
    store = opened(memory)
    memory.written.clear()
    store.put(intent(2 * ITEMS_PER_CHUNK - 1).ended(State.RUNNING))
    assert memory.written == [f"{KEY}_0001"]


def test_nothing_expires(memory):
    from airflow.sdk.execution_time.context import NEVER_EXPIRE

    store = opened(memory)
    store.intend(intent(0))
    store.conclude()
    assert len(memory.retentions) == 3
    assert set(memory.retentions) == {NEVER_EXPIRE}
