"""What becomes of generations that run: settled when they have ended, cancelled where nobody wants them any more."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_runway import telemetry
from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.journal.record import model_in
from airflow_runway.core.journal.settlement import Begins, Settlement, is_over, settlement_of
from airflow_runway.core.limits import RESULT_ATTEMPTS
from airflow_runway.core.polling.decisions import GaveUp, Wait, timed_out
from airflow_runway.core.protocol.endings import Cancelled, Failed, ending_of
from airflow_runway.core.reports import summary
from airflow_runway.exceptions import RunwayError, RunwayReadRefusedError, error_of
from airflow_runway.operators._batch.items import BatchItems
from airflow_runway.operators._batch.messages import still_running
from airflow_runway.operators._reservations import Submitted
from airflow_runway.triggers._events import error_in

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow_runway.core.journal.limits import Limits, StopReason
    from airflow_runway.hooks._ports import CancelsTasks, SubmittingHook
    from airflow_runway.operators._budgets import Budget
    from airflow_runway.stores.batch import BatchStore
    from airflow_runway.telemetry import Log
    from airflow_runway.triggers._events import ErrorEvent

#: Requests to the gateway under way at the same time, where they are free.
READS_AT_ONCE = 8


@dataclass
class PhaseResult:
    """What one phase came to."""

    #: Why nothing more was submitted.
    stop_reason: StopReason | None = None
    #: Seconds after which the gateway may take something again; ``None`` = it did not say no.
    pause: float | None = None
    #: Trouble that concerns every further item: the key, the balance, the journal.
    trouble: RunwayError | None = None
    #: Whether a generation was seen to have ended.
    has_ended: bool = False


class SettlingItems(BatchItems):
    """Items whose generations are read and cancelled.

    :param hook: the connection.
    :param store: the journal, loaded.
    :param route: the route of all items.
    :param resubmit: the policy for lost answers.
    :param limits: what bounds the batch.
    :param budget: what bounds it together with others.
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
        log: Log,
    ) -> None:
        super().__init__(hook, store, route, resubmit=resubmit, limits=limits, log=log)
        self.budget = budget
        self.result = PhaseResult()

    def submitted(self, item: Item) -> Submitted:
        """A recorded item's submission, as budgets know it.

        :param item: the item.
        """
        kind = self.budget.kind(self._route, item.kind)
        is_open = item.state is State.INTENT
        return Submitted(item.sent_at, item.key, kind, is_open=is_open, estimated=item.estimated)

    def settle_all(self, *, to_be_saved: bool, counts: bool = True) -> None:
        """Read everything that may run, when a try begins: what a stopped try cancelled is found out.

        :param to_be_saved: whether outputs are stored afterwards.
        :param counts: whether what has ended is counted, and told; a dry run only looks.
        """
        begins = Begins(time.time(), self._store.header.tries + 1)
        ids = [item.runway_task_id for item in self.running()]
        self.settle(dict.fromkeys(ids), to_be_saved=to_be_saved, begins=begins, counts=counts)

    def settle(
        self,
        ended: Mapping[str, ErrorEvent | None],
        *,
        to_be_saved: bool,
        begins: Begins | None = None,
        counts: bool = True,
        attempts: int = RESULT_ATTEMPTS,
    ) -> None:
        """Read what the trigger says has ended, and what only an error named; record how, and count it.

        :param ended: Runway task id → the trigger's error, ``None`` where it saw a regular end.
        :param to_be_saved: whether outputs are stored afterwards.
        :param begins: given where a try begins.
        :param counts: whether what has ended is counted, and told.
        :param attempts: tries of each reading.
        """
        self._leave_to_others()
        items = [item for item in self.running() if item.runway_task_id in ended] + self.named()
        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            settled = list(
                pool.map(
                    lambda item: self._settled(
                        item, ended.get(item.runway_task_id), to_be_saved, begins, attempts
                    ),
                    items,
                )
            )
        self.result.has_ended |= any(settlement.decision is not None for settlement in settled)
        both = zip(items, settled, strict=True)
        self.put(*(settlement.item for item, settlement in both if settlement.item is not item))
        for settlement in settled:
            # Once per generation: from here on it is no longer among those that run.
            if settlement.decision is not None and counts:
                telemetry.count_ending(settlement.decision)
                if settlement.item.charged is not None:
                    self.budget.settled(self.submitted(settlement.item), settlement.item.charged)
                if settlement.item.note:
                    self._log.error("%s", _told(settlement))

    def _leave_to_others(self) -> None:
        """An id that an error named may be another item's ("you have one running already"): it is left to that."""
        holders = Counter(one for item in self.items() for one in (item.runway_task_id, *item.previous))
        self.put(
            *(item.unnamed("is another item's") for item in self.named() if holders[item.runway_task_id] > 1)
        )

    def _settled(
        self,
        item: Item,
        event: ErrorEvent | None,
        to_be_saved: bool,
        begins: Begins | None,
        attempts: int,
    ) -> Settlement:
        try:
            task = self._hook.get_task(item.runway_task_id, attempts=attempts)
        except RunwayReadRefusedError as refused:
            self.result.trouble = refused
            return Settlement(item)
        except RunwayError as trouble:
            self._log.warning("%s. It is looked at again.", summary(trouble.facts))
            return Settlement(item)
        error = error_in(event)
        if error is not None and error.kind is ErrorKind.TASK_LOST and task.status.is_sighting:
            self._log.warning(
                "Runway task %s is known here, and was not where the trigger looked: do worker and triggerer have "
                "the same connection?",
                item.runway_task_id,
            )
        settlement = settlement_of(item, task, error, to_be_saved=to_be_saved, begins=begins)
        if item.is_named and settlement.item is not item:
            self._log.warning(
                "Runway task %s, which an error named: %s, so this item is %s.",
                item.runway_task_id,
                "the gateway knows it" if settlement.item.runway_task_id else "the gateway does not know it",
                settlement.item.state,
            )
        return settlement

    def cancel_at_deadline(self, deadline: float) -> None:
        """Cancel what has not ended, and count it.

        :param deadline: wall clock, seconds since the epoch.
        """
        for item in self.cancel(self.running(), "The batch's deadline has passed."):
            telemetry.count_ending(GaveUp(timed_out(Wait(item.runway_task_id, deadline))))

    def cancel(self, items: Sequence[Item], why: str, over: CancelsTasks | None = None) -> list[Item]:
        """Cancel generations, several at once.

        What has ended meanwhile is left for :meth:`settle`. What could not be cancelled goes on, and is charged: it
        stays on record as running, so that another try waits for it instead of paying for another one. So does what
        only a refusal named, which may be another task's.

        :param items: what to cancel.
        :param why: a sentence for the record.
        :param over: another hook than the usual one.
        :returns: those of which nothing comes any more.
        """
        hook = over or self._hook

        def gone(item: Item) -> bool:
            if item.is_doubtful:
                self._log.warning(
                    "Runway task %s: %s It is left alone: only an error named it, so that it may be another task's.",
                    item.runway_task_id,
                    why,
                )
                return False
            outcome = hook.cancel_task(item.runway_task_id)
            self._log.info("Runway task %s: %s Cancelling: %s.", item.runway_task_id, why, outcome)
            is_gone = is_over(item, outcome, time.time())
            if is_gone:
                note = f"Runway task {item.runway_task_id}: {why} Cancelling: {outcome}."
                self.put(item.ended(State.FAILED, note=note))
            return is_gone

        with ThreadPoolExecutor(READS_AT_ONCE) as pool:
            return [item for item, is_gone in zip(items, pool.map(gone, items), strict=True) if is_gone]

    def cancel_others(self, *, is_mapped: bool) -> None:
        """Cancel what still runs for requests that have left the list, after a clear.

        Not on a retry, and only if every entry could be read: a list that is read while somebody writes it must not
        cost a clip. Not in a mapped task either, whose index may have been another one's (decision 18).

        :param is_mapped: whether the task is one of several that are mapped.
        """
        others = [item for item in self.off_list() if item.state is State.RUNNING]
        unwanted = self.unwanted(is_mapped=is_mapped)
        if left := [item.runway_task_id for item in others if item not in unwanted]:
            self._log.warning(
                "Requests have left the list, and their generations run on, since %s.%s",
                "this task is mapped"
                if is_mapped
                else "only an error named them, so that they may be another task's"
                if self._was_read()
                else "not every entry of the list could be read",
                still_running(left),
            )
        self.cancel(unwanted, "Its request is no longer in the list.")

    def unwanted(self, *, is_mapped: bool) -> list[Item]:
        """What runs for requests that have left the list, and is cancelled.

        :param is_mapped: see :meth:`cancel_others`.
        """
        if is_mapped or not self._was_read():
            return []
        return [item for item in self.off_list() if item.state is State.RUNNING and not item.is_doubtful]

    def _was_read(self) -> bool:
        return all(pinned.content for pinned in self.pin)

    def model_of(self, place: int) -> str:
        """The model that a pinned entry names; empty where it names none, or its body is no longer in the list.

        :param place: which entry.
        """
        request = self._bodies.get(place)
        return model_in(request.payload) if request is not None and request.payload else ""

    def models(self) -> dict[str, str]:
        """The model of each generation, by its id, where it is known."""
        places = {item.runway_task_id: place for place in self._bodies if (item := self.item(place))}
        known = {one: self.model_of(place) for one, place in places.items() if one}
        return {one: model for one, model in known.items() if model}

    def frees_at(self) -> float | None:
        """Wall clock at which a lost answer stops counting as unfinished; ``None`` = there is none."""
        with self._lock:
            return self._books.ages_at()


def _told(settlement: Settlement) -> RunwayError | str:
    """The report of an item that did not end well: the batch's own error only counts such items."""
    decision = settlement.decision
    if isinstance(decision, GaveUp):
        return error_of(decision.error)
    ending = ending_of(decision.task) if decision is not None else None
    if isinstance(ending, Failed) and ending.retryable:
        return error_of(ending.error.of_kind(ErrorKind.TRANSIENT_FAILURE))
    return error_of(ending.error) if isinstance(ending, Failed | Cancelled) else settlement.item.note
