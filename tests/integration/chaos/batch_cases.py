"""Batches: lists that change, lost answers, workers killed, people who clear."""

from __future__ import annotations

from integration.chaos.case import SLOW_CREATE, SPARED, FaultCase
from integration.chaos.worker_cases import BEREFT, TO_ITS_SUPERVISOR

AT_ONCE, TWO_AT_A_TIME = "chaos_batch_at_once", "chaos_batch_two_at_a_time"
#: The reason and the cure that a person is told of.
ANOTHER_LIST = (
    "The list of requests is another one than when this task began",
    "Nothing new was sent for them",
)
NO_LIST = (
    "The list of requests is no longer there as it was when this task began",
    "Nothing new was sent for them",
)
CURE = "Let the list come from an upstream task", "name items by item_key"
SUCCEEDED, INTENT, UNSENT = "succeeded", "intent", "not_submitted"


def prompts(stage, number):
    """The entries of a run's list."""
    return [f"{stage.name}: clip {one}" for one in range(number)]


def volatile(*, kill_at="", **gateway):
    """A list that is rendered with the time is another one in each phase, and after a clear."""

    def run(stage):
        stage.open_gateway(seconds=5, **gateway)
        stage.start(dag_id="chaos_batch_volatile", kill_at=kill_at)
        stage.wait_for_end()
        assert stage.was_killed is bool(kill_at)
        stage.check_paid(2)
        stage.clear()
        stage.wait_for_end()

    return run


def list_spoiled(spoil):
    """The file is another one when the task resumes; given back and cleared, the batch goes on."""

    def run(stage):
        stage.open_gateway(seconds=20)
        stage.write_list(*prompts(stage, 4))
        stage.start(dag_id=TWO_AT_A_TIME)
        stage.wait_for_state("deferred")
        spoil(stage)
        stage.emulator.settings(seconds=5)
        stage.wait_for_end()
        stage.check_paid(2)
        assert stage.task()["state"] == "failed"
        stage.write_list(*prompts(stage, 4))
        stage.clear()
        stage.wait_for_end()

    return run


def replaced(stage):
    """Somebody writes another day's list into the file."""
    stage.write_list(*(f"{stage.name}: another day's clip {one}" for one in range(4)))


def emptied(stage):
    """Somebody truncates the file."""
    stage.write_list()


def half_written(stage):
    """Somebody is writing the file."""
    stage.write_list(*prompts(stage, 2), end='{"model": "gen')


def batch(number, *, dag_id=AT_ONCE, kill_at="", weapon="", **gateway):
    """A list of some items, and a fault."""

    def run(stage):
        stage.open_gateway(**{"seconds": 5, **gateway})
        stage.write_list(*prompts(stage, number))
        stage.start(dag_id=dag_id, kill_at=kill_at, weapon=weapon)
        stage.wait_for_end()
        assert stage.was_killed is bool(kill_at), "nothing was killed"

    return run


def failed_then_cleared(number, *, charges, dag_id=AT_ONCE, **gateway):
    """Some items fail, a person clears the task."""
    first = batch(number, dag_id=dag_id, **gateway)

    def run(stage):
        first(stage)
        stage.check_paid(charges)
        assert stage.task()["state"] == "failed"
        stage.clear()
        stage.wait_for_end()

    return run


def moderated(stage):
    """The breaker stops a batch, a clear alone changes nothing, and without the named requests it goes on."""
    fault = {"on": "create", "kind": "fail_task", "failure_code": "SAFETY.INPUT.TEXT", "count": 2}
    batch(4, dag_id="chaos_batch_one_by_one", **fault)(stage)
    stage.check_paid(2)
    stage.clear()
    stage.wait_for_end()
    stage.check_paid(2)
    assert stage.task()["state"] == "failed"
    stage.write_list(*prompts(stage, 4)[2:])
    stage.clear()
    stage.wait_for_end()


