"""A batch that may be told to stop at any moment of a phase: it asks Airflow who says so (decision 15)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from airflow.providers.common.compat.sdk import TaskDeferred

from airflow_runway.core.reports import headline
from airflow_runway.core.stopping import Fate, left_running, nothing_runs
from airflow_runway.exceptions import RunwayBatchError, error_of
from airflow_runway.operators._batch.messages import listed, still_running
from airflow_runway.operators._batch.steps import BatchSteps
from airflow_runway.operators._stopping import Finding, StopInquiry, StopSignal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_runway.operators._batch.phase import BatchPhase
    from airflow_runway.stores.batch import BatchStore

_WHY = "Somebody ended this task."
_CLEARED = "This task was cleared before it could be recorded, so that its next try does not know it."


class StoppableBatch(BatchSteps):
    """Cancels what runs only if Airflow says that the task is over; else a retry waits on."""

    _signal: StopSignal | None = None
    _inquiry: StopInquiry[None] | None = None
    _was_told_to_stop = False
    #: What Airflow said, and whether it was asked already.
    _finding: Finding[None] | None = None
    _is_answered = False

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
                try:
                    yield
                except (TaskDeferred, Exception) as error:
                    self._met_at_the_end(error)
                    raise
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

    def _met_at_the_end(self, error: BaseException) -> None:
        """A phase ends; a stop that nobody has met yet counts now.

        :param error: how it ends.
        :raises RunwayError: instead of a deferral, see :meth:`_end_stopped`.
        """
        phase = self._phase
        if phase is None or not self._was_told_to_stop or self._is_answered:
            return
        if isinstance(error, TaskDeferred):
            self._end_stopped(phase)
        self._give_up_what_is_cut_off(phase)
        # With trouble of its own the phase says that, but what nobody wants any more is cancelled all the same.
        if phase.running() and self._state_if_over() is not None:
            phase.cancel_quietly(_WHY)

    def _state_if_over(self) -> str | None:
        """What Airflow says of the task if it is over, and generations are to be cancelled."""
        self._is_answered = True
        self._finding = self._inquiry.finding() if self._inquiry is not None else None
        is_over = self._finding is not None and self._finding.fate is Fate.ARE_CANCELLED
        return self._finding.state if self._finding is not None and is_over else None

    def _give_up_what_is_cut_off(self, phase: BatchPhase) -> None:
        """Cancel, or else name, what no next try can find."""
        if self.cancel_on_kill and (items := phase.cut_off()):
            phase.cancel_quietly(_CLEARED, items)
        if items := phase.cut_off():
            left = still_running([item.runway_task_id for item in items])
            self.log.error("This task was cleared, and its next try does not know them.%s", left)

    def _end_stopped(self, phase: BatchPhase) -> NoReturn:
        """The end of a batch that was told to stop, everything that it sent being recorded.

        :param phase: its items.
        :raises RunwayStoppedError: what runs goes on, and a retry waits for it.
        :raises RunwayBatchError: the task is over; what ran is cancelled, or named.
        """
        # First: where the task was cleared, SIGKILL is seconds away.
        self._give_up_what_is_cut_off(phase)
        state = self._state_if_over()
        if state is None:
            lost = {item.runway_task_id for item in phase.cut_off()}
            ids = [one for one in _open(phase) if one not in lost]
            said = self._finding.state if self._finding is not None else None
            facts = (
                left_running(f"A batch with {len(ids)} unfinished Runway tasks ({listed(ids)})", said)
                if ids
                else nothing_runs()
            )
            self.log.warning("%s", headline(facts))
            raise error_of(facts)
        if phase.running():
            # Accepted since the thread had its answer, or it is not done yet; what is gone is found to be.
            phase.cancel_quietly(_WHY)
        left = _open(phase)
        raise RunwayBatchError(
            f"This task was ended while it ran, Airflow says that it is {state}. What was running is cancelled"
            + (f", but for {len(left)}.{still_running(left)}" if left else ".")
            + " When the task is cleared, what succeeded is kept.",
            summary=f"Ended by somebody, with {len(left)} generations left running",
            next_step="Clear this task to go on",
        )


def _open(phase: BatchPhase) -> list[str]:
    """Ids that are not known to have ended: of what runs, and of what only an error named, which nobody cancels."""
    return [item.runway_task_id for item in (*phase.running(), *phase.named())]
