"""A worker that is told to stop: noticing it while waiting, and asking Airflow who said so (decision 15).

Airflow calls ``on_kill`` in a signal handler of the main thread, maybe more than once, wherever that thread is: in a
POST, in a call to Airflow, in a wait. So the handler only gives a :class:`StopSignal`. A thread that was started
before hears it and asks Airflow (:class:`StopInquiry`). ``execute`` goes on, notices the signal at its next step,
and takes what the thread found out.

An ``execution_timeout`` is no stop: Airflow raises it inside ``execute`` first, and calls ``on_kill`` only when that
has been left. By then nobody listens any more.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Generic, Self, TypeVar

from airflow_runway.core.limits import KILL_CLEANUP_TIMEOUT
from airflow_runway.core.redaction import redact
from airflow_runway.core.stopping import Fate, fate_of
from airflow_runway.triggers import _task_instance

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from airflow.sdk import Context

    from airflow_runway.telemetry import Log

T = TypeVar("T")


class StopSignal:
    """Given once, by a signal handler; noticed by whoever waits.

    No ``threading.Event``: its lock is not reentrant, and a handler that runs while the main thread is about to
    wait for the event would wait for itself. ``SimpleQueue.put`` is made for handlers.
    """

    def __init__(self) -> None:
        self._given = False
        self._wake: SimpleQueue[None] = SimpleQueue()

    @property
    def is_given(self) -> bool:
        """Whether the task was told to stop."""
        return self._given

    def give(self) -> None:
        """Tell it. May come twice, and in a signal handler."""
        self._given = True
        self.release()

    def release(self) -> None:
        """Let everybody go who waits."""
        self._wake.put(None)

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the signal.

        :param seconds: for so long at most; ``None`` = until it is given, or everybody is let go.
        :returns: whether it is given.
        """
        if not self._given:
            try:
                self._wake.get(timeout=seconds)
            except Empty:
                pass
            else:
                self._wake.put(None)  # for the others who wait
        return self._given


@dataclass(frozen=True, slots=True)
class Finding(Generic[T]):
    """What a :class:`StopInquiry` found out."""

    #: What Airflow says of the task; ``None`` without an answer.
    state: str | None
    #: What that means for the generations.
    fate: Fate
    #: What the cancelling gave; ``None`` if it was not done, or is not done yet.
    outcome: T | None = None
    #: Whether a cancellation is still under way: nobody else should begin one.
    is_under_way: bool = False


class StopInquiry(Generic[T]):
    """Asks who stopped a task, and cancels at once where the task is over. Works inside its ``with`` block only.

    Cancelling is not left to ``execute``, which may sit in a request that hangs: Airflow kills a task that a person
    ended 5 s after the signal (airflow-facts §16). Before Airflow 3.3, or with ``cancel_on_kill`` off, nothing is
    asked.

    :param signal: that the task is told to stop.
    :param context: of the task that runs.
    :param cancel_on_kill: the author's wish.
    :param cancel: cancels what is known to run; called once at most, in a thread, and must be bounded. ``None`` =
        there was nothing to cancel.
    :param log: the task's log.
    """

    def __init__(
        self,
        signal: StopSignal,
        context: Context,
        *,
        cancel_on_kill: bool,
        cancel: Callable[[], T | None],
        log: Log,
    ) -> None:
        self._signal = signal
        self._ti = context["ti"]
        self._cancel_on_kill = cancel_on_kill
        self._cancel = cancel
        self._log = log
        # The state store came with 3.3, as did the lock of Airflow's channel.
        self._asks = cancel_on_kill and context.get("task_state_store") is not None
        self._is_left = False
        self._state: str | None = None
        self._outcome: T | None = None
        self._answered = threading.Event()
        self._done = threading.Event()

    def __enter__(self) -> Self:
        if self._asks:
            # Now, and not in the handler: starting a thread takes locks that the main thread may hold.
            threading.Thread(target=self._run, name="runway-stop", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_left = True
        self._signal.release()

    def finding(self) -> Finding[T]:
        """What was found out, after a short wait if need be. Not for signal handlers.

        Call it when the signal is given. No answer within ``KILL_CLEANUP_TIMEOUT`` is no answer.
        """
        if not self._asks or not self._answered.wait(KILL_CLEANUP_TIMEOUT):
            # From here on the thread must not cancel what a retry is going to find.
            self._is_left = True
            return Finding(None, Fate.RUN_ON)
        fate = fate_of(self._state, cancel_on_kill=self._cancel_on_kill)
        is_done = self._done.wait(KILL_CLEANUP_TIMEOUT)
        return Finding(self._state, fate, self._outcome, is_under_way=not is_done)

    def _run(self) -> None:
        # Once the block is left, the answer concerns nobody any more.
        if not self._signal.wait() or self._is_left:
            return
        try:
            self._state = self._ask()
            self._answered.set()
            # Once the block is left, "success" may be the task's own.
            if not self._is_left and fate_of(self._state, cancel_on_kill=True) is Fate.ARE_CANCELLED:
                self._outcome = self._cancel()
        except Exception as error:
            self._log.warning("Not everything could be cancelled: %s", redact(error))
        finally:
            self._done.set()

    def _ask(self) -> str | None:
        try:
            return _task_instance.blocking_state_of(self._ti)
        except Exception as error:
            self._log.warning("Airflow could not be asked who stops this task: %s", redact(error))
            return None
