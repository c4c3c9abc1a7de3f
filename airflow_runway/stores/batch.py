"""Where a batch is written down: Airflow's ``task_state_store``, in entries of a few items; for several threads.

One write carries whatever any thread has recorded by then: a thread whose item has gone with another one's write
does not write again. What was written is read back, since Airflow's own client does not look at the answer.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_runway.core.journal.header import Header, NewerVersionError, read_header
from airflow_runway.core.journal.item import ITEMS_PER_CHUNK, Item, State, read_item
from airflow_runway.core.journal.pin import Pinned, pin_as_json, read_pin
from airflow_runway.exceptions import RunwayConfigurationError, RunwayJournalError
from airflow_runway.stores.history import kept_for_good
from airflow_runway.stores.submission import no_longer_there, write_persistently

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from airflow_runway.core.journal.accounts import Account

log = logging.getLogger(__name__)

KEY = "runway_batch"


class BatchStore:
    """The items of one task instance, by key, and its list as it was pinned.

    :param context: of the task that runs.
    :raises RunwayConfigurationError: before Airflow 3.3, which has no such store.
    """

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")
        if self._store is None:
            raise RunwayConfigurationError(
                "RunwayBatchOperator needs Airflow 3.3 or later: without its task_state_store a lost worker would "
                "pay for the whole batch again. Nothing was sent. Map RunwaySubmitOperator instead."
            )
        self._max_tries: int | None = getattr(context["ti"], "max_tries", None)
        #: For what is in memory, and for writing it down. The second may take seconds: it is taken first.
        self._lock, self._writing = threading.RLock(), threading.Lock()
        self._items: dict[str, Item] = {}
        #: Keys in the order in which they were first recorded, which decides where an item is stored.
        self._order: list[str] = []
        self._places: dict[str, int] = {}
        #: How many changes each entry has seen, and how many of them are written down.
        self._changes: Counter[int] = Counter()
        self._written: Counter[int] = Counter()
        self._header = Header(time.time(), self._max_tries)
        self._pin: tuple[Pinned, ...] = ()
        #: Whether there was anything to load.
        self.is_new = True
        #: Ids that could not be written down, since the task was cleared meanwhile: no next try knows them.
        self.cut_off: set[str] = set()

    @property
    def header(self) -> Header:
        """What is known of the batch as a whole."""
        return self._header

    @property
    def pin(self) -> tuple[Pinned, ...]:
        """The list as it was pinned; empty = it is not yet, or was begun by 0.1.0."""
        return self._pin

    @property
    def is_cleared(self) -> bool:
        """Whether somebody cleared the task since its list was pinned."""
        return not self.is_new and self._header.is_cleared(self._max_tries)

    def load(self) -> None:
        """Read everything.

        :raises RunwayJournalError: if that fails; "could not read" is never "nothing there".
        """
        try:
            value = self._store.get(KEY)
            if value is not None:
                self._header, self.is_new = read_header(value), False
            for number in range(self._header.chunks):
                chunk = self._store.get(_chunk_key(number))
                if chunk is None and number < self._header.chunks - 1:
                    raise ValueError("an entry is missing")  # the last may be counted and not written yet
                for part in chunk or ():
                    self._remember(read_item(part))
            self._written = self._changes.copy()
            self._pin = self._read_pin()
        except NewerVersionError as error:
            raise RunwayJournalError(
                f"The journal of this batch was written by a newer version of this provider ({error}): install that "
                "one again on this worker. Nothing was sent and nothing was charged; a retry reads it again.",
                summary="The journal is of a newer version",
                next_step="Install that version on this worker",
            ) from error
        except Exception as error:
            raise RunwayJournalError(
                f"The journal of this batch could not be read ({type(error).__name__}). Nothing was sent and nothing "
                "was charged; a retry reads it again."
            ) from error

    def _read_pin(self) -> tuple[Pinned, ...]:
        header = self._header
        place, chunks = header.pin_place, header.pin_chunks
        pin = read_pin([self._store.get(_pin_key(place, number)) for number in range(chunks)])
        if len(pin) != header.pinned:
            raise ValueError("the pin is not complete")
        return pin

    def record_account(self, account: Account) -> None:
        """Record whose account everything that runs is on.

        :param account: sealed.
        :raises RunwayJournalError: if that could not be made sure of; then nothing may be sent.
        """
        header = replace(self._header, account=account)
        if self.is_new:
            self._header = header  # written with the pin: without one it would be no beginning
        else:
            self._begin(header, self._pin)

    def begin_retry(self) -> None:
        """Record that a retry begins; the pin stays.

        :raises RunwayJournalError: if that could not be made sure of; then nothing may be sent.
        """
        self._begin(self._header.retried(), self._pin)

    def pin_list(self, pin: Sequence[Pinned], *, anew: bool) -> None:
        """Record the list as it is pinned, and, where that is a new beginning, that a try begins.

        :param pin: the list.
        :param anew: whether it is a first try or one after a clear; else it is what 0.1.0 did not write down.
        :raises RunwayJournalError: if that could not be made sure of; then nothing may be sent.
        """
        header = self._header
        # To the place that does not count yet: the header says in one write which does, and that the try has begun.
        place, chunks = 1 - header.pin_place, pin_as_json(pin)
        try:
            for number, chunk in enumerate(chunks):
                self._set(_pin_key(place, number), chunk)
        except Exception as error:
            raise _not_written(error) from error
        header = header.begun(self._max_tries, time.time()) if anew else header
        self._begin(replace(header, pin_place=place, pin_chunks=len(chunks), pinned=len(pin)), pin)

    def _begin(self, header: Header, pin: Sequence[Pinned]) -> None:
        try:
            with self._writing:
                self._write_header(replace(header, chunks=self._header.chunks))
        except Exception as error:
            raise _not_written(error) from error
        self._pin = tuple(pin)

    def conclude(self) -> None:
        """Record that the batch has come to its end; trouble is logged."""
        try:
            with self._writing:
                self._write_header(replace(self._header, concluded=True))
        except Exception:
            log.warning("The end of the batch could not be written down.", exc_info=True)

    def items(self) -> list[Item]:
        """All items, in the order in which they were first recorded."""
        with self._lock:
            return list(self._items.values())

    def get(self, key: str) -> Item | None:
        """One item.

        :param key: see :mod:`airflow_runway.core.journal.pin`.
        """
        with self._lock:
            return self._items.get(key)

    def intend(self, item: Item) -> None:
        """Record that a request is about to be sent.

        :param item: the intent.
        :raises RunwayJournalError: if that could not be made sure of; then nothing may be sent.
        """
        with self._lock:
            before = self._items.get(item.key)
            self._remember(item)
        try:
            self._write(item.key)
        except Exception as error:
            self._take_back(item, before)
            raise RunwayJournalError(
                f"The journal of this batch could not be written ({type(error).__name__}), so this item was not "
                "sent and nothing was charged for it. A retry tries again."
            ) from error

    def _take_back(self, item: Item, before: Item | None) -> None:
        """It may have been written all the same, and the next try would take it for a lost answer."""
        with self._lock:
            self._remember(before or item.ended(State.POSTPONED, note="It was not sent."))
        try:
            self._write(item.key)
        except Exception:
            log.warning("An intent could not be taken back.", exc_info=True)

    def put(self, *items: Item) -> None:
        """Record what became of items; what cannot be written is logged, and the batch goes on.

        :param items: in a later state than before.
        """
        if not items:
            return
        with self._lock:
            known = {self._items[item.key].runway_task_id for item in items if item.key in self._items}
            for item in items:
                self._remember(item)

        def write() -> None:
            try:
                self._write(*(item.key for item in items))
            except Exception as error:
                if no_longer_there(error):
                    self.cut_off.update(
                        item.runway_task_id for item in items if item.runway_task_id not in known
                    )
                raise

        if write_persistently(write):
            return
        for item in items:
            log.error("Runway task %s is not in the journal: note this id.", item.runway_task_id or "(none)")

    def _remember(self, item: Item) -> None:
        if item.key not in self._items:
            self._places[item.key] = len(self._order)
            self._order.append(item.key)
        self._items[item.key] = item
        self._changes[self._chunk_of(item.key)] += 1

    def _write(self, *keys: str) -> None:
        with self._lock:
            wanted = {number: self._changes[number] for number in map(self._chunk_of, keys)}
        with self._writing:
            if all(self._written[number] >= changes for number, changes in wanted.items()):
                return
            last = max(wanted)
            if last >= self._header.chunks:
                # First: an entry that is not counted would never be read.
                self._write_header(replace(self._header, chunks=last + 1))
            # In order, and none left out: reading gives items their places by counting them.
            for number in range(last + 1):
                if self._written[number] < self._changes[number]:
                    self._write_chunk(number)

    def _chunk_of(self, key: str) -> int:
        return self._places[key] // ITEMS_PER_CHUNK

    def _write_chunk(self, number: int) -> None:
        with self._lock:
            changes = self._changes[number]
            keys = self._order[number * ITEMS_PER_CHUNK : (number + 1) * ITEMS_PER_CHUNK]
            items = [self._items[key].as_json() for key in keys]
        self._set(_chunk_key(number), items)
        self._written[number] = changes

    def _write_header(self, header: Header) -> None:
        """It counts only once it is written: else the next write would take it for done."""
        self._set(KEY, header.as_json())
        self._header = header

    def _set(self, key: str, value: Any) -> None:
        self._store.set(key, value, **kept_for_good())
        if self._store.get(key) != value:
            raise RuntimeError("the entry that came back is another one")


def _not_written(error: Exception) -> RunwayJournalError:
    return RunwayJournalError(
        f"The journal of this batch could not be written ({type(error).__name__}). Nothing was sent and nothing was "
        "charged; a retry tries again."
    )


def _chunk_key(number: int) -> str:
    return f"{KEY}_{number:04d}"


def _pin_key(place: int, number: int) -> str:
    return f"{KEY}_pin_{place}_{number:04d}"
