"""The journals in the journal folder that Airflow's configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_runway._recover.errors import NotAskedError, RefusedError
from airflow_runway._recover.journals import AT_ONCE, CHANGED, Kept, claimed, journal_here
from airflow_runway.stores.files import JournalFolderError
from airflow_runway.stores.history import AnotherWorkerError, InFolder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_runway._recover.states import TellsStates
    from airflow_runway.core.journal.entries import Change, TaskKey
    from airflow_runway.core.journal.record import Record
    from airflow_runway.stores.folder import TaskFolder


class InJournalFolder:
    """In the journal folder that Airflow's configuration names.

    :param database: tells states: Airflow's own, or its REST API.
    :raises NotAskedError: there is none, or it is configured wrongly.
    """

    def __init__(self, database: TellsStates) -> None:
        journal = journal_here()
        if journal is None:
            raise NotAskedError(
                "Airflow's configuration names no journal folder ([runway] journal), so there is nothing to look "
                "into. For the records that Airflow 3.3 keeps itself give its address: --airflow URL."
            )
        self._journal, self._database = journal, database
        self.place = journal.files.url

    def all(self, dag: str | None, run: str | None, trouble: Callable[[str], None]) -> Iterator[Kept]:
        """See :class:`~airflow_runway._recover.journals.Journals`."""
        try:
            for folder in self._journal.tasks(dag, run, on_odd=lambda error: trouble(str(error))):
                try:
                    yield self._kept(folder)
                except JournalFolderError as error:
                    trouble(str(error))
        except JournalFolderError as error:
            raise RefusedError(f"{error}.") from None

    def one(self, task: TaskKey) -> Kept:
        """See :class:`~airflow_runway._recover.journals.Journals`."""
        try:
            return self._kept(self._journal.of(task))
        except JournalFolderError as error:
            raise RefusedError(f"{error}.") from None

    def _kept(self, folder: TaskFolder) -> Kept:
        return Kept(folder.task, self._database.states(folder.task), InFolder(folder).read())

    def settle(self, kept: Kept, change: Change, by: str, now: float) -> None:
        """See :class:`~airflow_runway._recover.journals.Journals`."""
        keeper = InFolder(self._journal.of(kept.task))
        try:
            if keeper.read() != kept.history:
                raise RefusedError(CHANGED)
            keeper.settle(change, by)
        except AnotherWorkerError:
            raise RefusedError(AT_ONCE) from None
        except JournalFolderError as error:
            raise RefusedError(f"{error}.") from None
        except OSError as error:
            raise RefusedError(f"{self.place} could not be written ({type(error).__name__}).") from None

    def claims(self, task: TaskKey, record: Record, runway_task_id: str) -> bool | None:
        """See :class:`~airflow_runway._recover.journals.Journals`."""
        return claimed(self._journal, task, record, runway_task_id)

    def holders(self, task: TaskKey, runway_task_id: str) -> set[TaskKey]:
        """See :class:`~airflow_runway._recover.journals.Journals`: the whole journal."""
        try:
            found = self._journal.holders(runway_task_id)
            # What was forgotten since, or taken back, is nobody's.
            return {one for one in found if runway_task_id in self.one(one).history.ids()}
        except JournalFolderError as error:
            raise RefusedError(f"{error}.") from None
