"""``airflow-runway recover --airflow``: the same over the REST API of an Airflow 3.3."""

from __future__ import annotations

import json

import pytest
from unit.operators.folder_tries import begin_in_folder
from unit.operators.tries import begin
from unit.recover.conftest import TASK, fail
from unit.recover.rest import TOKEN, RestAirflow

from airflow_runway._recover.rest import AirflowApi
from airflow_runway.core.journal.header import Header
from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.journal.record import Phase

KEY = "runway_submission"


@pytest.fixture
def rest(monkeypatch):
    monkeypatch.setenv("AIRFLOW_RUNWAY_TOKEN", TOKEN)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    rest = RestAirflow()
    yield rest
    rest.close()


@pytest.fixture
def one(monkeypatch, set_connection, rest, airflow):
    """A task whose journal is Airflow's own store, which the REST API shows."""
    one = begin(monkeypatch, set_connection)
    rest.add("other", "success")
    rest.add("task", "failed")
    rest.stores["task", -1] = one.store.values
    return one


@pytest.fixture
def lost(one):
    fail(one, "drop after accept")
    one.gateway.created["t1"] = "1970-01-12T13:46:40.123Z"
    return one


@pytest.fixture
def asked(recover, rest):
    def run(*words):
        return recover(*words, "--airflow", rest.url)

    return run


class TestList:
    def test_what_is_open(self, lost, rest, asked):
        rest.add("waits", "deferred", **{KEY: lost.store.values[KEY]})
        code, out, err = asked("--dag", "dag", "--json")
        assert (code, err) == (1, "")
        assert [one["standing"] for one in json.loads(out)["open"]] == ["lost answer", "lost answer"]
        assert rest.writes == []

    def test_what_runs_alone(self, one, asked):
        one.run()
        code, out, _ = asked("--dag", "dag", "--run", "run")
        assert code == 1
        assert "  runs alone       at most 25 credits      t1  RUNNING" in out.splitlines()

    def test_more_task_instances_than_fit_on_a_page(self, one, rest, asked):
        fail(one, "drop after accept")
        for index in range(250):
            rest.add("mapped", "failed", index, **({KEY: one.store.values[KEY]} if index == 249 else {}))
        _, out, _ = asked("--dag", "dag", "--json")
        assert [one["map_index"] for one in json.loads(out)["open"]] == [None, 249]

    def test_items_of_a_batch(self, one, rest, asked):
        one.gateway.add("t5", "RUNNING")
        one.gateway.add("t6", "RUNNING")
        items = [
            Item("a.0", State.INTENT, "w", sent_at=1.0),
            Item("b.0", State.RUNNING, "w", sent_at=2.0, runway_task_id="t5", estimated=5.0),
            Item("c.0", State.SUCCEEDED, "w", sent_at=3.0, runway_task_id="t6"),
            Item("d.0", State.POSTPONED, "w"),
        ]
        values = {
            "runway_batch": Header(1.0, 0, chunks=1).as_json(),
            "runway_batch_0000": [item.as_json() for item in items],
        }
        rest.add("batch", "failed", **values)
        _, out, _ = asked("--dag", "dag", "--json")
        found = {one["standing"]: one["runway_task_id"] for one in json.loads(out)["open"]}
        assert found == {"lost answer": "", "runs alone": "t5"}
        rest.instances["batch", -1] = "deferred"
        _, out, _ = asked("--dag", "dag", "--json")
        assert [one["standing"] for one in json.loads(out)["open"]] == ["lost answer"]
        rest.instances["batch", -1] = "failed"
        code, _, err = asked("cancel", "t5", "--dag", "dag", "--run", "run", "--task", "batch", "--yes")
        assert code == 1
        assert "is a batch" in err

    def test_an_entry_that_cannot_be_understood_is_named(self, one, rest, asked):
        rest.add("foreign", "failed", **{KEY: {"version": 99}})
        code, _, err = asked("--dag", "dag")
        assert code == 1
        assert "foreign" in err

    def test_an_airflow_without_a_state_store(self, one, rest, asked):
        rest.has_store = False
        code, _, err = asked("--dag", "dag")
        assert code == 1
        assert "came with Airflow 3.3" in " ".join(err.split())


class TestNotAsked:
    def test_without_a_dag(self, one, asked):
        assert asked()[0] == 2

    @pytest.mark.parametrize("token", ["", "two words", "a\nb", "é"])
    def test_without_a_token(self, one, rest, asked, monkeypatch, token):
        monkeypatch.setenv("AIRFLOW_RUNWAY_TOKEN", token)
        assert asked("--dag", "dag")[0] == 2
        assert rest.arrived == 0

    @pytest.mark.parametrize("url", ["ftp://a", "airflow", "http://u:p@a", "http://"])
    def test_no_address(self, one, recover, url):
        code, _, err = recover("--dag", "dag", "--airflow", url)
        assert code == 2
        assert "u:p" not in err

    def test_a_token_that_travels_readably_is_told_of(self, one, recover, monkeypatch):
        monkeypatch.setattr(AirflowApi, "_ask", lambda *_: {"task_instances": [], "total_entries": 0})
        for url, is_told in (("http://airflow.example.com", True), ("https://airflow.example.com", False)):
            code, _, err = recover("--dag", "dag", "--airflow", url)
            assert code == 0
            assert ("travels readably" in err) is is_told

    def test_a_token_out_of_a_file(self, lost, asked, monkeypatch, tmp_path):
        monkeypatch.delenv("AIRFLOW_RUNWAY_TOKEN")
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        assert asked("--dag", "dag", "--token-file", str(tmp_path / "token"))[0] == 1
        assert asked("--dag", "dag", "--token-file", str(tmp_path / "nowhere"))[0] == 2

    def test_a_wrong_token_is_told_of_and_not_shown(self, lost, asked, monkeypatch):
        monkeypatch.setenv("AIRFLOW_RUNWAY_TOKEN", "wrong-0123456789")
        code, _, err = asked("--dag", "dag")
        assert code == 1
        assert "answers 401" in err
        assert "wrong-0123456789" not in err

    def test_a_redirect_gets_no_token(self, lost, rest, asked):
        other = RestAirflow()
        try:
            rest.answers = [(302, {"Location": f"{other.url}/"}, None)]
            assert asked("--dag", "dag")[0] == 1
            assert other.arrived == 0
        finally:
            other.close()

    @pytest.mark.parametrize(
        "value", [None, [], {}, {"task_instances": [1]}, {"task_instances": [{}]}, "\x1b[2J"]
    )
    def test_an_answer_that_is_none_of_airflows(self, lost, rest, asked, value):
        rest.answers = [(200, {}, value)]
        assert asked("--dag", "dag")[0] == 1


