"""One phase of a batch in a worker: recognise, submit what may be submitted, settle and save what has ended.

Several submissions are under way at the same time, each in a thread of its own, each with its intent written down
before its POST and its id right after it. Whatever is asked of the list of items goes through the store's lock.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_runway import journal
from airflow_runway.batch import Hindrance, Item, Limits, State, begins_anew, intent
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
    RunwayTaskTimeoutError,
)
from airflow_runway.failures import Cause, Retry, judge_failure
from airflow_runway.models import CancelOutcome, TaskStatus
from airflow_runway.reporting import unhappy_ending
from airflow_runway.waiting import ATTEMPTS_FOR_RESULT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_runway.batch_store import BatchStore
    from airflow_runway.hooks.media import PreparedRequest
    from airflow_runway.hooks.runway import RunwayHook

#: Submissions under way at the same time.
SUBMISSIONS_AT_ONCE = 4
#: Requests to the gateway under way at the same time, where they are free.
READS_AT_ONCE = 8
#: Seconds until a gateway that takes nothing now is asked again, where it does not say; doubled each time.
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
_HASH = 24


@dataclass(slots=True)
class Request:
    """One entry of the list."""

    #: Its place in the list, from 0.
    index: int
    payload: Mapping[str, Any] | None
    #: Why it is none.
    error: str = ""
    #: What is recorded of it, once that has been found out.
    key: str = ""


@dataclass
class Phase:
    """What one phase came to."""

    hindrance: Hindrance | None = None
    #: Seconds after which the gateway may take something again; ``None`` = it did not say no.
    pause: float | None = None
    #: Trouble that concerns every further item: the key, the balance, the journal.
    trouble: RunwayError | None = None
    #: Items that were not even recorded, by place in the list: the reason, and whether it may pass.
    unsent: dict[int, tuple[str, bool]] = field(default_factory=dict)


class BatchRun:
    """The items of a batch and what is done with them.

    :param hook: the connection.
    :param store: the journal, loaded.
    :param route: the route of all items.
    :param requests: the list.
    :param limits: what bounds the batch.
    :param resubmit: the policy for lost answers.
    :param log: the task's log.
    """

    def __init__(
        self,
        hook: RunwayHook,
        store: BatchStore,
        route: str,
        requests: Sequence[Request],
        limits: Limits,
        *,
        resubmit: bool,
        log: Any,
    ) -> None:
        self._hook, self._store, self._route = hook, store, route
        self.requests = requests
        self._limits, self._resubmit, self._log = limits, resubmit, log
        self._claimed: set[str] = set()
        #: Keys that this phase may submit although something is recorded.
        self._anew: set[str] = set()
        self._lock = threading.Lock()
        self.stopped = threading.Event()
        self.phase = Phase()

    # -- recognising ------------------------------------------------------------------------------------

    def recognise_as_written(self) -> None:
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

    def recognise(self) -> None:
        """Find the items of requests by content: every file is read. What another try submits again is noted."""
        if not self._store.items():
            return
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            list(pool.map(self._recognise_one, self._valid()))
        for request in self._valid():
            item = self._store.get(request.key) if request.key else None
            if item is not None and begins_anew(item, resubmit=self._resubmit):
                self._anew.add(request.key)

    def _recognise_one(self, request: Request) -> None:
        words = self._as_written(request)
        try:
            prepared = self._hook.prepare(request.payload or {})
        except RunwayError as error:
            # A file that was tidied away must not hide what is paid for.
            for item in self._store.items():
                if item.as_written == words and self._claim(request, item.key):
                    self._log.warning(
                        "Item %d is taken for the recorded one, though: %s", request.index, error
                    )
                    return
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
        gateway, conn_id = self._hook.settings.gateway.name, self._hook.runway_conn_id
        return journal.fingerprint(gateway, conn_id, self._route, payload)[:_HASH]

    def _as_written(self, request: Request) -> str:
        return self._fingerprint(request.payload or {})

    def _valid(self) -> list[Request]:
        return [request for request in self.requests if request.payload is not None]

    # -- what there is ----------------------------------------------------------------------------------

    def item(self, request: Request) -> Item | None:
        """What is recorded of a request.

        :param request: one of the list.
        """
        return self._store.get(request.key) if request.key else None

    def items(self) -> list[Item]:
        """What is recorded of the list, in its order."""
        return [item for request in self.requests if (item := self.item(request)) is not None]

    def running(self) -> list[Item]:
        """What was accepted and is not known to have ended; also for requests that are not recognised yet."""
        return [item for item in self._store.items() if item.state is State.RUNNING]

    def waiting(self) -> list[Request]:
        """Requests that have not been submitted and could be."""
        return [
            request
            for request in self._valid()
            if request.index not in self.phase.unsent and (not request.key or request.key in self._anew)
        ]

    # -- submitting -------------------------------------------------------------------------------------

    def submit(self, deadline: float) -> None:
        """Submit until everything is, or something stands in the way: see :attr:`phase`.

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
        if self.phase.trouble is not None or self.phase.pause is not None:
            return False
        if self.stopped.is_set():
            self.phase.hindrance = Hindrance.STOPPED
        elif time.time() >= deadline:
            self.phase.hindrance = Hindrance.DEADLINE
        else:
            # Whatever was ever charged for this task counts, also for requests that have left the list.
            self.phase.hindrance = self._limits.hindrance(self._store.items(), under_way)
        return self.phase.hindrance is None

    def _submit_one(self, request: Request) -> None:
        try:
            prepared = self._hook.prepare(request.payload or {})
            planned = self._plan(request, prepared)
            if planned is None:
                return
            # Uploads and fresh links are free, and come before the intent.
            body = prepared.body()
            self._store.intend(planned)
        except (RunwayJournalError, RunwayConfigurationError) as error:
            self.phase.trouble = error
            return
        except RunwayMediaError as error:
            self.phase.unsent[request.index] = (str(error), not isinstance(error, RunwayMediaRefusedError))
            self._log.error("Item %d: %s", request.index, error)
            return
        self._send(request, planned, body)

    def _plan(self, request: Request, prepared: PreparedRequest) -> Item | None:
        """What is to be written down of a request; ``None`` where it turns out to be recorded already."""
        content = self._fingerprint(prepared.identity)
        with self._lock:
            if not request.key.startswith(f"{content}."):
                # New, or a file of it has changed since it was recognised: another request.
                request.key = self._free_key(content)
                self._claimed.add(request.key)
            self._anew.discard(request.key)
        earlier = self._store.get(request.key)
        if earlier is not None and not begins_anew(earlier, resubmit=self._resubmit):
            return None
        return intent(earlier, key=request.key, as_written=self._as_written(request), now=time.time())

    def _send(self, request: Request, planned: Item, body: Mapping[str, Any]) -> None:
        try:
            submission = self._hook.send(self._route, body)
        except RunwayAmbiguousSubmissionError as error:
            self._store.put(planned.ended(State.INTENT, note=str(error)))
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
        self._store.put(item)
        if self.stopped.is_set():
            self._log.warning(
                "Runway task %s: %s", item.runway_task_id, self._hook.cancel_task(item.runway_task_id)
            )
        elif (
            self._limits.credits is not None
            and sum(one.credits for one in self._store.items()) > self._limits.credits
        ):
            self._over_budget(item)

    def _not_accepted(self, request: Request, planned: Item, error: RunwayError) -> None:
        if isinstance(error, RunwayNotAcceptedError):
            # Nothing is wrong with the item: it is sent again after the pause.
            self._store.put(planned.ended(State.POSTPONED, note=str(error)))
            self.phase.pause = max(self.phase.pause or 0.0, error.retry_after or 0.0)
            self._log.warning("Item %d: %s", request.index, error)
            return
        of_every_item = isinstance(
            error, RunwayAuthenticationError | RunwayOutOfCreditsError | RunwayConfigurationError
        )
        if of_every_item:
            self.phase.trouble = error
        self._store.put(planned.ended(State.POSTPONED if of_every_item else State.FAILED, note=str(error)))
        self._log.error("Item %d: %s", request.index, error)

    def _over_budget(self, item: Item) -> None:
        outcome = self._hook.cancel_task(item.runway_task_id)
        if outcome is CancelOutcome.ALREADY_FINISHED:
            return
        note = f"It may cost {item.estimated or 0:g} credits, which exceeds max_credits; cancelling it at once: {outcome}."
        self._log.error("Runway task %s: %s", item.runway_task_id, note)
        self._store.put(item.ended(State.FAILED, note=note))

    # -- ending -----------------------------------------------------------------------------------------

    def settle(self, errors: Mapping[str, Mapping[str, str] | None], *, to_be_saved: bool) -> None:
        """Read what the trigger says has ended, and record how.

        :param errors: Runway task id → the trigger's error, ``None`` where it saw a regular end.
        :param to_be_saved: whether outputs are stored afterwards.
        """
        ended = [item for item in self.running() if item.runway_task_id in errors]
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            settled = list(
                pool.map(lambda item: self._settled(item, errors[item.runway_task_id], to_be_saved), ended)
            )
        self._store.put(*settled)

    def _settled(self, item: Item, error: Mapping[str, str] | None, to_be_saved: bool) -> Item:
        try:
            task = self._hook.get_task(item.runway_task_id, attempts=ATTEMPTS_FOR_RESULT)
        except RunwayReadRefusedError as refused:
            self.phase.trouble = refused
            return item
        except RunwayError as trouble:
            self._log.warning("%s", trouble)
            return item
        ending = unhappy_ending(task)
        if ending is not None:
            verdict = judge_failure(task.failure_code)
            moderated = task.status is TaskStatus.FAILED and verdict.cause is Cause.MODERATION
            may_pass = task.status is TaskStatus.FAILED and verdict.retry is not Retry.NEVER
            item = item.ended(
                State.MODERATED if moderated else State.FAILED,
                note=str(ending),
                may_pass=may_pass,
                charged=task.cost_credits,
            )
        elif task.status is TaskStatus.SUCCEEDED and task.output:
            state = State.UNSAVED if to_be_saved else State.SUCCEEDED
            return item.ended(state, charged=task.cost_credits)
        elif error is not None and error["type"] != RunwayTaskTimeoutError.__name__:
            item = item.ended(State.FAILED, note=error["message"])
        if item.note:
            self._log.error("%s", item.note)
        return item

    def cancel(self, items: Sequence[Item], why: str) -> None:
        """Cancel generations, several at once; what has ended meanwhile is left for :meth:`settle`.

        :param items: what to cancel.
        :param why: a sentence for the record.
        """

        def one(item: Item) -> None:
            outcome = self._hook.cancel_task(item.runway_task_id)
            self._log.info("Runway task %s: %s Cancelling: %s.", item.runway_task_id, why, outcome)
            if outcome is not CancelOutcome.ALREADY_FINISHED:
                note = f"Runway task {item.runway_task_id}: {why} Cancelling: {outcome}."
                self._store.put(item.ended(State.FAILED, note=note))

        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            list(pool.map(one, items))

    def cancel_others(self) -> None:
        """Cancel what still runs for requests that have left the list."""
        if self.waiting():
            return
        wanted = {request.key for request in self.requests}
        others = [item for item in self.running() if item.key not in wanted]
        self.cancel(others, "Its request is no longer in the list.")
