"""Mapped tasks of a cleared run whose list moved: nothing is paid for twice, and no generation has two holders."""

from __future__ import annotations

import copy
import os
import shutil
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.operators.folder_tries import FolderTries
from unit.operators.memory import Crash, MemoryStore, MemoryTaskInstance
from unit.operators.tries import PAYLOAD, TaskTries, begin

from airflow_runway.exceptions import RunwayError, RunwayJournalError
from airflow_runway.stores.files import Files, JournalFolderError

DONE = "SUCCEEDED"


class InStore(TaskTries):
    """Airflow's own store keeps the records; the folder is the index."""

    def __init__(self, root, monkeypatch, **fields):
        super().__init__(mapped=True, **fields)
        monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL", f"file://{root}")
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)


class InFolder(FolderTries):
    """The folder keeps the records."""

    def __init__(self, root, monkeypatch, **fields):
        super().__init__(root, monkeypatch, mapped=True, **fields)


class Mapped:
    """A mapped task: its list, its indices, and the states that Airflow has of them."""

    def __init__(self, one, prompts):
        self.gateway, self.one = one.gateway, one
        self.clock = one
        self.tasks = []
        self.states = []
        self.clears, self.began = 0, 1_000_000.0
        self.prompts = []
        self.set_list(prompts)

    def set_list(self, prompts):
        self.prompts = list(prompts)
        for index in range(len(self.tasks), len(prompts)):
            task = copy.copy(self.one)
            task.map_index, task.ti, task.max_tries = index, None, 3
            if not isinstance(task, FolderTries):
                task.store = MemoryStore(task.crash_point)
            task.context = partial(self.context, task)
            task.sleep = self.sleep
            self.tasks.append(task)
            self.states.append("none")

    def sleep(self, seconds):
        self.clock.now += seconds

    def context(self, task):
        run = SimpleNamespace(clear_number=self.clears, start_date=datetime.fromtimestamp(self.began, UTC))
        plain = {} if isinstance(task, FolderTries) else {"task_state_store": task.store}
        task.ti.get_task_states = self.states_of_all
        return {"ti": task.ti, "dag_run": run, **plain}

    def states_of_all(self, *, dag_id, task_ids, run_ids):
        assert (dag_id, task_ids, run_ids) == ("dag", ["task"], ["run"])
        return {"run": {f"task_{index}": state for index, state in enumerate(self.states)}}

    def run(self, index, *, crash=None, after=False):
        """One try of an index; the id that it gives, or ``None``."""
        task = self.tasks[index]
        self.clock.now += 1
        self.states[index] = "running"
        # The clock is one for all.
        task.now = self.clock.now
        try:
            found = task.run(payload={**PAYLOAD, "promptText": self.prompts[index]}, crash=crash, after=after)
        except (RunwayError, Crash):
            self.states[index] = "failed"
            return None
        self.states[index] = "success"
        return found

    def run_all(self, order=None):
        return {index: self.run(index) for index in (order or range(len(self.prompts)))}

    def clear(self, *indices):
        """Some, or all that there are."""
        self.clock.now += 60
        self.clears += 1
        if all(state in {"success", "failed"} for state in self.states):
            self.began = self.clock.now
        for index in indices or range(len(self.tasks)):
            self.tasks[index].clear()
            self.states[index] = "none"


@pytest.fixture(params=[InStore, InFolder], ids=["store", "folder"])
def mapped(request, monkeypatch, set_connection, tmp_path):
    def made(*prompts):
        root = tmp_path / "journal"
        shutil.rmtree(root, ignore_errors=True)
        one = begin(monkeypatch, set_connection, kind=partial(request.param, root, monkeypatch))
        task = Mapped(one, prompts)
        monkeypatch.setattr("time.time", lambda: task.clock.now)
        monkeypatch.setattr(MemoryTaskInstance, "get_task_states", None, raising=False)
        return task

    return made


def finish(task):
    task.gateway.tasks = dict.fromkeys(task.gateway.tasks, DONE)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_a_reordered_list_of_a_cleared_run_costs_nothing(mapped, order):
    task = mapped("a", "b", "c")
    first = task.run_all()
    finish(task)
    task.clear()
    task.set_list(["c", "a", "b"])
    again = task.run_all(order)
    assert task.gateway.posts == 3
    assert again == {0: first[2], 1: first[0], 2: first[1]}


def test_it_says_whose_it_was(mapped):
    task = mapped("a", "b")
    task.run_all()
    finish(task)
    task.clear()
    task.set_list(["b", "a"])
    task.run_all()
    assert "Taking up Runway task t2 of map index 1: it was made from this very request" in str(
        task.one.log.text
    )


def test_and_back_again(mapped):
    task = mapped("a", "b", "c")
    first = task.run_all()
    for order in ("bca", "cab", "abc"):
        finish(task)
        task.clear()
        task.set_list(order)
        found = task.run_all()
        assert [found[index] for index in range(3)] == [first["abc".index(letter)] for letter in order]
    assert task.gateway.posts == 3


def test_two_variants_on_purpose_are_two(mapped):
    task = mapped("a", "a")
    found = task.run_all()
    assert len(set(found.values())) == 2


def test_a_changed_entry_that_is_a_third_variant_is_paid_for(mapped):
    task = mapped("a", "a", "b")
    task.run_all()
    finish(task)
    task.clear(2)
    task.set_list("aaa")
    assert task.run(2) == "t4"


def test_of_variants_that_move_each_keeps_one(mapped):
    task = mapped("a", "a", "b")
    task.run_all()
    finish(task)
    task.clear()
    task.set_list("baa")
    found = task.run_all((2, 1, 0))
    assert task.gateway.posts == 3
    assert len(set(found.values())) == 3


