"""A journal folder with tasks that went wrong in every way, and the command as a person runs it."""

from __future__ import annotations

import json

import pytest
from unit.operators.folder_tries import begin_in_folder
from unit.scripted import KEY

from airflow_runway._recover import command, states
from airflow_runway.cli import main
from airflow_runway.core.journal.recovery import States
from airflow_runway.exceptions import RunwayError

TASK = ("--dag", "dag", "--run", "run", "--task", "task")


class Airflow:
    """Its states of task instances, by task id; ``None`` where it does not know."""

    def __init__(self):
        self.tasks, self.run, self.trouble = {}, "failed", ""
        self.asked = 0
        #: Called before each answer.
        self.meanwhile = lambda number: None

    def states(self, task):
        self.asked += 1
        self.meanwhile(self.asked)
        return States(self.tasks.get(task.task_id, "failed"), self.run)


@pytest.fixture
def airflow(monkeypatch):
    airflow = Airflow()
    monkeypatch.setattr(states, "MetadataDatabase", lambda: airflow)
    monkeypatch.setattr(states, "airflow_keeps_records", lambda: False)
    monkeypatch.setattr(command, "user", lambda: "mira")
    return airflow


@pytest.fixture
def one(monkeypatch, set_connection, tmp_path, airflow):
    """A task whose journal is a folder."""
    return begin_in_folder(monkeypatch, set_connection, tmp_path / "journal")


@pytest.fixture
def lost(one):
    """The same, after a lost answer: the generation is there, as ``t1``."""
    fail(one, "drop after accept")
    one.gateway.created["t1"] = "1970-01-12T13:46:40.123Z"
    return one


@pytest.fixture
def recover(capsys):
    """Exit code, standard output and standard error."""

    def run(*words):
        code = main(["recover", *words])
        said = capsys.readouterr()
        assert KEY not in said.out + said.err
        assert "a secret idea" not in said.out + said.err
        assert said.out.isascii() or "�" in said.out
        assert all(char.isprintable() or char == "\n" for char in said.out + said.err)
        return code, said.out, said.err

    return run


@pytest.fixture
def listed(recover):
    """What is open, as for machines."""
    return lambda *words: json.loads(recover("--json", *words)[1])["open"]


def fail(one, *faults, **fields):
    """A try that ends with an error."""
    one.gateway.faults = list(faults)
    with pytest.raises(RunwayError):
        one.run(**fields)
