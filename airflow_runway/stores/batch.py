"""Where a batch is written down: Airflow's ``task_state_store``, in entries of a few items; for several threads.

One write carries whatever any thread has recorded by then: a thread whose item has gone with another one's write
does not write again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_runway.core.journal.batch import ITEMS_PER_CHUNK, Item, State, read_item
from airflow_runway.exceptions import RunwayConfigurationError, RunwayJournalError
from airflow_runway.stores.submission import kept_for_good, write_persistently

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

KEY = "runway_batch"


@dataclass(frozen=True)
class _Header:
    """What is known of the batch as a whole."""

    #: Wall clock from which the deadline is counted.
    started_at: float
    #: Airflow's ``max_tries`` at the time, which every clear changes and no retry does.
    max_tries: int | None
    #: How many entries of items there are.
    chunks: int = 0
    #: Whether the batch has come to its end.
    concluded: bool = False


class BatchStore:
    """The items of one task instance, by key.

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
        self._header = _Header(time.time(), self._max_tries)
        #: Whether a try begins after the batch had come to its end, or was cleared: what failed is tried again.
        self.starts_over = False

    @property
    def started_at(self) -> float:
        """Wall clock from which the deadline is counted."""
        return self._header.started_at

    def load(self, *, anew: bool) -> None:
        """Read everything.

        :param anew: whether a try begins, rather than going on after a deferral: after a clear, the deadline is then
            counted from now.
        :raises RunwayJournalError: if that fails; "could not read" is never "nothing there".
        """
        try:
            header = self._store.get(KEY)
            if header is not None:
                self._header = _Header(
                    float(header["started_at"]),
                    header.get("max_tries"),
                    int(header["chunks"]),
                    bool(header.get("concluded")),
                )
            for number in range(self._header.chunks):
                for value in self._store.get(_chunk_key(number)) or ():
                    self._remember(read_item(value))
            self._written = self._changes.copy()
        except Exception as error:
            raise RunwayJournalError(
                f"The journal of this batch could not be read ({type(error).__name__}). Nothing was sent and nothing "
                "was charged; a retry reads it again."
            ) from error
        cleared = self._header.max_tries != self._max_tries
        self.starts_over = anew and (cleared or self._header.concluded)
        if self.starts_over:
            started_at = time.time() if cleared else self._header.started_at
            header = _Header(started_at, self._max_tries, self._header.chunks)
            try:
                self._write_header(header)
            except Exception as error:
                raise RunwayJournalError(
                    f"The journal of this batch could not be written ({type(error).__name__}). Nothing was sent and "
                    "nothing was charged; a retry tries again."
                ) from error

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

        :param key: see :mod:`airflow_runway.core.journal.batch`.
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
            for item in items:
                self._remember(item)
        if write_persistently(lambda: self._write(*(item.key for item in items))):
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
        self._store.set(_chunk_key(number), items, **kept_for_good())
        self._written[number] = changes

    def _write_header(self, header: _Header) -> None:
        """It counts only once it is written: else the next write would take it for done."""
        self._store.set(KEY, {"version": 1, **asdict(header)}, **kept_for_good())
        self._header = header


def _chunk_key(number: int) -> str:
    return f"{KEY}_{number:04d}"
