"""One phase of a batch in a worker: match the list, submit what may be submitted, settle what has ended.

Several submissions are under way at the same time, each in a thread of its own, each with its intent written down
before its POST and its id right after it. Whatever is asked of the list of items goes through the store's lock.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_runway import telemetry
from airflow_runway.core.journal.batch import Item, Limits, State, StopReason
from airflow_runway.core.journal.settlement import Settlement, settlement_of
from airflow_runway.core.limits import KILL_CLEANUP_TIMEOUT, RESULT_ATTEMPTS
from airflow_runway.core.models import CancelOutcome
from airflow_runway.core.polling.decisions import GaveUp, Wait, timed_out
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayAuthenticationError,
    RunwayConfigurationError,
    RunwayError,
    RunwayJournalError,
    RunwayMediaError,
    RunwayMediaRefusedError,
    RunwayNotAcceptedError,
    RunwayOutOfCreditsError,
    RunwayReadRefusedError,
    RunwaySubmissionError,
)
from airflow_runway.operators._batch.items import BatchItems
from airflow_runway.operators._callback_token import with_token
from airflow_runway.triggers._events import error_in

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_runway.hooks._ports import SubmittingHook
    from airflow_runway.operators._batch.requests import Request
    from airflow_runway.stores.batch import BatchStore
    from airflow_runway.telemetry import Log
    from airflow_runway.triggers._events import ErrorEvent

#: Submissions under way at the same time.
SUBMISSIONS_AT_ONCE = 4
#: Requests to the gateway under way at the same time, where they are free.
READS_AT_ONCE = 8
#: Outcomes of a cancellation after which nothing comes of a generation any more.
_GONE_FOR_GOOD = frozenset({CancelOutcome.CANCELLED, CancelOutcome.NOT_FOUND})


@dataclass
class PhaseResult:
    """What one phase came to."""

    #: Why nothing more was submitted.
    stop_reason: StopReason | None = None
    #: Seconds after which the gateway may take something again; ``None`` = it did not say no.
    pause: float | None = None
    #: Trouble that concerns every further item: the key, the balance, the journal.
    trouble: RunwayError | None = None


class BatchPhase(BatchItems):
    """One phase of a batch.

    :param hook: the connection.
    :param store: the journal, loaded.
    :param route: the route of all items.
    :param requests: the list.
    :param resubmit: the policy for lost answers.
    :param limits: what bounds the batch.
    :param cancel_when_stopped: whether what is accepted after somebody stopped the task is cancelled.
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
        limits: Limits,
        cancel_when_stopped: bool,
        log: Log,
    ) -> None:
        super().__init__(hook, store, route, requests, resubmit=resubmit, log=log)
        self._limits = self.limits = limits
        self._cancel_when_stopped = cancel_when_stopped
        self.result = PhaseResult()
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
        with ThreadPoolExecutor(SUBMISSIONS_AT_ONCE) as pool:
            while queue or under_way:
                while (
                    queue
                    and len(under_way) < SUBMISSIONS_AT_ONCE
                    and self._may_start(len(under_way), deadline)
                ):
                    under_way.add(pool.submit(self._submit_one, queue.popleft()))
                if not under_way:
                    return
                ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                for future in ended:
                    future.result()

    def _may_start(self, under_way: int, deadline: float) -> bool:
        if self.result.trouble is not None or self.result.pause is not None:
            return False
        if self.stopped:
            self.result.stop_reason = StopReason.STOPPED
        elif time.time() >= deadline:
            self.result.stop_reason = StopReason.DEADLINE
        else:
            # Whatever was ever charged for this task counts, also for requests that have left the list.
            self.result.stop_reason = self._limits.stop_reason(self._store.items(), under_way)
        return self.result.stop_reason is None

    def _submit_one(self, request: Request) -> None:
        try:
            prepared = self._hook.prepare(request.payload or {})
            planned = self.plan(request, prepared)
            if planned is None:
                return
            # Uploads and fresh links are free, and come before the intent.
            token, body = with_token(self._hook.settings, self._route, prepared.body())
            self._hook.prepare_create(self._route, body)
            planned = replace(planned, token=token)
            self.intend(planned)
        except (RunwayJournalError, RunwayConfigurationError) as error:
            self.result.trouble = error
            return
        except RunwayMediaError as error:
            self.unsent[request.index] = (str(error), not isinstance(error, RunwayMediaRefusedError))
            self._log.error("Item %d: %s", request.index, error)
            return
        self._send(request, planned, body)

    def _send(self, request: Request, planned: Item, body: Mapping[str, Any]) -> None:
        try:
            submission = self._hook.send(self._route, body)
        except RunwayAmbiguousSubmissionError as error:
            self.put(planned.ended(State.INTENT, note=str(error)))
            self._log.error("Item %d: %s", request.index, error)
            return
        except (RunwaySubmissionError, RunwayConfigurationError) as error:
            self._not_accepted(request, planned, error)
            return
        item = replace(
            planned,
            state=State.RUNNING,
            runway_task_id=submission.runway_task_id,
            estimated=submission.estimated_credits,
        )
        # The log first: it is the one record that needs nobody's answer.
        self._log.info("Item %d: Runway task %s accepted.", request.index, item.runway_task_id)
        self.put(item)
        if self.stopped and self._cancel_when_stopped:
            self._log.warning(
                "Runway task %s: %s", item.runway_task_id, self._hook.cancel_task(item.runway_task_id)
            )
        elif self._limits.credits is not None and self.credits() > self._limits.credits:
            self._over_budget(item)

    def _not_accepted(self, request: Request, planned: Item, error: RunwayError) -> None:
        if isinstance(error, RunwayNotAcceptedError):
            # Nothing is wrong with the item: it is sent again after the pause.
            self.postpone(planned, str(error))
            self.result.pause = max(self.result.pause or 0.0, error.retry_after or 0.0)
            self._log.warning("Item %d: %s", request.index, error)
            return
        of_every_item = isinstance(
            error, RunwayAuthenticationError | RunwayOutOfCreditsError | RunwayConfigurationError
        )
        if of_every_item:
            self.result.trouble = error
            self.postpone(planned, str(error))
        else:
            self.put(planned.ended(State.FAILED, note=str(error)))
        self._log.error("Item %d: %s", request.index, error)

    def _over_budget(self, item: Item) -> None:
        outcome = self._hook.cancel_task(item.runway_task_id)
        note = (
            f"It may cost {item.estimated or 0:g} credits, which exceeds max_credits; cancelling it at once: "
            f"{outcome}."
        )
        self._log.error("Runway task %s: %s", item.runway_task_id, note)
        if outcome in _GONE_FOR_GOOD:
            self.put(item.ended(State.FAILED, note=note))

    def settle(self, ended: Mapping[str, ErrorEvent | None], *, to_be_saved: bool) -> None:
        """Read what the trigger says has ended, record how, and count it.

        :param ended: Runway task id → the trigger's error, ``None`` where it saw a regular end.
        :param to_be_saved: whether outputs are stored afterwards.
        """
        items = [item for item in self.running() if item.runway_task_id in ended]
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            settled = list(
                pool.map(lambda item: self._settled(item, ended[item.runway_task_id], to_be_saved), items)
            )
        self.put(*(settlement.item for settlement in settled))
        for settlement in settled:
            # Once per generation: from here on it is no longer among those that run.
            if settlement.decision is not None:
                telemetry.count_ending(settlement.decision)
                if settlement.item.note:
                    self._log.error("%s", settlement.item.note)

    def _settled(self, item: Item, event: ErrorEvent | None, to_be_saved: bool) -> Settlement:
        try:
            task = self._hook.get_task(item.runway_task_id, attempts=RESULT_ATTEMPTS)
        except RunwayReadRefusedError as refused:
            self.result.trouble = refused
            return Settlement(item)
        except RunwayError as trouble:
            self._log.warning("%s", trouble)
            return Settlement(item)
        return settlement_of(item, task, error_in(event), to_be_saved=to_be_saved)

    def cancel_at_deadline(self, deadline: float) -> None:
        """Cancel what has not ended, and count it.

        :param deadline: wall clock, seconds since the epoch.
        """
        for item in self.cancel(self.running(), "The batch's deadline has passed."):
            telemetry.count_ending(GaveUp(timed_out(Wait(item.runway_task_id, deadline))))

    def cancel(self, items: Sequence[Item], why: str) -> list[Item]:
        """Cancel generations, several at once.

        What has ended meanwhile is left for :meth:`settle`. What could not be cancelled goes on, and is charged: it
        stays on record as running, so that another try waits for it instead of paying for another one.

        :param items: what to cancel.
        :param why: a sentence for the record.
        :returns: those of which nothing comes any more.
        """

        def gone(item: Item) -> bool:
            outcome = self._hook.cancel_task(item.runway_task_id)
            self._log.info("Runway task %s: %s Cancelling: %s.", item.runway_task_id, why, outcome)
            if outcome in _GONE_FOR_GOOD:
                note = f"Runway task {item.runway_task_id}: {why} Cancelling: {outcome}."
                self.put(item.ended(State.FAILED, note=note))
            return outcome in _GONE_FOR_GOOD

        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            return [item for item, is_gone in zip(items, pool.map(gone, items), strict=True) if is_gone]

    def cancel_others(self) -> None:
        """Cancel what still runs for requests that have left the list, when a try begins.

        Not later: a list that is read while somebody writes it must not cost a clip.
        """
        wanted = {request.key for request in self.requests}
        others = [item for item in self.running() if item.key not in wanted]
        self.cancel(others, "Its request is no longer in the list.")

    def cancel_quietly(self, why: str) -> None:
        """Cancel everything that runs, over a session of its own; trouble is logged.

        :param why: a sentence for the record.
        """
        try:
            hook = self._hook.detached(KILL_CLEANUP_TIMEOUT)
            with ThreadPoolExecutor(READS_AT_ONCE) as pool:
                outcomes = list(pool.map(hook.cancel_task, [item.runway_task_id for item in self.running()]))
            self._log.info(
                "%s Cancelling %d generations: %s.", why, len(outcomes), Counter(map(str, outcomes))
            )
        except Exception as error:
            self._log.warning("%s Not everything could be cancelled: %s", why, error)
