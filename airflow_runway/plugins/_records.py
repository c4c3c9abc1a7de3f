"""What Airflow's metadata database knows of a run: the one module that touches Airflow's own tables (3.1 to 3.3)."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from airflow.models.dagrun import DagRun
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.taskinstance import TaskInstance
from airflow.models.xcom import XComModel
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_runway.core.gallery.landing import landing_of, saves
from airflow_runway.core.gallery.records import CLIPS_KEY, ID_KEY, LINK_KEY, OWN_KEYS, RESULT_KEY, TaskRecord

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy.orm import Session

#: A task instance within its run.
_Key = tuple[str, int]
_HAS_STATE_STORE: Final = find_spec("airflow.models.task_state_store") is not None


def run_records(dag_id: str, run_id: str, only: _Key | None = None) -> list[TaskRecord]:
    """The task instances of a run that are ours; none where there is no such run.

    :param dag_id: its Dag.
    :param run_id: the run.
    :param only: task id and map index (-1 = not mapped), where only that one is asked for.
    """
    with create_session(scoped=False) as session:
        number = _run(session, dag_id, run_id)
        return [] if number is None else _records(session, number, dag_id, run_id, only)


def _run(session: Session, dag_id: str, run_id: str) -> int | None:
    return session.execute(
        select(DagRun.id).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
    ).scalar_one_or_none()


def _records(session: Session, number: int, dag_id: str, run_id: str, only: _Key | None) -> list[TaskRecord]:
    instances = _instances(session, dag_id, run_id, only)
    xcoms, notes = _xcoms(session, number, (ID_KEY, LINK_KEY, CLIPS_KEY), only), _notes(session, number, only)
    names = {key[0] for key in (*xcoms, *notes)}
    names |= {record.task_id for record in instances if record.operator.startswith("Runway")}
    rendered = _rendered(session, dag_id, run_id, names, only)
    records = []
    for one in instances:
        key = (one.task_id, one.map_index)
        record = replace(one, rendered=rendered.get(key), notes=notes.get(key, {}), xcoms=xcoms.get(key, {}))
        if record.is_ours:
            records.append(record)
    return _with_results(session, number, records, only)


def _instances(session: Session, dag_id: str, run_id: str, only: _Key | None) -> list[TaskRecord]:
    columns = (
        TaskInstance.task_id,
        TaskInstance.map_index,
        TaskInstance.state,
        TaskInstance.operator,
        TaskInstance._rendered_map_index,
        TaskInstance.start_date,
    )
    wanted = select(*columns).where(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
    if only is not None:
        wanted = wanted.where(TaskInstance.task_id == only[0], TaskInstance.map_index == only[1])
    return [
        TaskRecord(
            dag_id,
            run_id,
            task_id,
            map_index,
            str(getattr(state, "value", state) or ""),
            operator or "",
            label or "",
            started=started,
        )
        for task_id, map_index, state, operator, label, started in session.execute(wanted)
    ]


def _rendered(
    session: Session, dag_id: str, run_id: str, task_ids: Iterable[str], only: _Key | None
) -> dict[_Key, Any]:
    table = RenderedTaskInstanceFields
    wanted = select(table.task_id, table.map_index, table.rendered_fields).where(
        table.dag_id == dag_id, table.run_id == run_id, table.task_id.in_(sorted(task_ids))
    )
    if only is not None:
        wanted = wanted.where(table.task_id == only[0], table.map_index == only[1])
    return {(task_id, index): fields for task_id, index, fields in session.execute(wanted)}


def _xcoms(
    session: Session, number: int, keys: Iterable[str], only: _Key | None, task_ids: Iterable[str] = ()
) -> dict[_Key, dict[str, Any]]:
    wanted = select(XComModel.task_id, XComModel.map_index, XComModel.key, XComModel.value).where(
        XComModel.dag_run_id == number, XComModel.key.in_(list(keys))
    )
    if names := sorted(task_ids):
        wanted = wanted.where(XComModel.task_id.in_(names))
    return _by_key(session.execute(_only(wanted, XComModel, only)))


def _notes(session: Session, number: int, only: _Key | None) -> dict[_Key, dict[str, Any]]:
    """Our entries of the task state store; none before Airflow 3.3."""
    if not _HAS_STATE_STORE:
        return {}
    from airflow.models.task_state_store import TaskStateStoreModel as Entry

    wanted = select(Entry.task_id, Entry.map_index, Entry.key, Entry.value).where(
        Entry.dag_run_id == number, Entry.key.startswith(OWN_KEYS, autoescape=True)
    )
    return _by_key(session.execute(_only(wanted, Entry, only)))


def _only(wanted: Any, table: Any, only: _Key | None) -> Any:
    if only is None:
        return wanted
    return wanted.where(table.task_id == only[0], table.map_index == only[1])


def _by_key(rows: Iterable[Any]) -> dict[_Key, dict[str, Any]]:
    found: defaultdict[_Key, dict[str, Any]] = defaultdict(dict)
    for task_id, map_index, key, value in rows:
        found[task_id, map_index][key] = _decoded(value)
    return found


def _decoded(value: Any) -> Any:
    """What was stored as JSON within a text; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _with_results(
    session: Session, number: int, records: list[TaskRecord], only: _Key | None
) -> list[TaskRecord]:
    """With the results of those who save, where Airflow's own fields do not tell what."""
    lacking = {one.task_id for one in records if saves(one) and _lacks(one)}
    if not lacking:
        return records
    results: Mapping[_Key, Mapping[str, Any]] = _xcoms(session, number, (RESULT_KEY,), only, lacking)
    return [
        replace(one, xcoms={**one.xcoms, **results.get((one.task_id, one.map_index), {})}) for one in records
    ]


def _lacks(record: TaskRecord) -> bool:
    landing = landing_of(record)
    return landing is None or not landing.ids
