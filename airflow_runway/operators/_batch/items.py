"""The items of a batch in one phase: what is recorded of each pinned entry, and which body of the list it is."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_runway.core.journal.batch import is_another_list, is_submitted
from airflow_runway.core.journal.bookkeeping import Books
from airflow_runway.core.journal.item import Item, State, intent
from airflow_runway.core.journal.limits import Limits, kind_of
from airflow_runway.core.journal.pin import HASH_LENGTH, Entry, bodies_of, pin_of
from airflow_runway.exceptions import RunwayError
from airflow_runway.operators._batch.list_trouble import ListTrouble
from airflow_runway.operators._batch.messages import another_list

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_runway.core.journal.pin import Pinned
    from airflow_runway.hooks._ports import PreparedRequest, SubmittingHook
    from airflow_runway.operators._batch.requests import Request
    from airflow_runway.stores.batch import BatchStore
    from airflow_runway.telemetry import Log

#: Files read at the same time.
_FILES_AT_ONCE = 8


class BatchItems:
    """Pinned entries by their place, and what is recorded of each. Safe for several threads.

    :param hook: the connection.
    :param store: the journal, loaded.
    :param route: the route of all items.
    :param resubmit: the policy for lost answers.
    :param limits: what bounds the batch.
    :param log: the task's log.
    """

    def __init__(
        self, hook: SubmittingHook, store: BatchStore, route: str, *, resubmit: bool, limits: Limits, log: Log
    ) -> None:
        self._hook, self._store, self._route = hook, store, route
        self._resubmit, self._log = resubmit, log
        self._lock = threading.RLock()
        self._books = Books(limits)
        for item in store.items():
            self._books.record(item)
        #: Keys of what does not count any more as moderated or lost.
        self.excused: set[str] = set()
        self._excuse()
        #: The entries of the list as it is now, by the place where they were pinned.
        self._bodies: dict[int, Request] = {}
        #: What is wrong with the list as it is now.
        self.list_trouble: ListTrouble | None = None
        #: Entries that could not even be recorded in this phase, by place: the reason, and whether it may pass.
        self.unsent: dict[int, tuple[str, bool]] = {}

    @property
    def pin(self) -> tuple[Pinned, ...]:
        """The list as it was pinned."""
        return self._store.pin

    def pin_list(self, requests: Sequence[Request], *, regenerate: bool) -> None:
        """Pin the list of a first try, or after a clear: every file that it names is read.

        :param requests: the list.
        :param regenerate: whether what succeeded is made anew after a clear.
        :raises RunwayBatchError: after a clear, the list has nothing to do with what was paid for; nothing was sent.
        :raises RunwayJournalError: it could not be written down; nothing was sent.
        """
        cleared, items = self._store.is_cleared, self._store.items()
        pin = pin_of(self._entries(requests, looked_at=True), items, cleared=cleared, regenerate=regenerate)
        if cleared and not regenerate and is_another_list(pin, self.pin, items):
            raise another_list(items, len(requests))
        self._store.pin_list(pin, anew=True)
        self._excuse()
        self._bodies = {
            place: request for place, request in enumerate(requests) if request.payload is not None
        }
        for place, request in enumerate(requests):
            if request.payload is None:
                self.unsent[place] = (request.error, False)

    def match_list(self, requests: Sequence[Request]) -> None:
        """Find the bodies of what was pinned in the list as it is now; what is not there is not sent.

        Words are enough, within a try, and no file is read, unless something that is still to be sent is not found.

        :param requests: the list.
        """
        if not self.pin:
            self._adopt(requests)
            return
        found = bodies_of(self.pin, self._entries(requests))
        if any(place not in found for place in self.to_come()):
            found = bodies_of(self.pin, self._entries(requests, looked_at=True, unless=set(found.values())))
        self._bodies = {place: requests[index] for place, index in found.items()}
        for place, pinned in enumerate(self.pin):
            if not pinned.key and place < len(requests):
                self.unsent[place] = (requests[place].error, False)
        missing = sum(place not in found for place in self.to_come())
        unknown = sum(request.payload is not None for request in requests) - len(found)
        broken = sum(request.payload is None for request in requests)
        if missing:
            self.list_trouble = ListTrouble.other_bodies(missing, unknown, broken, len(requests))
        elif unknown:
            self._log.warning(
                "%d entries of the list were not in it when this task began, and are not sent: clear the task to "
                "take them in.",
                unknown,
            )

    def _adopt(self, requests: Sequence[Request]) -> None:
        """Pin what 0.1.0 began and did not pin.

        Where everything that is recorded is found in the list, word by word, the list is still the one that it was,
        and what is not recorded has not been sent. Else nobody knows which of it has: nothing new is sent.
        """
        items = self._store.items()
        words = {request.index: self._as_written(request) for request in requests}
        in_list = list(words.values())
        is_same = True
        for item in items:
            if item.as_written in in_list:
                in_list.remove(item.as_written)
            else:
                is_same = False
        if is_same:
            pin = pin_of(self._entries(requests, looked_at=True), items)
        else:
            pin = pin_of([Entry(item.as_written, item.content) for item in items], items)
            self.list_trouble = ListTrouble.of_an_earlier_version()
        self._store.pin_list(pin, anew=False)
        self._excuse()
        self._bodies = {
            place: requests[index] for place, index in bodies_of(pin, self._entries(requests)).items()
        }

    def _entries(
        self, requests: Sequence[Request], *, looked_at: bool = False, unless: set[int] | None = None
    ) -> list[Entry]:
        """The fingerprints of a list.

        :param looked_at: whether files are read.
        :param unless: places of requests whose files are not.
        """
        skipped = unless or set()

        def entry(request: Request) -> Entry:
            if request.payload is None:
                return Entry("")
            look = looked_at and request.index not in skipped
            return Entry(self._as_written(request), self._content(request) if look else "", request.name)

        if not looked_at:
            return [entry(request) for request in requests]
        with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
            return list(pool.map(entry, requests))

    def _content(self, request: Request) -> str:
        """What stands in a file is kept no longer than that takes: the batch may have thousands."""
        with suppress(RunwayError):  # told when the item is about to be sent
            return self._fingerprint(self._hook.prepare(request.payload or {}).identity)
        return ""

    def _excuse(self) -> None:
        """What is sent again, or has left the list, does not count as moderated or lost."""
        again = {self.pin[place].key for place in self.to_come()}
        keys = {pinned.key for pinned in self.pin}
        moderated = {item.key for item in self._store.items() if item.state is State.MODERATED}
        moderated = {key for key in moderated if key in again or (keys and key not in keys)}
        self.excused = again | moderated
        with self._lock:
            self._books.excuse(moderated=moderated, lost=again)

    def _fingerprint(self, payload: Mapping[str, Any]) -> str:
        return self._hook.fingerprint(self._route, payload)[:HASH_LENGTH]

    def _as_written(self, request: Request) -> str:
        return self._fingerprint(request.payload) if request.payload is not None else ""

    def item(self, place: int) -> Item | None:
        """What is recorded of a pinned entry.

        :param place: its place in the list as it was pinned.
        """
        key = self.pin[place].key
        return self._store.get(key) if key else None

    def items(self) -> list[Item]:
        """Everything that is recorded, also of requests that have left the list."""
        return self._store.items()

    def off_list(self) -> list[Item]:
        """What is recorded of requests that have left the list."""
        keys = {pinned.key for pinned in self.pin}
        return [item for item in self._store.items() if item.key not in keys]

    def running(self) -> list[Item]:
        """What was accepted and is not known to have ended."""
        return [item for item in self._store.items() if item.state is State.RUNNING]

    def named(self) -> list[Item]:
        """What was answered by an error that holds an id."""
        return [item for item in self._store.items() if item.is_named]

    def is_to_come(self, place: int) -> bool:
        """Whether a pinned entry is still to be submitted in this try.

        :param place: its place.
        """
        return is_submitted(self.item(place), self.pin[place], self._store.header, resubmit=self._resubmit)

    def to_come(self) -> list[int]:
        """Places of what is still to be submitted in this try."""
        return [place for place in range(len(self.pin)) if self.is_to_come(place)]

    def waiting(self) -> list[int]:
        """Places of what is still to be submitted, and could be: its body is there."""
        return [place for place in self.to_come() if place in self._bodies and place not in self.unsent]

    def kind(self, place: int) -> str:
        """What the price of an entry depends on.

        :param place: of an entry whose body is there.
        """
        return kind_of(self._bodies[place].payload or {})

    def plan(self, place: int, prepared: PreparedRequest) -> Item | None:
        """What is to be written down before a request is sent.

        :param place: of an entry whose body is there.
        :param prepared: the body, its media looked at.
        :returns: the intent; ``None`` where a file is another one than when the list was pinned.
        """
        pinned, content = self.pin[place], self._fingerprint(prepared.identity)
        if pinned.content and pinned.content != content and not pinned.is_named:
            return None
        planned = intent(
            self._store.get(pinned.key),
            key=pinned.key,
            as_written=self._as_written(self._bodies[place]),
            now=time.time(),
            content=content,
            kind=self.kind(place),
            sent_in=self._store.header.tries,
        )
        return replace(planned, number=place, label=self._bodies[place].label)

    def postpone(self, item: Item, before: Item | None, note: str) -> None:
        """Record that an item was not taken, and is to be sent again: it is again what it was before.

        :param item: its intent.
        :param before: what was recorded before; ``None`` = nothing.
        :param note: why it was not taken.
        """
        self.put(before or item.ended(State.POSTPONED, note=note))
        self._excuse()

    def put(self, *items: Item) -> None:
        """Record items.

        :param items: in a later state than before.
        """
        self._store.put(*items)
        with self._lock:
            for item in items:
                self._books.record(item)

    def intend(self, item: Item) -> None:
        """Record an intent.

        :param item: from :meth:`plan`.
        :raises RunwayJournalError: nothing may be sent.
        """
        with self._lock:
            self._books.intend(item)
        try:
            self._store.intend(item)
        except RunwayError:
            with self._lock:
                self._books.record(self._store.get(item.key) or item)
            raise

    def conclude(self) -> None:
        """Record that the batch has come to its end: another try submits again what failed."""
        self._store.conclude()

    def credits(self) -> float:
        """What the task is known to have cost, also for requests that have left the list."""
        with self._lock:
            return self._books.credits()