BATCH_CASES: dict[str, FaultCase] = {
    # -- lists that change ------------------------------------------------------------------------------
    "batch: volatile list": FaultCase(
        volatile(),
        2,
        "failed",
        "named by id",
        2,
        (*ANOTHER_LIST, *CURE, "None of the 3 entries of requests is one of the 2 items"),
        lines=(SUCCEEDED, SUCCEEDED, UNSENT),
        sent=(1, 1),
    ),
    "batch: volatile list, worker killed": FaultCase(
        volatile(kill_at="during the second POST", on="create", kind="hang_after_accept", after=1),
        2,
        "failed",
        "named as lost answer",
        3,
        (*ANOTHER_LIST, *CURE, "None of the 3 entries of requests is one of the 2 items"),
        lines=(SUCCEEDED, INTENT, UNSENT),
        sent=(1, 1),
    ),
    **{
        f"batch: {name}, given back and cleared": FaultCase(
            list_spoiled(spoil),
            4,
            "success",
            "named by id",
            None,
            (*words, *CURE),
            lines=(SUCCEEDED,) * 4,
            sent=(1, 1, 1, 1),
        )
        for name, spoil, words in (
            ("list replaced", replaced, ANOTHER_LIST),
            ("list emptied", emptied, NO_LIST),
            ("list deleted", lambda stage: stage.delete_list(), NO_LIST),
            ("list half written", half_written, ANOTHER_LIST),
        )
    },
    # -- lost answers -----------------------------------------------------------------------------------
    "batch: every answer lost": FaultCase(
        batch(5, on="create", kind="drop_after_accept", count=None),
        3,
        "failed",
        "named as lost answer",
        1,
        ("Nothing more was submitted after 3 lost answers",),
        lines=(INTENT, INTENT, INTENT, UNSENT, UNSENT),
        sent=(1, 1, 1),
    ),
    "batch: answer lost under max_credits": FaultCase(
        batch(6, dag_id="chaos_batch_bounded", on="create", kind="drop_after_accept", after=1),
        3,
        "failed",
        "named as lost answer",
        1,
        ("Nothing more was submitted, to keep to max_credits",),
        lines=(SUCCEEDED, INTENT, SUCCEEDED, UNSENT, UNSENT, UNSENT),
        sent=(1, 1, 1),
    ),
    "batch: first answer lost under max_credits": FaultCase(
        batch(3, dag_id="chaos_batch_bounded", on="create", kind="drop_after_accept"),
        1,
        "failed",
        "named as lost answer",
        1,
        ("The answer that would have told the price was lost",),
        lines=(INTENT, UNSENT, UNSENT),
        sent=(1,),
    ),
    # -- the worker gets SIGKILL, or SIGTERM --------------------------------------------------------------
    "batch: worker killed before a POST": FaultCase(
        batch(3, kill_at="before the second POST"),
        2,
        "failed",
        "named by id",
        2,
        ("it may exist, and may have been charged",),
        lines=(SUCCEEDED, INTENT, SUCCEEDED),
        sent=(1, 1),
    ),
    "batch: worker killed between POST and answer": FaultCase(
        batch(3, kill_at="during the second POST", on="create", kind="hang_after_accept", after=1),
        3,
        "failed",
        "named as lost answer",
        2,
        ("it may exist, and may have been charged",),
        lines=(SUCCEEDED, INTENT, SUCCEEDED),
        sent=(1, 1, 1),
    ),
    "batch: worker killed between answer and record": FaultCase(
        batch(3, kill_at="after the second answer"),
        3,
        "failed",
        "named as lost answer",
        2,
        ("it may exist, and may have been charged",),
        lines=(SUCCEEDED, INTENT, SUCCEEDED),
        sent=(1, 1, 1),
    ),
    **{
        f"batch: worker killed {point}": FaultCase(
            batch(3, kill_at=point),
            3,
            "success",
            "named by id",
            2,
            ("3 of 3 succeeded",),
            lines=(SUCCEEDED,) * 3,
            sent=(1, 1, 1),
        )
        for point in ("after the second record", "in execute_complete", "after settling")
    },
    f"batch: {TO_ITS_SUPERVISOR} during its second POST": FaultCase(
        batch(3, kill_at="during the second POST", weapon=TO_ITS_SUPERVISOR, **SLOW_CREATE, after=1),
        3,
        "success",
        "named by id",
        2,
        (*SPARED, "3 of 3 succeeded"),
        lines=(SUCCEEDED,) * 3,
        sent=(1, 1, 1),
    ),
    f"batch: {BEREFT} during its second POST": FaultCase(
        # Its process goes on, and cannot write down anything any more: so it sends nothing more.
        batch(3, kill_at="during the second POST", weapon=BEREFT, **SLOW_CREATE, after=1),
        3,
        "failed",
        "named as lost answer",
        2,
        ("it may exist, and may have been charged",),
        lines=(SUCCEEDED, INTENT, SUCCEEDED),
        sent=(1, 1, 1),
    ),
    # -- people ------------------------------------------------------------------------------------------
    "batch: failed items, cleared": FaultCase(
        failed_then_cleared(
            5, charges=5, on="create", kind="fail_task", failure_code="ASSET.INVALID", after=1, count=2
        ),
        7,
        "success",
        "named by id",
        None,
        lines=(SUCCEEDED,) * 5,
        sent=(1, 2, 2, 1, 1),
    ),
    "batch: refused items, cleared": FaultCase(
        failed_then_cleared(
            6, charges=0, dag_id=TWO_AT_A_TIME, on="create", kind="status", status=400, count=6
        ),
        6,
        "success",
        "named by id",
        None,
        lines=(SUCCEEDED,) * 6,
        sent=(2,) * 6,
    ),
    "batch: moderation breaker and remedy": FaultCase(
        moderated,
        4,
        "success",
        "named by id",
        3,
        ("Nothing more was submitted after 2 moderated items", "change or remove these requests"),
        lines=(SUCCEEDED,) * 2,
        sent=(1,) * 4,
    ),
}