class TestSettle:
    def test_attach(self, lost, rest, asked, monkeypatch, tmp_path):
        monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL", f"file://{tmp_path}")
        code, _, err = asked("attach", "t1", *TASK)
        assert (code, err) == (0, "")
        assert [one.name for one in tmp_path.rglob("*.json")] == ["t1.json"]
        lost.clear()
        assert lost.run() == "t1"
        assert lost.gateway.posts == 1

    def test_without_a_folder_for_claims_it_needs_a_yes(self, lost, rest, asked):
        code, _, err = asked("attach", "t1", *TASK)
        assert code == 1
        assert "attached once" in " ".join(err.split())
        assert rest.writes == []
        assert asked("attach", "t1", *TASK, "--yes")[0] == 0
        assert lost.run() == "t1"

    def test_an_id_that_a_sibling_has(self, lost, rest, asked):
        value = json.loads(json.dumps(lost.store.values[KEY]))
        value["current"] |= {"phase": "submitted", "runway_task_id": "t1"}
        rest.add("sibling", "success", **{KEY: value})
        code, _, err = asked("attach", "t1", *TASK, "--yes")
        assert code == 1
        assert "--task sibling" in " ".join(err.split())

    def test_forget_leaves_nothing_but_who_and_when(self, lost, rest, asked):
        assert asked("forget", *TASK, "--yes")[0] == 0
        assert KEY not in lost.store.values
        (note,) = lost.store.values["runway_recovered"]
        assert (note["by"], note["at"], note["word"]) == ("mira", lost.now, "forgotten")
        assert lost.run() == "t2"

    def test_cancel(self, one, asked):
        one.run()
        assert asked("cancel", "t1", *TASK, "--yes")[0] == 0
        assert one.gateway.deleted == ["t1"]
        assert one.history.current.outcome == "cancelled"

    @pytest.mark.parametrize("state", [None, "queued", "running", "deferred", "up_for_retry"])
    def test_not_while_somebody_may_write(self, lost, rest, asked, state):
        rest.instances["task", -1] = state
        assert asked("attach", "t1", *TASK, "--yes", "--task-is-over")[0] == 1
        assert rest.writes == []

    def test_a_value_that_changes_under_it(self, lost, rest, asked):
        def meanwhile(method):
            if method == "PUT":
                rest.meanwhile = lambda method: lost.store.values.__setitem__(KEY, before)

        before = json.loads(json.dumps(lost.store.values[KEY]))
        rest.meanwhile = meanwhile
        code, _, err = asked("attach", "t1", *TASK, "--yes")
        assert code == 1
        assert "at the same moment" in " ".join(err.split())
        assert lost.history.current.phase is Phase.INTENT

    def test_a_task_that_airflow_does_not_know(self, lost, asked):
        code, _, err = asked("attach", "t1", "--dag", "dag", "--run", "run", "--task", "nobody", "--yes")
        assert code == 1
        assert "no such task instance" in " ".join(err.split())


class TestStatesOnly:
    """``--journal-folder``: Airflow is asked for states, an old one too, and what is open is in the folder."""

    @pytest.fixture
    def folder(self, monkeypatch, set_connection, tmp_path, airflow, rest):
        one = begin_in_folder(monkeypatch, set_connection, tmp_path / "journal")
        fail(one, "drop after accept")
        one.gateway.created["t1"] = "1970-01-12T13:46:40.123Z"
        rest.has_store = False
        rest.add("task", "failed")
        return one

    def test_what_is_open(self, folder, asked):
        code, out, _ = asked("--journal-folder", "--json")
        assert code == 1
        assert [one["standing"] for one in json.loads(out)["open"]] == ["lost answer"]

    def test_it_is_settled_in_the_folder(self, folder, asked, rest):
        assert asked("attach", "t1", *TASK, "--journal-folder")[0] == 0
        assert rest.writes == []
        assert folder.run() == "t1"
        assert folder.gateway.posts == 1

    @pytest.mark.parametrize("state", ["deferred", "running", "queued", None])
    def test_nothing_while_the_task_may_run(self, folder, asked, rest, state):
        rest.instances["task", -1] = state
        code, _, err = asked("attach", "t1", *TASK, "--journal-folder")
        assert code == 1
        assert "a worker or a trigger may write" in " ".join(err.split())

    def test_what_airflow_does_not_know_needs_a_person_who_has_looked(self, folder, asked, rest):
        rest.instances.clear()
        assert asked("attach", "t1", *TASK, "--journal-folder")[0] == 1
        assert asked("attach", "t1", *TASK, "--journal-folder", "--task-is-over")[0] == 0
