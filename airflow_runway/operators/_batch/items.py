"""The items of a batch in one phase: which entry of the list is which recorded item, and what there is to do."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from airflow_runway.core.journal.batch import Item, State, begins_anew, intent
from airflow_runway.exceptions import RunwayError
from airflow_runway.operators._recorded_request import prepare_or_match

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_runway.hooks._ports import PreparedRequest, SubmittingHook
    from airflow_runway.operators._batch.requests import Request
    from airflow_runway.stores.batch import BatchStore
    from airflow_runway.telemetry import Log

#: Files read at the same time.
_FILES_AT_ONCE = 8
#: Characters of a fingerprint that are kept.
_HASH = 24


class BatchItems:
    """Entries of the list, and what is recorded of each. Safe for several threads.

    :param hook: the connection.
    :param store: the journal, loaded.
    :param route: the route of all items.
    :param requests: the list.
    :param resubmit: the policy for lost answers.
    :param log: the task's log.
    """

    def __init__(
        self,
        hook: SubmittingHook,
        store: BatchStore,
        route: str,
        requests: Sequence[Request],
        *,
        resubmit: bool,
        log: Log,
    ) -> None:
        self._hook, self._store, self._route = hook, store, route
        self.requests = requests
        self._resubmit, self._log = resubmit, log
        #: Read by the dry run, as are the limits of a phase.
        self.route = route
        self._claimed: set[str] = set()
        #: Keys that this phase may submit although something is recorded.
        self._anew: set[str] = set()
        self._lock = threading.Lock()
        #: Entries that could not even be recorded in this phase, by place: the reason, and whether it may pass.
        self.unsent: dict[int, tuple[str, bool]] = {}

    def match_as_written(self) -> None:
        """Find the items of requests by their words alone: enough within one try, and nothing is read."""
        by_words: dict[str, list[Item]] = {}
        for item in self._store.items():
            by_words.setdefault(item.as_written, []).append(item)
        for request in self._valid():
            for item in by_words.get(self._as_written(request), ()):
                if self._claim(request, item.key):
                    if item.state is State.POSTPONED:
                        self._anew.add(item.key)
                    break

    def match_recorded(self) -> None:
        """Find the items of requests by content: every file is read.

        What another try submits again is noted. That is what failed only if the batch had come to its end: a worker
        that died in the middle is no reason to pay for it again.
        """
        if not self._store.items():
            return
        with ThreadPoolExecutor(_FILES_AT_ONCE) as pool:
            list(pool.map(self._match_one, self._valid()))
        for request in self._valid():
            item = self._store.get(request.key) if request.key else None
            if item is not None and self._begins_anew(item):
                self._anew.add(request.key)

    def _begins_anew(self, item: Item) -> bool:
        had_ended = item.state is not State.FAILED or self._store.starts_over
        return had_ended and begins_anew(item, resubmit=self._resubmit)

    def _match_one(self, request: Request) -> None:
        try:
            prepared = prepare_or_match(
                self._hook,
                request.payload or {},
                as_written=self._as_written(request),
                recorded=self._store.items(),
                log=self._log,
                accept=lambda item: self._claim(request, item.key),
            )
        except RunwayError:
            return  # told when the item is about to be sent
        if isinstance(prepared, Item):
            return
        with self._lock:
            key = self._free_key(self._fingerprint(prepared.identity))
            if self._store.get(key) is not None:
                self._claimed.add(key)
                request.key = key

    def _claim(self, request: Request, key: str) -> bool:
        with self._lock:
            if key in self._claimed:
                return False
            self._claimed.add(key)
            request.key = key
            return True

    def _free_key(self, content: str) -> str:
        number = 0
        while f"{content}.{number}" in self._claimed:
            number += 1
        return f"{content}.{number}"

    def _fingerprint(self, payload: Mapping[str, Any]) -> str:
        return self._hook.fingerprint(self._route, payload)[:_HASH]

    def _as_written(self, request: Request) -> str:
        return self._fingerprint(request.payload or {})

    def _valid(self) -> list[Request]:
        return [request for request in self.requests if request.payload is not None]

    def item(self, request: Request) -> Item | None:
        """What is recorded of a request.

        :param request: one of the list.
        """
        return self._store.get(request.key) if request.key else None

    def items(self) -> list[Item]:
        """What is recorded of the list, in its order."""
        return [item for request in self.requests if (item := self.item(request)) is not None]

    def running(self) -> list[Item]:
        """What was accepted and is not known to have ended; also for requests that are not matched yet."""
        return [item for item in self._store.items() if item.state is State.RUNNING]

    def waiting(self) -> list[Request]:
        """Requests that have not been submitted and could be."""
        return [
            request
            for request in self._valid()
            if request.index not in self.unsent and (not request.key or request.key in self._anew)
        ]

    def plan(self, request: Request, prepared: PreparedRequest) -> Item | None:
        """What is to be written down before a request is sent.

        :param request: one of the list.
        :param prepared: the same, its media looked at.
        :returns: the intent; ``None`` where it turns out to be recorded already.
        """
        content = self._fingerprint(prepared.identity)
        with self._lock:
            if not request.key.startswith(f"{content}."):
                # New, or a file of it has changed since it was matched: another request.
                request.key = self._free_key(content)
                self._claimed.add(request.key)
            self._anew.discard(request.key)
        earlier = self._store.get(request.key)
        if earlier is not None and not self._begins_anew(earlier):
            return None
        return intent(earlier, key=request.key, as_written=self._as_written(request), now=time.time())

    def postpone(self, item: Item, note: str) -> None:
        """Record that an item was not taken, and is to be sent again.

        :param item: its intent.
        :param note: why.
        """
        with self._lock:
            self._anew.add(item.key)
        self._store.put(item.ended(State.POSTPONED, note=note))

    def put(self, *items: Item) -> None:
        """Record items.

        :param items: in a later state than before.
        """
        self._store.put(*items)

    def intend(self, item: Item) -> None:
        """Record an intent.

        :param item: from :meth:`plan`.
        :raises RunwayJournalError: nothing may be sent.
        """
        self._store.intend(item)

    def conclude(self) -> None:
        """Record that the batch has come to its end: another try submits again what failed."""
        self._store.conclude()

    def credits(self) -> float:
        """What the task has cost so far, also for requests that have left the list."""
        return sum(item.credits for item in self._store.items())
