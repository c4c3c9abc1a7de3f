"""Where a task instance's history is kept: in Airflow's ``task_state_store``, or in the journal folder."""

from __future__ import annotations

import logging
import secrets
import time
import warnings
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from airflow_runway.core.journal.entries import Word, as_json, changes, file_name, history_of
from airflow_runway.core.journal.history import History, Unreadable, read_history
from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.stores.files import JournalFolderError, TakenError
from airflow_runway.stores.folder import folder_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_runway.core.journal.entries import Change
    from airflow_runway.stores.folder import TaskFolder

log = logging.getLogger(__name__)

KEY = "runway_submission"

#: Numbers that are tried for a file that need not be the first to say something.
_NUMBERS_TRIED = 50
#: Seconds that a worker's clock may be behind the scheduler's.
_CLOCKS_APART = 60.0

_warned: set[str] = set()


class AnotherWorkerError(Exception):
    """Another worker of the same task instance has written down that it submits."""


class KeepsHistory(Protocol):
    """Keeps the history of one task instance over its tries."""

    def read(self) -> History | Unreadable:
        """What is kept; anything may be raised where it cannot be read now."""

    def write(self, history: History) -> None:
        """Keep a history; anything may be raised.

        :param history: follows on what was read or written before.
        :raises AnotherWorkerError: it holds a new intent, and another worker was first.
        """


def keeper_of(context: Context) -> KeepsHistory | None:
    """Where the history of a task is kept; ``None`` if nowhere: a retry or clear then pays again.

    Airflow's own store, from 3.3 on. Where there is none, or where it is emptied when a task succeeds, the journal
    folder, if one is configured.

    :param context: of the task that runs.
    """
    store = context.get("task_state_store")
    if store is not None and not _is_emptied_on_success():
        return InStateStore(store)
    folder = _in_folder(context)
    if folder is not None:
        return folder
    if store is not None:
        _warn_once(
            "emptied",
            "Airflow is configured with [state_store] clear_on_success=True: what a submitting task has recorded "
            "is deleted when it succeeds, so that a clear after a success submits, and pays, again. A journal folder "
            "([runway] journal) keeps it.",
        )
        return InStateStore(store)
    _warn_once(
        "no store",
        "This Airflow has no task_state_store (it came with 3.3): a retry or clear of a submitting task submits, and "
        "pays, again. A journal folder ([runway] journal) prevents that.",
    )
    return None


def _in_folder(context: Context) -> KeepsHistory | None:
    try:
        folder = folder_of(context)
    except RunwayConfigurationError as error:
        return Unusable(error)
    return None if folder is None else InFolder(folder, _first_began_at(context))


def _first_began_at(context: Context) -> float | None:
    """When the run began; ``None`` where it was cleared, and has begun more than once."""
    run: Any = context.get("dag_run")
    began = getattr(run, "start_date", None)
    return began.timestamp() if began is not None and getattr(run, "clear_number", None) == 0 else None


class InStateStore:
    """In Airflow's ``task_state_store``, as one value.

    :param store: the accessor in the task's context.
    """

    def __init__(self, store: Any) -> None:
        self._store = store

    def read(self) -> History | Unreadable:
        """See :class:`KeepsHistory`."""
        return read_history(self._store.get(KEY))

    def write(self, history: History) -> None:
        """See :class:`KeepsHistory`. It is read back: Airflow's own client does not look at the answer."""
        if history == History():
            self._store.delete(KEY)
            return
        value = history.as_json()
        self._store.set(KEY, value, **kept_for_good())
        if self._store.get(KEY) != value:
            raise RuntimeError("the record that came back is another one")


