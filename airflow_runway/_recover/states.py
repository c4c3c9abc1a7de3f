"""In which states Airflow has a task instance and its run: asked in its metadata database, where there is one."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Protocol

from airflow_runway.core.journal.recovery import States
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from airflow_runway.core.journal.entries import TaskKey


class TellsStates(Protocol):
    """Knows in which states Airflow has task instances and runs."""

    def states(self, task: TaskKey) -> States:
        """The states of a task instance and of its run.

        :param task: the task instance.
        """


class MetadataDatabase:
    """The database of the Airflow that is configured here. What it does not know is not known."""

    def __init__(self) -> None:
        #: Why it could not be asked.
        self.trouble = ""

    def states(self, task: TaskKey) -> States:
        """The states of a task instance and of its run.

        :param task: the task instance.
        """
        if self.trouble:
            return States()
        try:
            return _asked(task)
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            self.trouble = f"{type(error).__name__}: {redact(first, limit=120)}"
            return States()


def airflow_keeps_records() -> bool:
    """Whether the tasks of the Airflow that is installed here write to its own store, and not to a journal folder."""
    from airflow.configuration import conf

    is_there = find_spec("airflow.models.task_state_store") is not None
    return is_there and not conf.getboolean("state_store", "clear_on_success", fallback=False)


def _asked(task: TaskKey) -> States:
    from airflow.models import import_all_models
    from airflow.models.dagrun import DagRun
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    # Each model names others, which must be there before one is asked for.
    import_all_models()  # type: ignore[no-untyped-call]
    index = -1 if task.map_index is None else task.map_index
    with create_session() as session:
        found = session.execute(
            select(TaskInstance.state).where(
                TaskInstance.dag_id == task.dag_id,
                TaskInstance.run_id == task.run_id,
                TaskInstance.task_id == task.task_id,
                TaskInstance.map_index == index,
            )
        ).first()
        run = session.execute(
            select(DagRun.state).where(DagRun.dag_id == task.dag_id, DagRun.run_id == task.run_id)
        ).first()
    return States(_word(found), _word(run))


def _word(row: Any) -> str | None:
    """A state in words; ``None`` where there is no row, "none" where there is one without a state."""
    if row is None:
        return None
    return "none" if row[0] is None else str(getattr(row[0], "value", row[0]))
