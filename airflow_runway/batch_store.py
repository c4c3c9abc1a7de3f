"""Where a batch is written down: Airflow's ``task_state_store``, in entries of a few items; for several threads."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from airflow_runway.batch import ITEMS_PER_CHUNK, Item, State, read_item
from airflow_runway.exceptions import RunwayConfigurationError, RunwayJournalError
from airflow_runway.journal_store import written

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

KEY = "runway_batch"


@dataclass
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

    :param context: Airflow's.
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
        self._lock = threading.RLock()
        self._items: dict[str, Item] = {}
        #: Keys in the order in which they were first recorded, which decides where an item is stored.
        self._order: list[str] = []
        self._places: dict[str, int] = {}
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
        except Exception as error:
            raise RunwayJournalError(
                f"The journal of this batch could not be read ({type(error).__name__}). Nothing was sent and nothing "
                "was charged; a retry reads it again."
            ) from error
        cleared = self._header.max_tries != self._max_tries
        self.starts_over = anew and (cleared or self._header.concluded)
        if self.starts_over:
            started_at = time.time() if cleared else self._header.started_at
            self._header = _Header(started_at, self._max_tries, self._header.chunks)
            try:
                self._write_header()
            except Exception as error:
                raise RunwayJournalError(
                    f"The journal of this batch could not be written ({type(error).__name__}). Nothing was sent and "
                    "nothing was charged; a retry tries again."
                ) from error

    def conclude(self) -> None:
        """Record that the batch has come to its end; trouble is logged."""
        self._header.concluded = True
        try:
            self._write_header()
        except Exception:
            log.warning("The end of the batch could not be written down.", exc_info=True)

    def items(self) -> list[Item]:
        """All items, in the order in which they were first recorded."""
        with self._lock:
            return list(self._items.values())

    def get(self, key: str) -> Item | None:
        """One item.

        :param key: see :mod:`airflow_runway.batch`.
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
                self._take_back(item.key, before)
                raise RunwayJournalError(
                    f"The journal of this batch could not be written ({type(error).__name__}), so this item was not "
                    "sent and nothing was charged for it. A retry tries again."
                ) from error

    def _take_back(self, key: str, before: Item | None) -> None:
        """It may have been written all the same, and the next try would take it for a lost answer."""
        if before is not None:
            self._remember(before)
        else:
            self._items[key] = self._items[key].ended(State.POSTPONED, note="It was not sent.")
        try:
            self._write(key)
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
            if written(lambda: self._write(*(item.key for item in items))):
                return
            for item in items:
                log.error(
                    "Runway task %s is not in the journal: note this id.", item.runway_task_id or "(none)"
                )

    def _remember(self, item: Item) -> None:
        if item.key not in self._items:
            self._places[item.key] = len(self._order)
            self._order.append(item.key)
        self._items[item.key] = item

    def _write(self, *keys: str) -> None:
        numbers = sorted({self._places[key] // ITEMS_PER_CHUNK for key in keys})
        if numbers[-1] >= self._header.chunks:
            # First: an entry that is not counted would never be read.
            self._header.chunks = numbers[-1] + 1
            self._write_header()
        for number in numbers:
            keys_in_it = self._order[number * ITEMS_PER_CHUNK : (number + 1) * ITEMS_PER_CHUNK]
            self._store.set(_chunk_key(number), [self._items[key].as_json() for key in keys_in_it])

    def _write_header(self) -> None:
        self._store.set(KEY, {"version": 1, **asdict(self._header)})


def _chunk_key(number: int) -> str:
    return f"{KEY}_{number:04d}"
