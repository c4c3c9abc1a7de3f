from __future__ import annotations

import itertools

import pytest

from airflow_runway.core import stopping
from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.stopping import TASK_IS_OVER, fate_of, left_running, nothing_sent

#: Every state that a task instance of Airflow 3.3 can have, and one that a later version may bring.
STATES = [
    "removed", "scheduled", "queued", "running", "success", "restarting", "failed", "up_for_retry",
    "up_for_reschedule", "upstream_failed", "skipped", "deferred", "awaiting_input", "a_new_one", None,
]  # fmt: skip


def table():
    """The rows of the table in the module's docstring."""
    lines = stopping.__doc__.splitlines()
    rules = [number for number, line in enumerate(lines) if line.startswith("====")]
    return [line.split("  ") for line in lines[rules[1] + 1 : rules[2]]]


def expected(state, cancel_on_kill):
    for row in table():
        said, wish, fate = (cell.strip() for cell in row if cell.strip())
        if said in {"any", state or "no answer"} and wish in {"any", cancel_on_kill}:
            return fate
    raise AssertionError("no row fits")


@pytest.mark.parametrize(("state", "cancel_on_kill"), list(itertools.product(STATES, ["yes", "no"])))
def test_the_table_of_the_docstring_is_what_happens(state, cancel_on_kill):
    fate = fate_of(state, cancel_on_kill=cancel_on_kill == "yes")
    assert fate.value == expected(state, cancel_on_kill)


def test_the_table_names_every_state_that_ends_a_task():
    assert {row[0].strip() for row in table()} - {"any", "no answer"} == TASK_IS_OVER


@pytest.mark.parametrize(("state", "words"), [("running", "it is running"), (None, "not known by whom")])
def test_what_is_left_is_named_and_a_retry_may_mend_it(state, words):
    facts = left_running("Runway task t1", state)
    assert facts.message.startswith("Runway task t1 runs on, nothing was cancelled")
    assert words in facts.message
    assert facts.kind.a_retry_may_help


def test_what_was_not_sent_cost_nothing():
    assert nothing_sent().kind is ErrorKind.STOPPED
    assert "nothing was charged" in nothing_sent().message
