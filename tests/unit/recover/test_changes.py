"""``airflow-runway recover attach``, ``forget``, ``cancel``: what they do and what they refuse. Money is counted."""

from __future__ import annotations

import json
import threading

import pytest
from unit.recover.conftest import TASK, fail

from airflow_runway._recover.arguments import Options
from airflow_runway._recover.changes import Settling
from airflow_runway._recover.errors import RefusedError
from airflow_runway._recover.in_folder import InJournalFolder
from airflow_runway._recover.journals import claimed, journal_here
from airflow_runway.core.journal.entries import TaskKey
from airflow_runway.core.journal.record import Phase
from airflow_runway.core.journal.recovery import OVER, handle_of
from airflow_runway.exceptions import RunwayAmbiguousSubmissionError
from airflow_runway.hooks.runway import RunwayHook
from airflow_runway.stores.files import Files

ACTIVE = ("none", "scheduled", "queued", "running", "restarting", "up_for_retry", "up_for_reschedule", "deferred",
          "awaiting_input", "a state of Airflow 4")  # fmt: skip


def last_file(one):
    return list(one.files.items())[-1]


class TestAttach:
    def test_the_next_try_picks_it_up_and_pays_nothing(self, lost, recover):
        code, out, err = recover("attach", "t1", *TASK)
        assert (code, err) == (0, "")
        assert "Attached t1" in out
        lost.clear()
        assert lost.run() == "t1"
        assert lost.gateway.posts == lost.gateway.charges == 1

    @pytest.mark.parametrize("is_cleared", [False, True])
    def test_also_where_a_clear_makes_a_new_one(self, lost, recover, is_cleared):
        recover("attach", "t1", *TASK)
        lost.max_tries += is_cleared
        assert lost.run(on_clear="regenerate") == "t1"
        assert lost.gateway.posts == 1

    def test_its_deadline_begins_anew(self, lost, recover):
        lost.now += 800
        recover("attach", "t1", *TASK)
        assert lost.history.current.anchored_at == lost.now

    def test_who_and_when_is_recorded(self, lost, recover):
        lost.now += 60
        recover("attach", "t1", *TASK)
        name, value = last_file(lost)
        assert name == "0002-submitted.json"
        assert (value["by"], value["written_at"]) == ("mira", lost.now)

    def test_an_id_that_an_error_named(self, one, recover):
        fail(one, "502 with its id")
        one.gateway.created["t1"] = "1970-01-12T13:46:41Z"
        assert recover("attach", "t1", *TASK)[0] == 0
        assert not one.history.current.is_doubtful
        assert one.run() == "t1"

    @pytest.mark.parametrize(
        ("created", "fits"),
        [
            ("1970-01-12T13:45:40Z", True),
            ("1970-01-12T13:45:39Z", False),
            ("1970-01-12T14:06:40Z", True),
            ("1970-01-12T14:06:41Z", False),
            ("1970-01-12T15:46:40+02:00", True),
        ],
    )
    def test_the_time_of_creation_must_fit(self, lost, recover, created, fits):
        lost.gateway.created["t1"] = created
        code, _, err = recover("attach", "t1", *TASK, "--yes")
        assert (code == 0) is fits
        assert ("created at another time" in " ".join(err.split())) is not fits

    @pytest.mark.parametrize("created", [None, "yesterday", "99999-01-01T00:00:00Z"])
    def test_one_without_a_time_needs_a_yes(self, lost, recover, created):
        lost.gateway.created = {} if created is None else {"t1": created}
        assert recover("attach", "t1", *TASK)[0] == 1
        assert len(lost.files) == 1
        assert recover("attach", "t1", *TASK, "--yes")[0] == 0

    def test_an_id_that_nobody_knows(self, lost, recover):
        code, _, err = recover("attach", "t9", *TASK)
        assert code == 1
        assert "does not know t9" in err

    def test_an_id_of_another_account(self, lost, recover, set_connection):
        set_connection(password="key_another_0123456789")
        origin = lost.gateway.owners["t1"].split()[0]
        lost.gateway.owners["t1"] = f"{origin} key_another_0123456789"
        code, _, err = recover("attach", "t1", *TASK, "--yes")
        assert code == 1
        assert "on another account" in " ".join(err.split())
        assert len(lost.files) == 1

    def test_an_id_that_another_task_has(self, lost, recover):
        """A sibling that sent the same at the same moment, and got its answer."""
        lost.map_index = 3
        assert lost.run() == "t2"
        lost.gateway.created["t2"] = lost.gateway.created["t1"]
        lost.map_index = -1
        code, _, err = recover("attach", "t2", *TASK, "--yes")
        assert code == 1
        assert "t2 is recorded for --dag dag --run run --task task --map-index 3" in " ".join(err.split())
        assert len(lost.files) == 1

    def test_an_id_that_another_task_had_and_forgot(self, one, recover):
        one.map_index = 3
        fail(one, "400 with an id of something else")
        one.gateway.add("req-1", "RUNNING")
        one.gateway.created["req-1"] = "1970-01-12T13:46:40Z"
        one.map_index = -1
        fail(one, "drop")
        assert recover("attach", "req-1", *TASK)[0] == 1
        assert recover("forget", *TASK, "--map-index", "3", "--yes")[0] == 0
        assert recover("attach", "req-1", *TASK)[0] == 0
        assert one.run() == "req-1"

    def test_an_id_that_was_claimed(self, lost, recover):
        other = lost.history.current
        assert claimed(journal_here(), TaskKey("dag", "run", "other"), other, "t1")
        code, _, err = recover("attach", "t1", *TASK, "--yes")
        assert code == 1
        assert "claimed for another submission" in err
        assert len(lost.files) == 1

    def test_again_there_is_nothing_open(self, lost, recover):
        recover("attach", "t1", *TASK)
        assert recover("attach", "t1", *TASK)[0] == 1
        assert len(lost.files) == 2

    def test_of_several_one_is_named(self, lost, recover):
        fail(lost, "drop after accept", payload={"model": "gen4_turbo", "promptText": "another"})
        code, _, err = recover("attach", "t1", *TASK)
        assert code == 1
        assert "--intent NAME" in " ".join(err.split())
        _, first = lost.history.open()
        assert recover("attach", "t1", *TASK, "--intent", handle_of(first))[0] == 0
        assert lost.run() == "t1"
        with pytest.raises(RunwayAmbiguousSubmissionError):
            lost.run(payload={"model": "gen4_turbo", "promptText": "another"})

    def test_no_id(self, lost, recover):
        assert recover("attach", "../../organization", *TASK)[0] == 2


