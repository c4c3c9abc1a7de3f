"""States out of Airflow's metadata database."""

from __future__ import annotations

import contextlib
import uuid

import pytest
import sqlalchemy
from airflow.models import import_all_models
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils import session as airflows
from sqlalchemy import orm

from airflow_runway._recover.states import MetadataDatabase, airflow_keeps_records
from airflow_runway.core.journal.entries import TaskKey
from airflow_runway.core.journal.recovery import States

#: What stands in columns that must hold something, by their type.
FILLED = {
    "UUID": lambda: uuid.uuid4(), "INTEGER": lambda: 1, "FLOAT": lambda: 1.0, "BOOLEAN": lambda: False,
}  # fmt: skip


@pytest.fixture
def database(monkeypatch):
    """An empty one with the two tables."""
    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.pool.StaticPool)

    @contextlib.contextmanager
    def create_session():
        with orm.Session(engine) as session:
            yield session

    monkeypatch.setattr(airflows, "create_session", create_session)
    import_all_models()
    # Keys to tables that are not there stand in no one's way on SQLite.
    TaskInstance.metadata.create_all(engine, tables=[TaskInstance.__table__, DagRun.__table__])
    yield engine
    engine.dispose()


def add(engine, table, **values):
    for column in table.columns:
        if column.name not in values and not column.nullable and column.default is None:
            kind = str(column.type).partition("(")[0]
            values[column.name] = FILLED.get(kind, lambda: "x")()
    with engine.begin() as connection:
        connection.execute(sqlalchemy.insert(table).values(**values))


@pytest.mark.parametrize(
    ("map_index", "state", "told"),
    [(-1, "deferred", "deferred"), (-1, None, "none"), (3, "success", "success")],
)
def test_what_the_database_says(database, map_index, state, told):
    names = {"dag_id": "dag", "run_id": "run"}
    add(database, TaskInstance.__table__, **names, task_id="task", map_index=map_index, state=state)
    run = {"run_type": "manual", "data_interval_end": None, "logical_date": None}
    add(database, DagRun.__table__, **names, state="running", log_template_id=1, **run)
    task = TaskKey("dag", "run", "task", None if map_index < 0 else map_index)
    assert MetadataDatabase().states(task) == States(told, "running")


def test_what_it_does_not_know_is_not_known(database):
    asked = MetadataDatabase()
    assert asked.states(TaskKey("dag", "run", "task")) == States(None, None)
    assert asked.trouble == ""


def test_one_that_cannot_be_asked_is_told_once(monkeypatch):
    def broken():
        raise ConnectionError("postgresql://user:password@host is away\nand more")

    monkeypatch.setattr(airflows, "create_session", broken)
    asked = MetadataDatabase()
    assert asked.states(TaskKey("dag", "run", "task")) == States()
    assert asked.trouble == "ConnectionError: postgresql://***@host is away"


@pytest.mark.parametrize("is_emptied", [True, False])
def test_whose_records_a_folder_holds(monkeypatch, is_emptied):
    """From 3.3 on Airflow keeps them itself, unless its store is emptied."""
    monkeypatch.setenv("AIRFLOW__STATE_STORE__CLEAR_ON_SUCCESS", str(is_emptied))
    monkeypatch.setattr("airflow_runway._recover.states.find_spec", lambda name: object())
    assert airflow_keeps_records() is not is_emptied
    monkeypatch.setattr("airflow_runway._recover.states.find_spec", lambda name: None)
    assert not airflow_keeps_records()
