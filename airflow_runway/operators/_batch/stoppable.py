"""A batch that may be told to stop at any moment of a phase: it asks Airflow who says so (decision 15)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from airflow_runway.core.stopping import Fate, left_running
from airflow_runway.exceptions import RunwayBatchError, error_of
from airflow_runway.operators._batch.steps import BatchSteps
from airflow_runway.operators._stopping import StopInquiry, StopSignal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_runway.operators._batch.phase import BatchPhase
    from airflow_runway.stores.batch import BatchStore

_WHY = "Somebody ended this task."


class StoppableBatch(BatchSteps):
    """Cancels what runs only if Airflow says that the task is over; else a retry waits on."""

    _signal: StopSignal | None = None
    _inquiry: StopInquiry[None] | None = None
    _was_told_to_stop = False

    @contextmanager
    def _stoppable(self, context: Context) -> Iterator[None]:
        """A phase, in which the task may be told to stop.

        :param context: of the task that runs.
        """
        self._signal = signal = StopSignal()
        if self._was_told_to_stop:
            signal.give()
        try:
            with StopInquiry(
                signal,
                context,
                cancel_on_kill=self.cancel_on_kill,
                cancel=self._cancel_what_runs,
                log=self.log,
            ) as self._inquiry:
                yield
        finally:
            # Operators are copied, and neither of these can be.
            self._signal = self._inquiry = None

    def _begin(self, context: Context) -> tuple[BatchPhase, BatchStore]:
        phase, store = super()._begin(context)
        if self._was_told_to_stop:  # before there was a phase
            phase.stop()
        return phase, store

    def on_kill(self) -> None:
        """Submit nothing more. Who says so is asked elsewhere: this is a signal handler, and may come twice."""
        self._was_told_to_stop = True
        if self._signal is not None:
            self._signal.give()
        if self._phase is not None:
            self._phase.stop()

    def _cancel_what_runs(self) -> None:
        if self._phase is not None:
            self._phase.cancel_quietly(_WHY)

    def _end_stopped(self, phase: BatchPhase) -> NoReturn:
        """The end of a batch that was told to stop, everything that it sent being recorded.

        :param phase: its items.
        :raises RunwayStoppedError: what runs goes on, and a retry waits for it.
        :raises RunwayBatchError: the task is over; what ran is cancelled.
        """
        finding = self._inquiry.finding() if self._inquiry is not None else None
        running = phase.running()
        if finding is None or finding.fate is Fate.RUN_ON:
            facts = left_running(
                f"A batch with {len(running)} unfinished Runway tasks", finding.state if finding else None
            )
            self.log.warning("%s", facts)
            raise error_of(facts)
        if running and not finding.is_under_way:
            # Accepted since the thread had its answer; what is cancelled twice is found to be gone.
            phase.cancel_quietly(_WHY)
        raise RunwayBatchError(
            f"This task was ended while it ran, Airflow says that it is {finding.state}. What was running is "
            "cancelled; when the task is cleared, what succeeded is kept."
        )