class TestTwoAtOnce:
    """Two commands that have both read everything before either writes."""

    @pytest.fixture
    def both(self, lost, airflow, monkeypatch):
        def run(*wishes):
            barrier, results = threading.Barrier(2), {}
            real = Files._create

            def together(self, path, content):
                if "claims" not in path:
                    barrier.wait(20)
                real(self, path, content)

            def settle(action, runway_task_id):
                options = Options(action, runway_task_id=runway_task_id, yes=True)
                hook = RunwayHook()
                settling = Settling(
                    InJournalFolder(airflow),
                    hook,
                    TaskKey("dag", "run", "task"),
                    options,
                    by="mira",
                    now=lost.now,
                )
                try:
                    results[action, runway_task_id] = getattr(settling, action)()
                except RefusedError:
                    results[action, runway_task_id] = ""

            monkeypatch.setattr(Files, "_create", together)
            threads = [threading.Thread(target=settle, args=wish) for wish in wishes]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(30)
            monkeypatch.setattr(Files, "_create", real)
            assert set(results) == set(wishes)
            return [wish for wish, done in results.items() if done]

        return run

    def test_two_ids_for_one_intent(self, lost, both):
        lost.gateway.add("t7", "RUNNING")
        lost.gateway.created["t7"] = lost.gateway.created["t1"]
        ((_, won),) = both(("attach", "t1"), ("attach", "t7"))
        assert lost.run() == won
        assert lost.gateway.posts == 1

    @pytest.mark.parametrize("attempt", range(5))
    def test_one_attaches_what_another_forgets(self, lost, both, attempt):
        """What was found is kept, and at most one is told that it did what it was asked for."""
        assert len(both(("attach", "t1"), ("forget", ""))) <= 1
        assert lost.run() == "t1"
        assert lost.gateway.posts == 1

    def test_one_id_for_two_intents(self, lost, recover):
        fail(lost, "drop after accept", payload={"model": "gen4_turbo", "promptText": "another"})
        handles = [handle_of(one) for one in lost.history.open()]
        codes = [recover("attach", "t1", *TASK, "--intent", one)[0] for one in handles]
        assert codes == [0, 1]
        assert [one.runway_task_id for one in lost.history.newest_first()].count("t1") == 1


