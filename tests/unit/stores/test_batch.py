"""The journal of a batch: who writes what, and that nothing recorded is left out of a later reading."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from unit.stores.state_store import context

from airflow_runway.core.journal.item import ITEMS_PER_CHUNK, Item, State
from airflow_runway.core.journal.pin import Pinned
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


def test_what_is_written_is_read_back(memory):
    store = opened(memory)
    real = memory.set

    def forgetful(key, value, *, retention=None):
        real(key, value, retention=retention)
        if key != KEY:
            memory.values[key] = []

    memory.set = forgetful
    with pytest.raises(RunwayJournalError, match="not sent"):
        store.intend(intent(0))
    with pytest.raises(RunwayJournalError, match="Nothing was sent"):
        store.pin_list([Pinned("a.0", "w", "a")], anew=True)


class TestThePin:
    PIN = (Pinned("a.0", "w", "a"), Pinned("b.0", "v", "b", "t1"), Pinned(""))

    def test_it_is_there_for_whoever_comes_next(self, memory):
        store = opened(memory)
        assert (store.pin, store.is_new) == ((), True)
        store.pin_list(self.PIN, anew=True)
        again = opened(memory)
        assert (again.pin, again.is_new, again.header.tries) == (self.PIN, False, 1)
        again.begin_retry()
        assert (opened(memory).pin, opened(memory).header.tries) == (self.PIN, 2)

    def test_a_new_one_counts_only_when_it_is_whole(self, memory):
        store = opened(memory)
        store.pin_list(self.PIN, anew=True)
        memory.at_write = lambda key: 1 / 0 if key == KEY else None
        with pytest.raises(RunwayJournalError):
            store.pin_list(self.PIN[:1], anew=True)
        memory.at_write = lambda key: None
        assert opened(memory).pin == self.PIN
        store.pin_list(self.PIN[:1], anew=True)
        assert opened(memory).pin == self.PIN[:1]

    def test_one_that_is_not_whole_is_unreadable(self, memory):
        opened(memory).pin_list(self.PIN, anew=True)
        (key,) = [key for key in memory.values if "_pin_" in key]
        for spoilt in ([], None, "x", [["a.0"]]):
            memory.values[key] = spoilt
            with pytest.raises(RunwayJournalError, match="could not be read"):
                opened(memory)

    def test_an_entry_of_items_that_is_gone_is_unreadable(self, memory):
        store = opened(memory)
        for number in range(ITEMS_PER_CHUNK + 1):
            store.intend(intent(number))
        del memory.values[f"{KEY}_0000"]
        with pytest.raises(RunwayJournalError, match="could not be read"):
            opened(memory)
