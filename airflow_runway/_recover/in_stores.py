"""The journals in the ``task_state_store`` of an Airflow 3.3, over its public REST API."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from airflow_runway._recover.errors import NotAskedError, RefusedError
from airflow_runway._recover.journals import AT_ONCE, CHANGED, Kept, claimed, journal_here, told
from airflow_runway._recover.rest import NotThereError, run_path, task_path
from airflow_runway.core.journal.entries import TaskKey
from airflow_runway.core.journal.header import read_header
from airflow_runway.core.journal.history import History, read_history
from airflow_runway.core.journal.item import Item, State, read_item
from airflow_runway.core.journal.record import Phase, Record
from airflow_runway.core.journal.recovery import States, after
from airflow_runway.stores.history import KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_runway._recover.rest import AirflowApi
    from airflow_runway.core.journal.accounts import Account
    from airflow_runway.core.journal.entries import Change

_BATCH: Final = "runway_batch"
#: What a person has settled, beside the record: the record is the task's own.
_SETTLED: Final = "runway_recovered"
_SETTLED_KEPT: Final = 50


class InStateStores:
    """In the ``task_state_store`` of an Airflow 3.3, over its public REST API.

    That API replaces a whole value: of two who write at once, the last one counts. Claims need a journal folder.

    :param api: the REST API.
    """

    def __init__(self, api: AirflowApi) -> None:
        self._api = api
        self.place = api.origin
        self._runs: dict[tuple[str, str], str | None] = {}

    def all(self, dag: str | None, run: str | None, trouble: Callable[[str], None]) -> Iterator[Kept]:
        """See :class:`~airflow_runway._recover.journals.Journals`."""
        if dag is None:
            raise NotAskedError("--airflow needs --dag: each task instance is a question of its own.")
        try:
            for value in self._api.pages(f"{run_path(dag, run or '~')}/taskInstances", "task_instances"):
                task, state = _instance(value)
                try:
                    kept = self._kept(task, state)
                except RefusedError as error:
                    trouble(f"{task.dag_id} {task.run_id} {told(task)}: {error}")
                else:
                    if kept.history != History():
                        yield kept
        except NotThereError:
            raise RefusedError(f"{self.place} knows no such Dag or run.") from None

    def one(self, task: TaskKey) -> Kept:
        """See :class:`~airflow_runway._recover.journals.Journals`."""
        path = task_path(task) + ("" if task.map_index is None else f"/{task.map_index}")
        try:
            _, state = _instance(self._api.get(path))
        except NotThereError:
            raise RefusedError(f"{self.place} knows no such task instance.") from None
        self._runs.clear()
        return self._kept(task, state)

    def _kept(self, task: TaskKey, state: str) -> Kept:
        values = self._values(task)
        states = States(state, self._run_state(task) if values else None)
        if _BATCH in values:
            return Kept(task, states, _batch_in(values), is_batch=True)
        history = read_history(values.get(KEY))
        if not isinstance(history, History):
            raise RefusedError(f'its state entry "{KEY}" cannot be understood.')
        return Kept(task, states, history)

    def _values(self, task: TaskKey) -> dict[str, Any]:
        try:
            entries = list(
                self._api.pages(f"{task_path(task)}/state-store", "task_state_store", map_index=_index(task))
            )
        except NotThereError:
            raise RefusedError(
                f"{self.place} has no state store, which came with Airflow 3.3: run this where its journal folder "
                "is configured."
            ) from None
        return {str(one.get("key")): one.get("value") for one in entries}

    def _run_state(self, task: TaskKey) -> str | None:
        key = task.dag_id, task.run_id
        if key not in self._runs:
            found = self._api.get(run_path(*key))
            self._runs[key] = str(found.get("state")) if isinstance(found, dict) else None
        return self._runs[key]

    def settle(self, kept: Kept, change: Change, by: str, now: float) -> None:
        """See :class:`~airflow_runway._recover.journals.Journals`."""
        if self.one(kept.task).history != kept.history:
            raise RefusedError(CHANGED)
        path, index = f"{task_path(kept.task)}/state-store", _index(kept.task)
        history = after(kept.history, change)
        self._note(kept.task, {"by": by, "at": now, "word": change.word, "record": change.record.as_json()})
        if history == History():
            self._api.delete(f"{path}/{KEY}", map_index=index)
        else:
            self._api.put(f"{path}/{KEY}", history.as_json(), map_index=index)
        if self.one(kept.task).history != history:
            raise RefusedError(AT_ONCE)

    def _note(self, task: TaskKey, note: dict[str, Any]) -> None:
        before = self._values(task).get(_SETTLED)
        notes = [*(before if isinstance(before, list) else []), note][-_SETTLED_KEPT:]
        self._api.put(f"{task_path(task)}/state-store/{_SETTLED}", notes, map_index=_index(task))

    def claims(self, task: TaskKey, record: Record, runway_task_id: str) -> bool | None:
        """See :class:`~airflow_runway._recover.journals.Journals`: in a journal folder, if one is configured here."""
        return claimed(journal_here(), task, record, runway_task_id)

    def holders(self, task: TaskKey, runway_task_id: str) -> set[TaskKey]:
        """See :class:`~airflow_runway._recover.journals.Journals`: in the same run."""
        missed: list[str] = []
        found = {
            kept.task
            for kept in self.all(task.dag_id, task.run_id, missed.append)
            if runway_task_id in kept.history.ids()
        }
        if missed:
            raise RefusedError(f"Whose {runway_task_id} is could not be found out: {missed[0]}")
        return found


def _index(task: TaskKey) -> int:
    return -1 if task.map_index is None else task.map_index


def _instance(value: Any) -> tuple[TaskKey, str]:
    try:
        index, state = int(value["map_index"]), value["state"]
        dag_id, run_id, task_id = (str(value[name]) for name in ("dag_id", "dag_run_id", "task_id"))
        task = TaskKey(dag_id, run_id, task_id, None if index < 0 else index)
        return task, "none" if state is None else str(state)
    except (KeyError, TypeError, ValueError):
        raise RefusedError("Airflow gives an answer that is none of its own.") from None


def _batch_in(values: dict[str, Any]) -> History:
    """The items of a batch, each as a submission."""
    try:
        header = read_header(values[_BATCH])
        chunks = [values.get(f"{_BATCH}_{number:04d}") or () for number in range(header.chunks)]
        items = [read_item(value) for chunk in chunks for value in chunk]
    except (TypeError, ValueError):
        raise RefusedError("the journal of its batch cannot be understood.") from None
    return History(None, tuple(_as_record(item, header.account) for item in items if item.was_paid_for))


def _as_record(item: Item, account: Account | None) -> Record:
    is_open, runs = item.state is State.INTENT, item.state is State.RUNNING
    record = Record(
        Phase.INTENT if is_open else Phase.SUBMITTED if runs else Phase.CLOSED,
        item.content,
        "",
        f"item {item.key}",
        sent_at=item.sent_at,
        runway_task_id=item.runway_task_id,
        refused=item.refused,
        estimated_credits=item.estimated,
        charged_credits=item.charged,
        account=account,
    )
    # What a batch runs it hands to nobody.
    return record if is_open else replace(record, outcome="running" if runs else "failed")