class TestForget:
    def test_without_a_yes_it_says_what_that_means(self, lost, recover):
        code, out, err = recover("forget", *TASK)
        assert (code, out) == (1, "")
        assert "cost not known" in err
        assert "pays for a second one" in " ".join(err.split())
        assert len(lost.files) == 1

    def test_the_next_try_sends_again(self, lost, recover):
        code, _, _ = recover("forget", *TASK, "--yes")
        assert code == 0
        assert last_file(lost)[0] == "0002-forgotten.json"
        assert last_file(lost)[1]["by"] == "mira"
        assert lost.run() == "t2"

    def test_a_named_id_that_exists(self, one, recover):
        fail(one, "502 with its id")
        code, _, err = recover("forget", *TASK, "--yes")
        assert code == 1
        assert "t1" in err
        assert "attach it instead" in " ".join(err.split())

    def test_a_named_id_that_does_not(self, one, recover):
        fail(one, "400 with an id of something else")
        assert recover("forget", *TASK)[0] == 1
        code, out, _ = recover("forget", *TASK, "--yes")
        assert code == 0
        assert "req-1" in out

    def test_a_named_id_that_cannot_be_read(self, one, recover):
        fail(one, "400 with an id of something else")
        one.gateway.reads_fail = 99
        assert recover("forget", *TASK, "--yes")[0] == 1
        assert len(one.history.open()) == 1

    def test_a_named_id_on_another_account(self, one, recover, set_connection):
        fail(one, "502 with its id")
        set_connection(password="key_another_0123456789")
        assert recover("forget", *TASK, "--yes")[0] == 1
        assert len(one.history.open()) == 1

    def test_what_was_accepted_is_not_open(self, one, recover):
        one.run()
        assert recover("forget", *TASK, "--yes")[0] == 1
        assert one.history.current.phase is Phase.SUBMITTED


class TestCancel:
    def test_it_names_id_and_cost_and_wants_a_yes(self, one, recover):
        one.run()
        code, out, err = recover("cancel", "t1", *TASK)
        assert (code, out) == (1, "")
        assert "t1 (RUNNING, at most 25 credits)" in " ".join(err.split())
        assert one.gateway.deleted == []

    def test_it_is_cancelled_and_recorded(self, one, recover):
        one.run()
        assert recover("cancel", "t1", *TASK, "--yes")[0] == 0
        assert one.gateway.deleted == ["t1"]
        name, value = last_file(one)
        assert name.endswith("-closed.json")
        assert (value["by"], value["record"]["outcome"]) == ("mira", "cancelled")
        assert recover()[0] == 0

    @pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "CANCELLED", "GONE"])
    def test_what_has_ended_is_left(self, one, recover, status):
        one.run()
        one.gateway.tasks["t1"] = status
        assert recover("cancel", "t1", *TASK, "--yes")[0] == 1
        assert one.gateway.deleted == []

    def test_an_id_that_is_not_the_tasks(self, one, recover):
        one.run()
        one.gateway.add("t7", "RUNNING")
        assert recover("cancel", "t7", *TASK, "--yes")[0] == 1
        assert one.gateway.deleted == []

    def test_an_id_that_only_an_error_named(self, one, recover):
        fail(one, "400 with its id")
        assert recover("cancel", "t1", *TASK, "--yes")[0] == 1
        assert one.gateway.deleted == []

    def test_a_generation_that_another_task_has_too(self, one, recover):
        one.run()
        text = next(one.root.rglob("0002-submitted.json")).read_text()
        value = json.loads(text)
        value["task"]["task_id"] = "other"
        other = one.root / "-/dag/run/other/-/0001-submitted.json"
        other.parent.mkdir(parents=True)
        other.write_text(json.dumps(value))
        assert recover("cancel", "t1", *TASK, "--yes")[0] == 1
        assert one.gateway.deleted == []

    def test_a_task_that_is_taken_up_meanwhile(self, one, recover, airflow):
        one.run()
        airflow.meanwhile = lambda number: airflow.tasks.update(task="failed" if number < 2 else "running")
        assert recover("cancel", "t1", *TASK, "--yes")[0] == 1
        assert one.gateway.deleted == []


