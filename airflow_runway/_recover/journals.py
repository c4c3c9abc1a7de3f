"""The journals of many task instances, wherever they are kept, and claims on what is found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from airflow_runway._recover.errors import NotAskedError, RefusedError
from airflow_runway.core.journal.entries import claimant
from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.stores.claims import claim
from airflow_runway.stores.files import JournalFolderError
from airflow_runway.stores.folder import configured_journal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_runway.core.journal.entries import Change, TaskKey
    from airflow_runway.core.journal.history import History
    from airflow_runway.core.journal.record import Record
    from airflow_runway.core.journal.recovery import States
    from airflow_runway.stores.folder import Journal

CHANGED: Final = "The task's journal has changed meanwhile: nothing was written. Look again."
AT_ONCE: Final = "Somebody else wrote to the task's journal at the same moment: list what stands there now."


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one task instance."""

    task: TaskKey
    states: States
    history: History
    #: Whether it is of a batch, whose items can be listed and not settled here.
    is_batch: bool = False


class Journals(Protocol):
    """All that is kept."""

    #: Where, for messages.
    place: str

    def all(self, dag: str | None, run: str | None, trouble: Callable[[str], None]) -> Iterator[Kept]:
        """Each task instance of which something is kept.

        :param dag: of that Dag only.
        :param run: of that run only.
        :param trouble: is told what could not be read.
        :raises RefusedError: nothing can be read.
        """

    def one(self, task: TaskKey) -> Kept:
        """One task instance, as it is now.

        :param task: which one.
        :raises RefusedError: it cannot be read.
        """

    def settle(self, kept: Kept, change: Change, by: str, now: float) -> None:
        """Write down what a person has decided.

        :param kept: what it was decided on.
        :param change: the decision.
        :param by: who.
        :param now: wall clock, seconds since the epoch.
        :raises RefusedError: it may not stand there as it was meant.
        """

    def claims(self, task: TaskKey, record: Record, runway_task_id: str) -> bool | None:
        """Whether a generation is this submission's alone from now on; ``None`` = nothing here can make sure.

        :param task: whose submission it is.
        :param record: of the submission.
        :param runway_task_id: of the generation.
        """

    def holders(self, task: TaskKey, runway_task_id: str) -> set[TaskKey]:
        """Task instances that have recorded an id, as far as it is looked for.

        :param task: for which it is asked.
        :param runway_task_id: of a generation.
        """


def told(task: TaskKey) -> str:
    """A task instance in words, without its Dag and run.

    :param task: the task instance.
    """
    return task.task_id if task.map_index is None else f"{task.task_id}[{task.map_index}]"


def journal_here() -> Journal | None:
    """The journal folder that is configured here; ``None`` if none is.

    :raises NotAskedError: it is configured wrongly.
    """
    try:
        return configured_journal()
    except RunwayConfigurationError as error:
        raise NotAskedError(error.message) from None


def claimed(journal: Journal | None, task: TaskKey, record: Record, runway_task_id: str) -> bool | None:
    """Whether a generation is a submission's alone from now on; ``None`` = there is nothing to make sure with.

    :param journal: the journal folder.
    :param task: whose submission it is.
    :param record: of the submission.
    :param runway_task_id: of the generation.
    :raises RefusedError: it could not be found out.
    """
    if journal is None:
        return None
    try:
        return claim(journal.files, runway_task_id, by=claimant(task, record))
    except JournalFolderError as error:
        raise RefusedError(f"{runway_task_id} could not be claimed: {error}.") from None
    except RunwayConfigurationError as error:
        raise RefusedError(f"{runway_task_id} could not be claimed: {error.message}") from None
