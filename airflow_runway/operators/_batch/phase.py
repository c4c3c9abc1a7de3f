"""One phase of a batch in a worker: recognise, submit what may be submitted, settle and save what has ended.

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

from airflow_runway.core.journal.batch import Hindrance, Item, Limits, State
from airflow_runway.core.models import CancelOutcome, TaskStatus
from airflow_runway.core.protocol.errors import unhappy_ending
from airflow_runway.core.protocol.verdicts import Cause, Retry, judge_failure
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
    RunwayOutputMissingError,
    RunwayReadRefusedError,
    RunwaySubmissionError,
    RunwayTaskLostError,
)
from airflow_runway.operators._batch.items import BatchItems
from airflow_runway.operators._callback_token import with_token
from airflow_runway.operators._submit import LONGEST_GOODBYE
from airflow_runway.operators._waiting import ATTEMPTS_FOR_RESULT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_runway.operators._batch.requests import Request

#: Submissions under way at the same time.
SUBMISSIONS_AT_ONCE = 4
#: Requests to the gateway under way at the same time, where they are free.
READS_AT_ONCE = 8
#: Outcomes of a cancellation after which nothing comes of a generation any more.
_GONE_FOR_GOOD = frozenset({CancelOutcome.CANCELLED, CancelOutcome.NOT_FOUND})
#: What a trigger can report that the server's own status does not tell.
_ENDS_WITHOUT_A_RESULT = frozenset({RunwayTaskLostError.__name__, RunwayOutputMissingError.__name__})


@dataclass
class Phase:
    """What one phase came to."""

    hindrance: Hindrance | None = None
    #: Seconds after which the gateway may take something again; ``None`` = it did not say no.
    pause: float | None = None
    #: Trouble that concerns every further item: the key, the balance, the journal.
    trouble: RunwayError | None = None


class BatchRun(BatchItems):
    """One phase of a batch.

    :param limits: what bounds the batch.
    :param cancel_when_stopped: whether what is accepted after somebody stopped the task is cancelled.
    :param arguments: of :class:`~airflow_runway.operators._batch.items.BatchItems`.
    """

    def __init__(self, *arguments: Any, limits: Limits, cancel_when_stopped: bool, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._limits = limits
        self._cancel_when_stopped = cancel_when_stopped
        self.phase = Phase()
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
        if self.stopped:
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
            planned = self.plan(request, prepared)
            if planned is None:
                return
            # Uploads and fresh links are free, and come before the intent.
            token, body = with_token(self._hook.settings, self._route, prepared.body())
            planned = replace(planned, token=token)
            self.intend(planned)
        except (RunwayJournalError, RunwayConfigurationError) as error:
            self.phase.trouble = error
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
            self.phase.pause = max(self.phase.pause or 0.0, error.retry_after or 0.0)
            self._log.warning("Item %d: %s", request.index, error)
            return
        of_every_item = isinstance(
            error, RunwayAuthenticationError | RunwayOutOfCreditsError | RunwayConfigurationError
        )
        if of_every_item:
            self.phase.trouble = error
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
        self.put(*settled)

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
        elif error is not None and error["type"] in _ENDS_WITHOUT_A_RESULT:
            item = item.ended(State.FAILED, note=error["message"])
        if item.note:
            self._log.error("%s", item.note)
        return item

    def cancel(self, items: Sequence[Item], why: str) -> None:
        """Cancel generations, several at once.

        What has ended meanwhile is left for :meth:`settle`. What could not be cancelled goes on, and is charged: it
        stays on record as running, so that another try waits for it instead of paying for another one.

        :param items: what to cancel.
        :param why: a sentence for the record.
        """

        def one(item: Item) -> None:
            outcome = self._hook.cancel_task(item.runway_task_id)
            self._log.info("Runway task %s: %s Cancelling: %s.", item.runway_task_id, why, outcome)
            if outcome in _GONE_FOR_GOOD:
                note = f"Runway task {item.runway_task_id}: {why} Cancelling: {outcome}."
                self.put(item.ended(State.FAILED, note=note))

        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            list(pool.map(one, items))

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
            hook = self._hook.detached(LONGEST_GOODBYE)
            with ThreadPoolExecutor(READS_AT_ONCE) as pool:
                outcomes = list(pool.map(hook.cancel_task, [item.runway_task_id for item in self.running()]))
            self._log.info(
                "%s Cancelling %d generations: %s.", why, len(outcomes), Counter(map(str, outcomes))
            )
        except Exception as error:
            self._log.warning("%s Not everything could be cancelled: %s", why, error)
