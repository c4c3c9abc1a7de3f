"""Where the journal is kept: Airflow's ``task_state_store`` (3.3 and later), which outlives every try."""

from __future__ import annotations

import logging
import time
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_runway.core.journal.submission import UNREADABLE, Phase, Record, Unreadable, read_record
from airflow_runway.exceptions import RunwayJournalError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow.sdk import Context

log = logging.getLogger(__name__)

KEY = "runway_submission"
#: Writing what was paid for is tried this often.
_ATTEMPTS = 4

_warned = False


def write_persistently(write: Callable[[], None]) -> bool:
    """Write what was paid for, trying several times if need be; what goes wrong is logged.

    :param write: writes it.
    :returns: whether it worked in the end.
    """
    for attempt in range(_ATTEMPTS):
        try:
            write()
        except Exception:
            log.warning("The journal could not be written.", exc_info=True)
            if attempt + 1 < _ATTEMPTS:
                time.sleep(2**attempt)
        else:
            return True
    return False


class SubmissionStore:
    """The journal of one task instance's submission.

    Without a store (Airflow before 3.3) it holds nothing: a retry then submits, and pays, again.

    :param context: of the task that runs.
    """

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")
        self.max_tries: int | None = getattr(context["ti"], "max_tries", None)
        self.record: Record | None = None
        self._before: Record | None = None
        if self._store is None:
            _warn_once()

    @property
    def is_kept(self) -> bool:
        """Whether there is a store at all."""
        return self._store is not None

    def load(self) -> Record | Unreadable | None:
        """What an earlier try recorded; "could not read" is never "nothing there"."""
        if self._store is None:
            return None
        try:
            found = read_record(self._store.get(KEY))
        except Exception:
            log.warning("The journal could not be read.", exc_info=True)
            return UNREADABLE
        self.record = found if isinstance(found, Record) else None
        return found

    def was_cleared(self) -> bool:
        """Whether somebody cleared the task since the record was written."""
        recorded = self.record.max_tries if self.record else None
        return recorded is not None and self.max_tries is not None and recorded != self.max_tries

    def intend(self, record: Record) -> None:
        """Record that a request is about to be sent.

        :param record: the intent.
        :raises RunwayJournalError: if that could not be made sure of; then nothing may be sent.
        """
        self._before = self.record
        try:
            self._write(record)
        except Exception as error:
            # It may have been written all the same, and the next try would take it for a lost answer.
            self.forget()
            raise RunwayJournalError(
                f"The journal of this task could not be written ({type(error).__name__}), so nothing was sent and "
                "nothing was charged. A retry tries again."
            ) from error

    def forget(self) -> None:
        """Take back an intent whose request was provably not accepted; what was there before counts again."""
        self.record = None
        if self._store is None:
            return
        try:
            if self._before is None:
                self._store.delete(KEY)
            else:
                self._write(self._before)
        except Exception:
            # The next try will take it for a lost answer and refuse: annoying, and safe.
            log.warning("The intent could not be taken back.", exc_info=True)

    def put(self, **changes: Any) -> None:
        """Change the record; what cannot be written is logged, and the task goes on.

        :param changes: fields of :class:`~airflow_runway.core.journal.submission.Record`.
        """
        if self.record is None:
            return
        self.record = record = replace(self.record, **changes)
        if not write_persistently(lambda: self._write(record)):
            log.error("Runway task %s is not in the journal: note this id.", record.runway_task_id)

    def close(self, outcome: str) -> None:
        """Record how the task ended.

        :param outcome: one word.
        """
        if self.record is not None and self.record.phase is not Phase.INTENT:
            self.put(phase=Phase.CLOSED, outcome=outcome, max_tries=self.max_tries)

    def _write(self, record: Record) -> None:
        self.record = record
        if self._store is None:
            return
        value = record.as_json()
        self._store.set(KEY, value, **kept_for_good())
        # Airflow's answer to a write is not looked at by its own client; the record is.
        if self._store.get(KEY) != value:
            raise RuntimeError("the record that came back is another one")


def kept_for_good() -> dict[str, Any]:
    """Arguments of a write: records go with their Dag run; until then they must not expire."""
    try:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE
    except ImportError:
        return {}
    return {"retention": NEVER_EXPIRE}


def _warn_once() -> None:
    global _warned
    if not _warned:
        _warned = True
        warnings.warn(
            "This Airflow has no task_state_store (it came with 3.3): a retry or clear of a submitting task submits, "
            "and pays, again.",
            RuntimeWarning,
            stacklevel=3,
        )
