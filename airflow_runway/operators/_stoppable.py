"""An operator that submits, and may be told to stop at any moment of it (decision 15)."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from airflow_runway.core.limits import KILL_CLEANUP_TIMEOUT
from airflow_runway.core.models import CancelOutcome
from airflow_runway.core.reports import headline
from airflow_runway.core.stopping import Fate, left_running, nothing_sent
from airflow_runway.exceptions import RunwayNotAcceptedError, RunwayTaskCancelledError, error_of
from airflow_runway.operators._stopping import StopInquiry
from airflow_runway.operators._waiting import WaitsForRunwayTask
from airflow_runway.stores.submission import SubmissionStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_runway.core.journal.submission import Record
    from airflow_runway.operators._stopping import StopSignal


class StoppableStore(SubmissionStore):
    """The journal of a task that may be told to stop: then it takes no further intent, and nothing is sent.

    :param context: of the task that runs.
    :param signal: that the task is told to stop.
    """

    def __init__(self, context: Context, signal: StopSignal) -> None:
        super().__init__(context)
        self._signal = signal

    def intend(self, record: Record) -> None:
        """Record that a request is about to be sent.

        :param record: the intent.
        :raises RunwayStoppedError: the task was told to stop; nothing may be sent.
        :raises RunwayJournalError: see :meth:`SubmissionStore.intend`.
        """
        if not self._signal.is_given:
            super().intend(record)
            if not self._signal.is_given:
                return
            self.forget()
        raise error_of(nothing_sent())


class StoppableSubmission(WaitsForRunwayTask):
    """Cancels what runs only if Airflow says that the task is over; else a retry finds it."""

    cancel_on_kill: bool
    _runway_task_id = ""
    _store: StoppableStore | None = None
    _inquiry: StopInquiry[CancelOutcome] | None = None
    #: Whether the record says already how this try ended.
    _is_recorded = False

    @contextmanager
    def journal(self, context: Context) -> Iterator[StoppableStore]:
        """The task's journal, for a block in which the task may be told to stop.

        :param context: of the task that runs.
        """
        with self.stoppable() as signal:
            self._store = StoppableStore(context, signal)
            self.hook.sleep_between_tries = self.pause_before_sending
            with StopInquiry(
                signal,
                context,
                cancel_on_kill=self.cancel_on_kill,
                cancel=self._cancel_what_runs,
                log=self.log,
            ) as self._inquiry:
                try:
                    yield self._store
                finally:
                    self._store = self._inquiry = None

    def end_if_stopped(self, runway_task_id: str) -> None:
        """The moment after a POST: what was told meanwhile counts now.

        :param runway_task_id: the generation, which is in the journal.
        """
        if self._stop_signal is not None and self._stop_signal.is_given:
            self.stopped(runway_task_id)

    def stopped(self, runway_task_id: str) -> NoReturn:
        """The end of a task that was told to stop.

        :param runway_task_id: the generation.
        :raises RunwayStoppedError: it runs on, and a retry picks it up: the record stays as it is.
        :raises RunwayTaskCancelledError: the task is over; telling what became of the generation.
        """
        self._is_recorded = True
        if self.cancel_on_kill and self._store is not None and self._store.is_cut_off:
            # No next try can find it: the journal no longer takes what this one has to say.
            raise RunwayTaskCancelledError(
                f"Runway task {runway_task_id} was submitted while this task was cleared, and could not be recorded; "
                f"cancelling: {self._cancel_what_runs()}.",
                runway_task_id=runway_task_id,
                summary=f"Cleared while Runway task {runway_task_id} was sent",
                next_step="Note the id, then clear this task",
            )
        finding = self._inquiry.finding() if self._inquiry is not None else None
        if finding is None or finding.fate is Fate.RUN_ON:
            facts = left_running(f"Runway task {runway_task_id}", finding.state if finding else None)
            # Said at once: nobody knows for how long this process still lives.
            self.log.warning("%s", headline(facts))
            raise error_of(facts)
        outcome = finding.outcome
        if outcome is None and not finding.is_under_way:
            # The id was not known yet when the thread got its answer.
            outcome = self._cancel_what_runs()
        self.log.warning("Runway task %s, on being stopped: %s.", runway_task_id, outcome)
        if outcome is CancelOutcome.CANCELLED and self._store is not None:
            self._store.close(f"stopped: {outcome}")
        raise RunwayTaskCancelledError(
            f"Runway task {runway_task_id}: somebody ended this task while it ran, Airflow says that it is "
            f"{finding.state}; cancelling: {outcome or 'not answered yet, it may run on'}.",
            runway_task_id=runway_task_id,
            summary=f"Ended by somebody; Runway task {runway_task_id}: {outcome or 'may run on'}",
            next_step="Clear this task to pay again",
        )

    def _cancel_what_runs(self) -> CancelOutcome | None:
        if not self._runway_task_id:
            return None
        return self.hook.detached(KILL_CLEANUP_TIMEOUT).cancel_task(self._runway_task_id)

    def pause_before_sending(self, seconds: float) -> None:
        """Wait before a request is sent, or sent again.

        :param seconds: for how long.
        :raises RunwayNotAcceptedError: the task was told to stop meanwhile; nothing was charged.
        """
        if self._stop_signal is None:
            time.sleep(seconds)
        elif self._stop_signal.wait(seconds):
            raise RunwayNotAcceptedError(
                "This task was told to stop before its request was sent, or sent again: nothing was charged for it. "
                "A retry sends it.",
                summary="Told to stop before the request was sent",
            )