def test_a_list_that_grew_at_its_front_pays_for_what_is_new(mapped):
    task = mapped("a", "b")
    task.run_all()
    finish(task)
    task.clear()
    task.set_list("cab")
    task.run_all()
    assert task.gateway.posts == 3


def test_a_sibling_that_has_not_said_yet_is_waited_for(mapped):
    task = mapped("a", "b")
    task.run_all()
    finish(task)
    task.clear()
    task.set_list("ba")
    task.states[1] = "running"
    began = task.clock.now
    assert task.run(0) == "t3"
    assert task.clock.now - began >= 60
    assert task.run(1) == "t1"


def test_of_several_that_move_at_once_none_waits_for_all_the_others(mapped):
    """Each wants what another one has, all have begun, and none has said what it stands for."""
    task = mapped("a", "b", "c")
    first = task.run_all()
    finish(task)
    task.clear()
    task.set_list("cab")
    task.states = ["running"] * 3
    others = [1, 2]
    began, sleep = task.clock.now, task.sleep

    def others_go_on(seconds):
        sleep(seconds)
        while others:
            index = others.pop(0)
            found[index] = task.run(index)

    found = {}
    task.one.sleep = others_go_on
    found[0] = task.run(0)
    assert found == {0: first[2], 1: first[0], 2: first[1]}
    assert task.clock.now - began < 30
    assert task.gateway.posts == 3


def test_what_another_account_paid_for_is_left_alone(mapped, set_connection):
    task = mapped("a", "b")
    task.run_all()
    finish(task)
    task.clear()
    task.set_list("ba")
    set_connection(password="key_of_another_account_0123456789")
    task.run(0)
    assert task.gateway.posts == 3


def test_in_a_run_that_was_never_cleared_nothing_is_asked(mapped, monkeypatch):
    task = mapped("a", "b")
    task.run_all()
    before = task.gateway.posts

    def asked(*args):
        raise AssertionError("a hold was read")

    monkeypatch.setattr("airflow_runway.stores.siblings.Siblings.holds", asked)
    assert task.run(0) == "t1"
    assert task.gateway.posts == before


def test_holds_that_cannot_be_read_stop_a_retry_and_pay_nothing(mapped, monkeypatch):
    task = mapped("a", "b")
    task.run_all()
    finish(task)
    task.clear()

    def broken(self):
        raise JournalFolderError("the journal folder could not be read")

    monkeypatch.setattr("airflow_runway.stores.siblings.Siblings.holds", broken)
    task.tasks[0].now = task.clock.now
    with pytest.raises(RunwayJournalError, match="Whose Runway task t1 is could not be found out"):
        task.tasks[0].run(payload={**PAYLOAD, "promptText": "a"})
    assert task.gateway.posts == 2


def test_an_index_that_cannot_be_read_is_as_if_there_were_none(mapped, monkeypatch):
    task = mapped("a", "b")
    task.run_all()
    finish(task)
    task.clear()
    task.set_list("ba")
    monkeypatch.setattr("airflow_runway.stores.siblings.Siblings.candidates", lambda *args: 1 / 0)
    assert task.run(0) == "t3"


LISTS = st.lists(st.sampled_from("aab"), min_size=1, max_size=4)


@pytest.mark.parametrize("kind", [InStore, InFolder], ids=["store", "folder"])
def test_any_lists_and_clears(kind, monkeypatch, set_connection, tmp_path):
    """Never two holders of one generation, and never more charges than without the index."""

    @settings(
        max_examples=settings.default.max_examples, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(st.data())
    def any_histories(data):
        root = tmp_path / "journal"
        shutil.rmtree(root, ignore_errors=True)
        with monkeypatch.context() as patch:
            one = begin(patch, set_connection, kind=partial(kind, root, patch))
            task = Mapped(one, data.draw(LISTS, label="list"))
            patch.setattr("time.time", lambda: task.clock.now)
            paid_without = Counter()
            held = {}
            for _ in range(data.draw(st.integers(1, 4), label="rounds")):
                order = data.draw(st.permutations(range(len(task.prompts))), label="order")
                for index in order:
                    if task.states[index] not in {"none", "failed"}:
                        continue
                    crash = data.draw(st.none() | st.integers(1, 12), label="crash")
                    found = task.run(index, crash=crash)
                    if crash and found is None:
                        found = task.run(index)
                    if found:
                        held[index] = found
                    paid_without[index, task.prompts[index]] += 1
                settled = [one for index, one in held.items() if task.states[index] == "success"]
                assert len(settled) == len(set(settled)), "two holders of one generation"
                finish(task)
                longest = max(len(task.prompts), len(task.tasks))
                moved = data.draw(st.permutations(task.prompts) | LISTS, label="next list")
                task.clear(
                    *data.draw(st.just(()) | st.sets(st.integers(0, longest - 1)).map(tuple), label="cleared")
                )
                task.set_list(
                    [*moved, *task.prompts[len(moved) :]][:longest] if len(moved) < longest else moved
                )
            # Without the index each index pays once for each request that it ever had, and for lost answers.
            assert task.gateway.charges <= len(paid_without)

    any_histories()


def test_files_are_read_no_more_than_needed_in_an_ordinary_run(mapped, monkeypatch):
    """With Airflow's own store: a listing, the copy, and nothing that a submission waits for before its POST."""
    task = mapped("a")
    if isinstance(task.one, FolderTries):
        pytest.skip("the journal itself is the index there")
    operations = []
    for name in ("within", "below", "_create", "found"):
        real = getattr(Files, name)
        monkeypatch.setattr(
            Files,
            name,
            lambda self, *args, name=name, real=real: operations.append(name) or real(self, *args),
        )
    task.run(0)
    assert operations == ["within", "_create"]
