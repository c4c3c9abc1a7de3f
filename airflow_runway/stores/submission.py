"""The journal of one task instance's submissions, which outlives every try."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_runway.core.journal.submission import (
    UNREADABLE,
    History,
    Phase,
    Record,
    Unreadable,
)
from airflow_runway.core.owner import owner_of
from airflow_runway.exceptions import RunwayConfigurationError, RunwayJournalError
from airflow_runway.stores.history import AnotherWorkerError, InFolder, ReadOnly, keeper_of
from airflow_runway.stores.routers import router_notes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow.sdk import Context

    from airflow_runway.stores.history import KeepsHistory
    from airflow_runway.stores.routers import RouterNotes

log = logging.getLogger(__name__)

#: Writing what was paid for is tried this often.
_ATTEMPTS = 4
#: Airflow's answers for a task instance that is no longer there: it was cleared meanwhile (airflow-facts §16).
_NO_LONGER_THERE = frozenset({404, 410})


def write_persistently(write: Callable[[], None]) -> bool:
    """Write what was paid for, trying several times if need be; what goes wrong is logged.

    Once only where Airflow says that the task instance is no longer there: SIGKILL comes within seconds, and the
    same would be answered again.

    :param write: writes it.
    :returns: whether it worked in the end.
    """
    for attempt in range(_ATTEMPTS):
        try:
            write()
        except Exception as error:
            log.warning("The journal could not be written.", exc_info=True)
            if no_longer_there(error):
                return False
            if attempt + 1 < _ATTEMPTS:
                time.sleep(2**attempt)
        else:
            return True
    return False


def no_longer_there(error: Exception) -> bool:
    """Whether Airflow's answer to a write says that the task instance was cleared meanwhile.

    :param error: what was raised; Airflow's ``AirflowRuntimeError`` carries the status of its API server.
    """
    detail = getattr(getattr(error, "error", None), "detail", None)
    return isinstance(detail, dict) and detail.get("status_code") in _NO_LONGER_THERE


class SubmissionStore:
    """The journal of one task instance's submissions.

    Where nothing keeps it (Airflow before 3.3, without a journal folder) it holds nothing: a retry then submits, and
    pays, again.

    :param context: of the task that runs.
    :param is_dry_run: whether it is read only, and what is written is forgotten.
    """

    def __init__(self, context: Context, *, is_dry_run: bool = False) -> None:
        keeper = keeper_of(context)
        #: The journal folder that it is kept in; ``None`` where it is kept by Airflow, or nowhere.
        self.folder = keeper.folder if isinstance(keeper, InFolder) else None
        self._keeper: KeepsHistory | None = ReadOnly(keeper) if keeper is not None and is_dry_run else keeper
        self.max_tries: int | None = getattr(context["ti"], "max_tries", None)
        map_index: int | None = getattr(context["ti"], "map_index", None)
        #: Whose submissions they are; ``None`` where Airflow does not say.
        self.owner = owner_of(context["ti"])
        #: Whether the task is mapped: its index, by which the store is keyed, may have moved.
        self.is_mapped = map_index is not None and map_index >= 0
        self.history = History()
        self._before = History()
        self._context, self._is_dry_run = context, is_dry_run
        #: Ids that are written down.
        self._written: set[str] = set()
        self._is_gone = False
        #: Why nothing could be read.
        self.trouble: Exception | None = None

    @property
    def is_kept(self) -> bool:
        """Whether anything keeps it."""
        return self._keeper is not None

    @property
    def record(self) -> Record | None:
        """The submission that the task stands for."""
        return self.history.current

    @property
    def is_cut_off(self) -> bool:
        """Whether the next try will not find the generation: the task instance was cleared before it was recorded.

        An operator that is also being stopped cancels it then. What was written down earlier is found, whatever
        became of later writes.
        """
        return self._is_gone and self.record is not None and self.record.runway_task_id not in self._written

    def router_notes(self, slug: str) -> RouterNotes | None:
        """The notes on a router; ``None`` without a journal folder.

        :param slug: of the router; empty = none.
        :raises RunwayConfigurationError: the folder is configured wrongly; nothing was sent.
        """
        return router_notes(self._context, slug, is_dry_run=self._is_dry_run)

    def load(self) -> History | Unreadable:
        """What earlier tries recorded; "could not read" is never "nothing there"."""
        if self._keeper is None:
            return History()
        try:
            found = self._keeper.read()
        except Exception as error:
            log.warning("The journal could not be read.", exc_info=True)
            self.trouble = error
            return UNREADABLE
        self.history = found if isinstance(found, History) else History()
        self._written.update(self.history.ids())
        return found

    def was_cleared(self, record: Record | None) -> bool:
        """Whether somebody cleared the task since a record was written.

        :param record: the record.
        """
        recorded = record.max_tries if record else None
        return recorded is not None and self.max_tries is not None and recorded != self.max_tries

    def intend(self, record: Record) -> None:
        """Record that a request is about to be sent.

        :param record: the intent.
        :raises RunwayJournalError: if that could not be made sure of; then nothing may be sent.
        """
        self._before = self.history
        try:
            self._write(self._followed_by(record))
        except AnotherWorkerError:
            self.history = self._before
            raise RunwayJournalError(
                "Another worker of this very task is submitting: it wrote that down first. Nothing was sent from "
                "here, and nothing was charged for it. A retry finds what became of the other's."
            ) from None
        except Exception as error:
            # It may have been written all the same, and the next try would take it for a lost answer.
            self.forget()
            if isinstance(error, RunwayConfigurationError):
                raise
            raise RunwayJournalError(
                f"The journal of this task could not be written ({type(error).__name__}), so nothing was sent and "
                "nothing was charged. A retry tries again."
            ) from error

    def forget(self) -> None:
        """Take back an intent whose request was provably not accepted; what was there before counts again."""
        try:
            self._write(self._before)
        except Exception:
            # The next try will take it for a lost answer and refuse: annoying, and safe.
            log.warning("The intent could not be taken back.", exc_info=True)

    def put(self, **changes: Any) -> None:
        """Change the current record; what cannot be written is logged, and the task goes on.

        :param changes: fields of :class:`~airflow_runway.core.journal.submission.Record`.
        """
        if self.record is not None:
            self._put(self.history.with_current(replace(self.record, **changes)))

    def replaced(self, cancelled: Iterable[str], left: tuple[str, ...]) -> None:
        """Record what became of the generations that the current one replaces.

        :param cancelled: ids that are cancelled.
        :param left: ids that the next try has to cancel.
        """
        history = self.history
        for runway_task_id in cancelled:
            history = history.with_outcome(runway_task_id, "cancelled")
        if history.current is not None:
            self._put(history.with_current(replace(history.current, replaces=left)))

    def take_up(self, record: Record, **changes: Any) -> None:
        """Let the task stand for an earlier submission again.

        :param record: out of the history.
        :param changes: see :meth:`put`.
        """
        if record == self.record:
            return self.put(**changes) if changes else None
        history = self._followed_by(record)
        return self._put(history.with_current(replace(record, **changes)))

    def close(self, outcome: str, charged: float | None = None) -> None:
        """Record how the task ended.

        :param outcome: one word.
        :param charged: credits, where the gateway told.
        """
        if self.record is not None and not self.record.is_open:
            known = {} if charged is None else {"charged_credits": charged}
            self.put(phase=Phase.CLOSED, outcome=outcome, max_tries=self.max_tries, **known)

    def _followed_by(self, record: Record) -> History:
        history = self.history.followed_by(record)
        for dropped in history.lost_from(self.history):
            log.warning("The journal of this task is full and forgets %s: note it.", dropped)
        return history

    def _put(self, history: History) -> None:
        self.history = history

        def write() -> None:
            try:
                self._write(history)
            except Exception as error:
                self._is_gone = self._is_gone or no_longer_there(error)
                raise

        if write_persistently(write):
            return
        runway_task_id = history.current.runway_task_id if history.current else ""
        if runway_task_id in self._written:
            log.warning(
                "What became of Runway task %s since it was recorded is not in the journal.", runway_task_id
            )
        elif self.is_cut_off:
            log.error(
                "Runway task %s is not in the journal: this task was cleared meanwhile, and its next try does not "
                "know this id. Note it.",
                runway_task_id,
            )
        else:
            log.error("Runway task %s is not in the journal: note this id.", runway_task_id)

    def _write(self, history: History) -> None:
        self.history = history
        if self._keeper is None:
            return
        self._keeper.write(history)
        self._written.update(history.ids())
