"""What becomes of an item, in a resume, a retry and a clear; and whether a list is another one."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from airflow_runway.core.journal import batch
from airflow_runway.core.journal.batch import is_another_list, is_submitted
from airflow_runway.core.journal.header import Header
from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.journal.pin import Entry, Pinned, pin_of

#: The header of the first try, in which everything was sent.
FIRST = Header(1.0, 3).begun(3, 1.0)


def item(state=State.RUNNING, **fields):
    return Item(
        **{
            "key": "k.0",
            "state": state,
            "as_written": "w",
            "content": "k",
            "runway_task_id": "t1",
            "sent_in": 1,
        }
        | fields
    )


def table():
    """The rows of the table in the module's docstring: recorded, policy, and the four ways to go on."""
    lines = batch.__doc__.splitlines()
    borders = [number for number, line in enumerate(lines) if line.startswith("====")]
    return [line.split() for line in lines[borders[1] + 1 : borders[2]]]


def submits(recorded, policy, way):
    """What the code does, going the way that Airflow goes."""
    intents = {"intent": item(State.INTENT, runway_task_id=""), "named": item(State.INTENT)}
    what = None if recorded == "nothing" else intents.get(recorded) or item(State(recorded))
    header = {
        "resume": FIRST,
        "lost": FIRST.retried(),
        "ended": replace(FIRST, concluded=True).retried(),
        "cleared": FIRST.begun(4, 2.0),
    }[way]
    entry = Entry("w", "another" if policy == "changed" else "k", "k.0")
    (pinned,) = pin_of(
        [entry], [what] if what else [], cleared=way == "cleared", regenerate=policy == "regenerate"
    )
    return is_submitted(what, pinned, header, resubmit=policy == "resubmit")


WAYS = ("resume", "lost", "ended", "cleared")


@pytest.mark.parametrize(("recorded", "policy", "way", "word"), [
    (row[0], row[1], way, word) for row in table() for way, word in zip(WAYS, row[2:], strict=True)
])  # fmt: skip
def test_the_table_of_the_docstring_is_what_the_code_does(recorded, policy, way, word):
    policies = ["fail", "resubmit", "reuse", "regenerate", "same", "changed"] if policy == "any" else [policy]
    for one in policies:
        assert submits(recorded, one, way) == (word == "submits")


def test_every_state_is_in_the_table():
    assert {row[0] for row in table()} == {"nothing", "named", *State}


@pytest.mark.parametrize(
    ("state", "again"), list(itertools.product([State.FAILED, State.SUCCEEDED], [True, False]))
)
def test_after_a_clear_it_is_submitted_once_however_many_phases_and_retries_follow(state, again):
    header = FIRST.begun(4, 2.0)
    (pinned,) = pin_of([Entry("w", "k", "k.0")], [item(state)], cleared=True, regenerate=True)
    assert is_submitted(item(state), pinned, header, resubmit=False)
    sent = item(state, runway_task_id="t2", sent_in=header.tries)
    later = header.retried() if again else header
    assert not is_submitted(sent, pinned, later, resubmit=False)


def test_what_runs_at_a_clear_is_not_made_anew_when_it_has_succeeded():
    (pinned,) = pin_of([Entry("w", "k", "k.0")], [item()], cleared=True, regenerate=True)
    assert not is_submitted(item(State.SUCCEEDED), pinned, FIRST.begun(4, 2.0), resubmit=False)


def test_an_entry_that_is_no_request_is_never_submitted():
    assert not is_submitted(None, Pinned(""), FIRST, resubmit=True)


@pytest.mark.parametrize(
    ("states", "key", "before", "another"),
    [
        ([State.SUCCEEDED], "x.0", [], True),
        ([State.INTENT], "x.0", [], True),
        ([State.SUCCEEDED], "k.0", [], False),
        ([State.SUCCEEDED], "x.0", ["x.0"], False),  # it stood in the list that was pinned before
        ([State.FAILED, State.MODERATED, State.POSTPONED], "x.0", [], False),  # nothing is paid for twice
        ([State.FAILED, State.UNSAVED], "x.0", [], True),
        ([], "x.0", [], False),
    ],
)
def test_another_list(states, key, before, another):
    items = [item(state, key=f"k.{number}") for number, state in enumerate(states)]
    assert is_another_list([Pinned(key), Pinned("")], [Pinned(one) for one in before], items) is another