class TestStates:
    @pytest.mark.parametrize("state", ACTIVE)
    @pytest.mark.parametrize("words", [("attach", "t1"), ("forget", "--yes"), ("cancel", "t1", "--yes")])
    def test_while_somebody_may_write_nothing_is_changed(self, lost, recover, airflow, state, words):
        airflow.tasks["task"] = state
        code, _, err = recover(*words[:1], *words[1:], *TASK, "--task-is-over")
        assert code == 1
        assert f"is {state}" in " ".join(err.split())
        assert len(lost.files) == 1

    @pytest.mark.parametrize("state", sorted(OVER))
    def test_once_it_is_over_it_is(self, lost, recover, airflow, state):
        airflow.tasks["task"] = state
        assert recover("attach", "t1", *TASK)[0] == 0

    def test_where_nobody_knows_a_person_has_to_have_looked(self, lost, recover, airflow):
        airflow.tasks["task"] = None
        assert recover("attach", "t1", *TASK, "--yes")[0] == 1
        assert recover("attach", "t1", *TASK, "--task-is-over")[0] == 0

    def test_a_journal_that_changes_meanwhile(self, lost, recover, airflow):
        def meanwhile(number):
            if number == 2:
                folder = lost.root / "-/dag/run/task/-"
                value = json.loads((folder / "0001-intent.json").read_text())
                value["record"]["sent_at"] += 1
                (folder / "0002-intent.json").write_text(json.dumps(value))

        airflow.meanwhile = meanwhile
        code, _, err = recover("forget", *TASK, "--yes")
        assert code == 1
        assert "changed meanwhile" in err
        assert not any("forgotten" in name for name in lost.files)


class TestForeignText:
    @pytest.mark.parametrize("more", [(), ("--json",)])
    @pytest.mark.parametrize("words", [("attach", "t1"), ("forget",), ("forget", "--yes")])
    def test_no_terminal_is_steered_and_no_secret_told(self, lost, recover, words, more):
        first = lost.root / "-/dag/run/task/-/0001-intent.json"
        value = json.loads(first.read_text())
        value["record"]["route"] = "\x1b[2Jroute\u202e https://u:p@h/x?sig=SECRETSECRET"
        lost.gateway.created["t1"] = "1999-01-01T00:00:00Z"
        first.write_text(json.dumps(value))
        _, out, err = recover(*words, *TASK, *more)
        assert "SECRETSECRET" not in out + err
        assert "route" in out + err

    def test_a_long_sentence_is_whole_for_machines(self, lost, recover):
        _, out, _ = recover("forget", *TASK, "--json")
        assert json.loads(out)["refused"].endswith("add --yes.")

    def test_foreign_files_beside_ours(self, lost, recover):
        (lost.root / "-/dag/run/task/-/notes.txt").write_text("mine")
        code, _, err = recover("attach", "t1", *TASK)
        assert code == 1
        assert "notes.txt" in err


class TestWords:
    @pytest.mark.parametrize(
        "words", [("attach",), ("attach", "t1"), ("forget",), ("cancel", "t1", "--dag", "d"), ("heal",)]
    )
    def test_wrong_ones_end_with_2(self, one, recover, words):
        with pytest.raises(SystemExit) as caught:
            recover(*words)
        assert caught.value.code == 2

    def test_a_connection_that_is_not_there(self, lost, recover):
        assert recover("attach", "t1", *TASK, "--conn-id", "nowhere")[0] == 2

    def test_for_machines(self, lost, recover):
        code, out, _ = recover("forget", *TASK, "--json")
        assert (code, list(json.loads(out))) == (1, ["refused"])
        code, out, _ = recover("attach", "t1", *TASK, "--json")
        assert (code, list(json.loads(out))) == (0, ["done"])