class InFolder:
    """In the journal folder, one file per change.

    :param folder: of the task instance.
    :param began_at: wall clock at which its run began, where that was the first time; seconds since the epoch.
    """

    def __init__(self, folder: TaskFolder, began_at: float | None = None) -> None:
        self.folder, self._began_at = folder, began_at
        self._highest = 0
        self._known = history_of([])

    def read(self) -> History:
        """See :class:`KeepsHistory`.

        :raises JournalFolderError: it cannot be read now, or holds what is not ours.
        """
        entries = self.folder.read()
        self._highest = max((entry.number for entry in entries), default=0)
        self._known = history_of(entries)
        self._tell_of_an_earlier_run()
        return self._known

    def _tell_of_an_earlier_run(self) -> None:
        """A run that was deleted and made again has the folder of the one before."""
        record = self._known.current
        if self._began_at is None or record is None or record.sent_at >= self._began_at - _CLOCKS_APART:
            return
        log.warning(
            "The journal folder holds a submission of %s, before this run began: a run of the same id was deleted "
            "and made again. What it paid for is picked up here. (%s)",
            datetime.fromtimestamp(record.sent_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            self.folder.url,
        )

    def write(self, history: History) -> None:
        """See :class:`KeepsHistory`.

        :param history: see there.
        :raises AnotherWorkerError: see there.
        :raises RunwayConfigurationError: the store is none for a journal.
        """
        before = self._known
        for change in changes(before, history):
            if change.word is Word.INTENT:
                self.folder.prove()
                # From here on it may be there, so that taking it back has to say so.
                self._known = history
                self._intend(change)
            else:
                self._tell(change)
        self._known = history

    def _intend(self, change: Change) -> None:
        value = as_json(change, self.folder.task, owner=secrets.token_hex(12), now=time.time())
        name = file_name(self._highest + 1, change.word)
        try:
            self.folder.create(name, value)
        except TakenError:
            raise AnotherWorkerError from None
        self._highest += 1
        if not self.folder.holds(name, value):
            raise RuntimeError("the file that came back is another one")

    def settle(self, change: Change, by: str) -> None:
        """Write down what a person has decided, on the strength of what was read, and of nothing that came since.

        :param change: of a submission; no intent.
        :param by: who.
        :raises AnotherWorkerError: somebody else has written at the same time; both may stand there now.
        :raises JournalFolderError: it cannot be read or written now.
        """
        value = as_json(change, self.folder.task, owner=secrets.token_hex(12), now=time.time(), by=by)
        number = self._highest + 1
        try:
            self.folder.create(file_name(number, change.word), value)
        except TakenError:
            raise AnotherWorkerError from None
        if [one.number for one in self.folder.read() if one.number >= number] != [number]:
            raise AnotherWorkerError

    def _tell(self, change: Change) -> None:
        value = as_json(change, self.folder.task, owner=secrets.token_hex(12), now=time.time())
        for number in range(self._highest + 1, self._highest + 1 + _NUMBERS_TRIED):
            try:
                self.folder.create(file_name(number, change.word), value)
            except TakenError:
                continue
            self._highest = number
            return
        raise JournalFolderError(f"the journal folder {self.folder.url} is written to by too many at once")


class Unusable:
    """A journal folder that is configured wrongly: nothing is read, and nothing is sent.

    :param error: what is wrong.
    """

    def __init__(self, error: RunwayConfigurationError) -> None:
        self._error = error

    def read(self) -> History | Unreadable:
        """Nothing can be read.

        :raises RunwayConfigurationError: always.
        """
        raise self._error

    def write(self, history: History) -> None:
        """Nothing can be written.

        :param history: see :class:`KeepsHistory`.
        :raises RunwayConfigurationError: always.
        """
        raise self._error


class ReadOnly:
    """A history that is read, and written nowhere; for a dry run.

    :param keeper: whose it is.
    """

    def __init__(self, keeper: KeepsHistory) -> None:
        self._keeper = keeper

    def read(self) -> History | Unreadable:
        """See :class:`KeepsHistory`."""
        return self._keeper.read()

    def write(self, history: History) -> None:
        """Write nothing.

        :param history: see :class:`KeepsHistory`.
        """


def kept_for_good() -> dict[str, Any]:
    """Arguments of a write: records go with their Dag run; until then they must not expire."""
    try:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE
    except ImportError:
        return {}
    return {"retention": NEVER_EXPIRE}


def _is_emptied_on_success() -> bool:
    """Whether Airflow deletes what a task has stored when it succeeds."""
    from airflow.configuration import conf

    return bool(conf.getboolean("state_store", "clear_on_success", fallback=False))


def _warn_once(what: str, message: str) -> None:
    if what not in _warned:
        _warned.add(what)
        warnings.warn(message, RuntimeWarning, stacklevel=4)
