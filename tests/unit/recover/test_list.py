"""``airflow-runway recover``: what it lists, and how."""

from __future__ import annotations

import json
import os

import pytest
from unit.recover.conftest import fail

from airflow_runway.stores.files import Files


class Another:
    """Another task of the same run, over the same gateway."""

    def __init__(self, one, task_id):
        self.one, self.task_id = one, task_id

    def __enter__(self):
        from unit.operators import memory

        self.before = memory.MemoryTaskInstance.task_id
        memory.MemoryTaskInstance.task_id = self.task_id
        return self.one

    def __exit__(self, *_):
        from unit.operators import memory

        memory.MemoryTaskInstance.task_id = self.before


@pytest.fixture
def run_of_all_kinds(one):
    """One open submission of each kind, and one settled of each."""
    gateway = one.gateway
    with Another(one, "lost"):
        fail(one, "drop after accept")  # t1
    with Another(one, "named"):
        fail(one, "502 with its id")  # t2
    with Another(one, "refused"):
        fail(one, "400 with an id of something else")  # req-1
    with Another(one, "alone"):
        one.run()  # t3
    with Another(one, "ended"):
        one.run()  # t4
        gateway.tasks["t4"] = "SUCCEEDED"
    with Another(one, "cancelled"):
        one.run()  # t5
        gateway.tasks["t5"] = "CANCELLED"
    with Another(one, "failed"):
        one.run()  # t6
        gateway.tasks["t6"] = "FAILED"
    with Another(one, "sent-again"):
        fail(one, "refuse")
    return one


class TestKinds:
    def test_what_is_open_and_nothing_else(self, run_of_all_kinds, listed):
        found = {one["task_id"]: (one["standing"], one["runway_task_id"], one["reading"]) for one in listed()}
        assert found == {
            "lost": ("lost answer", "", ""),
            "named": ("named", "t2", "RUNNING"),
            "refused": ("named, refused", "req-1", "not known"),
            "alone": ("runs alone", "t3", "RUNNING"),
        }

    def test_nothing_is_written_and_nothing_sent(self, run_of_all_kinds, recover):
        posts, before = run_of_all_kinds.gateway.posts, sorted(run_of_all_kinds.root.rglob("*"))
        recover()
        assert run_of_all_kinds.gateway.posts == posts
        assert run_of_all_kinds.gateway.deleted == []
        assert sorted(run_of_all_kinds.root.rglob("*")) == before

    def test_what_a_task_waits_for_is_not_listed(self, run_of_all_kinds, airflow, listed):
        airflow.tasks["alone"] = "deferred"
        assert "alone" not in {one["task_id"] for one in listed()}

    def test_what_a_sensor_of_the_run_may_wait_for_is_not_listed(self, run_of_all_kinds, airflow, listed):
        airflow.tasks["alone"], airflow.run = "success", "running"
        assert "alone" not in {one["task_id"] for one in listed()}

    def test_a_lost_answer_is_listed_whatever_the_task_does(self, run_of_all_kinds, airflow, listed):
        airflow.tasks["lost"] = "up_for_retry"
        assert "lost" in {one["task_id"] for one in listed()}

    def test_a_generation_that_its_task_no_longer_stands_for(self, one, airflow, listed):
        """A mapped task leaves the generation of its earlier request alone."""
        one.map_index = 0
        one.run()
        one.run(payload={"model": "gen4_turbo", "promptText": "another"})
        airflow.tasks["task"] = "running"
        assert [(one["runway_task_id"], one["map_index"]) for one in listed()] == [("t1", 0)]

    def test_of_one_dag_and_run(self, run_of_all_kinds, listed):
        assert len(listed("--dag", "dag", "--run", "run")) == 4
        assert listed("--dag", "dag", "--run", "another") == []
        assert listed("--dag", "another") == []


