"""One phase of a batch in a worker: settle what has ended, submit what may be submitted.

Several submissions may be under way at the same time, each in a thread of its own, each with its intent written down
before its POST and its id right after it. Whatever is asked of the items goes through a lock.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.journal.bounds import as_credits
from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.journal.limits import Limits, StopReason
from airflow_runway.core.journal.record import Phase, Record
from airflow_runway.core.journal.settlement import is_over
from airflow_runway.core.limits import KILL_CLEANUP_TIMEOUT
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayAuthenticationError,
    RunwayBudgetError,
    RunwayConfigurationError,
    RunwayError,
    RunwayJournalError,
    RunwayMediaError,
    RunwayMediaRefusedError,
    RunwayNotAcceptedError,
    RunwayOutOfCreditsError,
    RunwaySubmissionError,
)
from airflow_runway.operators._batch.settling import SettlingItems
from airflow_runway.operators._callback_token import with_token
from airflow_runway.operators._router_noting import RouterNoting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_runway.hooks._ports import SubmittingHook
    from airflow_runway.operators._budgets import Budget
    from airflow_runway.stores.batch import BatchStore
    from airflow_runway.stores.routers import RouterNotes
    from airflow_runway.telemetry import Log

#: Seconds that a submission waits in the worker for others who spend from the same budget; after that the task does.
_LONGEST_WAIT_FOR_ROOM: Final = 30.0


class BatchPhase(SettlingItems):
    """One phase of a batch.

    :param hook: the connection.
    :param store: the journal, loaded.
    :param route: the route of all items.
    :param resubmit: the policy for lost answers.
    :param limits: what bounds the batch.
    :param budget: what bounds it together with others.
    :param notes_on: gives the notes on a router, by its slug.
    :param submissions_at_once: how many submissions may be under way at the same time.
    :param log: the task's log.
    """

    def __init__(
        self,
        hook: SubmittingHook,
        store: BatchStore,
        route: str,
        *,
        resubmit: bool,
        limits: Limits,
        budget: Budget,
        notes_on: Callable[[str], RouterNotes | None],
        submissions_at_once: int,
        log: Log,
    ) -> None:
        super().__init__(hook, store, route, resubmit=resubmit, limits=limits, budget=budget, log=log)
        self._router = RouterNoting(hook, notes_on, log)
        self.limits = limits
        self._at_once = submissions_at_once
        self._stopped = threading.Event()
        #: Told when somebody stops the task, e.g. a download under way.
        self.when_stopped: Callable[[], None] | None = None

    @property
    def stopped(self) -> bool:
        """Whether somebody stops the task."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Submit nothing more."""
        self._stopped.set()
        if self.when_stopped is not None:
            self.when_stopped()

    def submit(self, deadline: float) -> None:
        """Submit until everything is, or something stands in the way: see :attr:`result`.

        :param deadline: wall clock, seconds since the epoch.
        """
        queue = deque(self.waiting())
        under_way: set[Future[None]] = set()
        with ThreadPoolExecutor(self._at_once) as pool:
            while queue or under_way:
                while queue and len(under_way) < self._at_once and self._may_go_on(deadline):
                    if (reason := self._start(queue[0])) is None:
                        under_way.add(pool.submit(self._submit_one, queue.popleft()))
                    elif reason is StopReason.PRICE_LOST:
                        queue.popleft()  # of others, the price may be known
                    else:
                        break
                if not under_way:
                    return
                ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()

    def _may_go_on(self, deadline: float) -> bool:
        if self.result.trouble is not None or self.result.pause is not None:
            return False
        if self.stopped:
            self.result.stop_reason = StopReason.STOPPED
        elif time.time() >= deadline:
            self.result.stop_reason = StopReason.DEADLINE
        else:
            return True
        return False

    def _start(self, place: int) -> StopReason | None:
        """Reserve a submission; else why it may not begin now."""
        key, kind = self.pin[place].key, self.kind(place)
        with self._lock:
            reason = self._books.stop_reason(key, kind, time.time())
            if reason is None:
                self._books.start(key, kind)
        if reason is not None or self.result.stop_reason is not StopReason.PRICE_LOST:
            self.result.stop_reason = reason
        return reason

    def _submit_one(self, place: int) -> None:
        try:
            self._prepare_and_send(place)
        finally:
            key = self.pin[place].key
            with self._lock:
                exceeds = self._books.end(key)
                item = self._store.get(key)
        if exceeds and item is not None:
            self._over_budget(item, "max_credits")

    def _prepare_and_send(self, place: int) -> None:
        try:
            prepared = self._hook.prepare(self._bodies[place].payload or {})
            planned = self.plan(place, prepared)
            if planned is None:
                self._not_sent(
                    place,
                    "A file of it is another one than when the list was pinned, so it was not sent. Clear the task "
                    "to pin the list anew.",
                    may_pass=False,
                )
                return
            # Uploads and fresh links are free, and come before the intent.
            token, body = with_token(self._hook.settings, self._route, prepared.body())
            self._hook.prepare_create(self._route, body)
            before = self.item(place)
            planned = self._reserved(replace(planned, token=token))
            routed = self._router.traceable(self._as_record(planned), body)
            with self.budget.kept_for(self.submitted(planned)):
                self.intend(planned)
                self._note(planned, before, routed)
        except (RunwayJournalError, RunwayConfigurationError, RunwayBudgetError) as error:
            self.result.trouble = error
            return
        except RunwayNotAcceptedError as error:
            # Others are about to spend from the same budget: nobody knows yet whether there is room.
            self.result.pause = self.result.pause or 0.0
            self._log.warning("Item %d: %s", place, error.headline)
            return
        except RunwayMediaError as error:
            self._log.error("Item %d: %s", place, error)
            self.unsent[place] = (error.message, not isinstance(error, RunwayMediaRefusedError))
            return
        self._send(place, planned, before, body, routed)

    def _as_record(self, planned: Item) -> Record:
        """An item as notes on routers know submissions."""
        gateway = self._hook.settings.gateway.name
        return Record(Phase.INTENT, planned.key, gateway, self._route, sent_at=planned.sent_at)

    def _note(self, planned: Item, before: Item | None, routed: Record) -> None:
        try:
            self._router.begin(routed)
        except RunwayJournalError as error:
            self.postpone(planned, before, error.message)
            raise

    def _reserved(self, planned: Item) -> Item:
        """The item once there is room for it in what bounds it together with others."""
        self.budget.check()
        kind = self.budget.kind(self._route, planned.kind)
        if not kind:
            return planned
        sent_at = self.budget.reserve(
            planned.key, kind, lambda: map(self.submitted, self.items()), longest=_LONGEST_WAIT_FOR_ROOM
        )
        return replace(planned, sent_at=sent_at)

    def _not_sent(self, place: int, why: str, *, may_pass: bool) -> None:
        self.unsent[place] = (why, may_pass)
        self._log.error("Item %d: %s", place, why)

    def _send(
        self, place: int, planned: Item, before: Item | None, body: Mapping[str, Any], routed: Record
    ) -> None:
        try:
            with self.budget.kept_for(self.submitted(planned)):
                submission = self._hook.send(self._route, body)
        except RunwayAmbiguousSubmissionError as error:
            named = replace(planned, runway_task_id=error.runway_task_id, refused=error.facts.refused)
            self._log.error("Item %d: %s", place, error)
            self.put(named.ended(State.INTENT, note=error.message))
            return
        except (RunwaySubmissionError, RunwayConfigurationError) as error:
            self._router.refused(routed)
            self._not_accepted(place, planned, before, error)
            return
        item = replace(
            planned,
            state=State.RUNNING,
            runway_task_id=submission.runway_task_id,
            estimated=submission.estimated_credits,
        )
        # The log first: it is the one record that needs nobody's answer.
        self._log.info("Item %d: Runway task %s accepted.", place, item.runway_task_id)
        self.put(item)
        self._router.held(replace(routed, runway_task_id=item.runway_task_id))
        bound = self.budget.accepted(self.submitted(item))
        if bound is not None:
            self._over_budget(item, f"what is left of {bound.name}={as_credits(bound.most)}")

    def _not_accepted(self, place: int, planned: Item, before: Item | None, error: RunwayError) -> None:
        if isinstance(error, RunwayNotAcceptedError):
            # Nothing is wrong with the item: it is sent again after the pause.
            self.postpone(planned, before, error.message)
            self.result.pause = max(self.result.pause or 0.0, error.retry_after or 0.0)
            self._log.warning("Item %d: %s", place, error.headline)
            return
        of_every_item = isinstance(
            error, RunwayAuthenticationError | RunwayOutOfCreditsError | RunwayConfigurationError
        )
        if of_every_item:
            self.result.trouble = error
            self.postpone(planned, before, error.message)
        else:
            self.put(planned.ended(State.FAILED, note=error.message))
        # What concerns every item is raised at the end, and told at length there.
        self._log.error("Item %d: %s", place, error.headline if of_every_item else error)

    def _over_budget(self, item: Item, bound: str) -> None:
        outcome = self._hook.cancel_task(item.runway_task_id)
        note = (
            f"It may cost {item.estimated or 0:g} credits, which exceeds {bound}; cancelling it at once: "
            f"{outcome}."
        )
        self._log.error("Runway task %s: %s", item.runway_task_id, note)
        if is_over(item, outcome, time.time()):
            self.put(item.ended(State.FAILED, note=note))

    def cut_off(self) -> list[Item]:
        """What runs, and could not be recorded since the task was cleared meanwhile: no next try knows it."""
        return [item for item in self.running() if item.runway_task_id in self._store.cut_off]

    def cancel_quietly(self, why: str, items: list[Item] | None = None) -> None:
        """Cancel everything that runs, over a session of its own, and record what is gone; trouble is logged.

        :param why: a sentence for the record.
        :param items: only these.
        """
        items = self.running() if items is None else items
        try:
            self.cancel(items, why, self._hook.detached(KILL_CLEANUP_TIMEOUT))
        except Exception as error:
            self._log.warning("%s Not everything could be cancelled: %s", why, redact(error))