class TestForPeople:
    def test_the_lines_fit_and_the_first_says_what_counts(self, run_of_all_kinds, recover):
        code, out, err = recover()
        lines = out.splitlines()
        assert (code, err) == (1, "")
        assert lines[0] == "Dag dag, run run"
        assert "  runs alone       at most 25 credits      t3  RUNNING" in lines
        assert "  named            cost not known          t2  RUNNING" in lines
        assert max(map(len, lines)) <= 100
        assert any(line.startswith("  lost answer      cost not known          intent ") for line in lines)
        assert lines[-3].startswith("  airflow-runway recover attach ID")

    def test_nothing_open(self, one, recover):
        code, out, err = recover()
        assert (code, err) == (0, "")
        assert out.startswith("Nothing is open in file://")

    def test_without_a_connection_ids_are_listed_unread(self, run_of_all_kinds, monkeypatch, recover):
        monkeypatch.delenv("AIRFLOW_CONN_RUNWAY_DEFAULT")
        code, out, err = recover()
        assert code == 1
        assert "t3  not read" in out
        assert "No generation was read." in " ".join(err.split())

    def test_states_that_cannot_be_asked_for(self, run_of_all_kinds, airflow, recover):
        airflow.trouble = "OperationalError: no such table"
        airflow.tasks["alone"] = None
        _, out, err = recover()
        assert "alone, state unknown" in out
        assert "no such table" in err

    def test_a_gateway_without_an_answer(self, run_of_all_kinds, recover):
        run_of_all_kinds.gateway.reads_fail = 99
        code, out, err = recover()
        assert code == 1
        assert "could not be read" in out
        assert "airflow-runway recover: " in err

    def test_on_another_account_nothing_follows(self, run_of_all_kinds, set_connection, listed):
        set_connection(password="key_another_0123456789")
        assert {one["reading"] for one in listed()} == {"", "on another account"}


class TestNotAsked:
    def test_no_journal(self, airflow, recover, monkeypatch):
        monkeypatch.delenv("AIRFLOW__RUNWAY__JOURNAL", raising=False)
        code, out, err = recover()
        assert (code, out) == (2, "")
        assert "[runway] journal" in err

    def test_a_run_without_its_dag(self, one, recover):
        assert recover("--run", "run")[0] == 2

    def test_a_folder_that_cannot_be_read(self, lost, recover, monkeypatch):
        def broken(self, folder, *, deep):
            raise self._unreadable(folder, PermissionError(13, "Permission denied"))

        monkeypatch.setattr(Files, "_listed", broken)
        code, out, err = recover()
        assert (code, out) == (1, "")
        assert "could not be read (PermissionError" in " ".join(err.split())


class TestForeignFiles:
    def write(self, one, path, text):
        file = one.root / "-" / path
        os.makedirs(file.parent, exist_ok=True)
        file.write_text(text)

    def test_they_are_named_and_the_rest_is_listed(self, lost, recover):
        self.write(lost, "dag/run/other/-/0001-intent.json", "not json")
        self.write(lost, "dag/run/third/-/0001-intent.json", json.dumps({"version": 9}))
        self.write(lost, "notes.txt", "mine")
        self.write(lost, "claims/t9.json", "{}")
        code, out, err = recover()
        assert code == 1
        assert "lost answer" in out
        assert "other/-" in err.replace("\n", "")
        assert "third/-" in err.replace("\n", "")

    def test_one_beside_ours_is_named(self, lost, recover):
        self.write(lost, "dag/run/task/-/notes.txt", "mine")
        code, out, err = recover()
        assert code == 1
        assert "lost answer" not in out
        assert "notes.txt" in err

    def test_an_entry_of_another_task_is_not_taken_for_this_ones(self, lost, recover):
        text = (lost.root / "-/dag/run/task/-/0001-intent.json").read_text()
        self.write(lost, "dag/run/forged/-/0001-intent.json", text)
        _, out, err = recover()
        assert out.count("lost answer") == 1
        assert "another task instance's" in " ".join(err.split())

    def test_no_terminal_is_steered_and_no_secret_told(self, lost, recover, set_connection):
        first = lost.root / "-/dag/run/task/-/0001-intent.json"
        value = json.loads(first.read_text())
        value["record"]["route"] = "\x1b[2Jroute\u202e https://u:p@h/x?sig=SECRETSECRET"
        first.write_text(json.dumps(value))
        for words in ((), ("--json",)):
            _, out, _ = recover(*words)
            assert "SECRETSECRET" not in out
            assert "\x1b" not in json.loads(out)["open"][0]["route"] if words else "route" in out
