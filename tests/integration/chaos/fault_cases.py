"""What is done to each run: one small function per fault, and what must come of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from integration.chaos.stage import Stage

LOST = "never got to see the answer"
#: Seconds, generous to a triggerer that shares two cores and one SQLite with everybody; 2 to 4 are usual.
CANCELLED_WITHIN = 30
#: The account, read before and after, as evidence.
NOT_TAKEN, TAKEN = "probably not accepted", "most likely accepted"
SPARED = "runs on, nothing was cancelled", "Airflow says that it is running"
TO_THE_TASK, TO_ITS_SUPERVISOR = "SIGTERM to the task", "SIGTERM to its supervisor"
TO_BOTH, TO_ALL = "SIGTERM to both", "SIGTERM to both groups"
#: Charged at once, and answered some five seconds later.
SLOW_CREATE = {"on": "create", "kind": "slow", "bytes_per_second": 20}
AMBIGUOUS = "RunwayAmbiguousSubmissionError"


@dataclass(frozen=True)
class FaultCase:
    """A fault and its price."""

    run: Callable[[Stage], None]
    charges: int
    state: str
    clip: str
    #: Tries of the task; ``None`` where it does not matter.
    tries: int | None = None
    #: What the task log says, beside the clip's id.
    words: tuple[str, ...] = ()
    #: Whether the generation is cancelled.
    cancelled: bool = False


def killed(point, *, dag_id="chaos_wait", **gateway):
    """The task's process gets SIGKILL at a point; Airflow tries again."""

    def run(stage):
        stage.open_gateway(**gateway)
        stage.start(dag_id=dag_id, kill_at=point)
        stage.wait_for_end()
        assert stage.was_killed, "nothing was killed"

    return run


def told_to_stop(point, weapon, *, dag_id="chaos_wait_in_worker", **gateway):
    """SIGTERM from outside, of which Airflow knows nothing: the next try picks the generation up."""

    def run(stage):
        stage.open_gateway(**gateway)
        stage.start(dag_id=dag_id, kill_at=point, weapon=weapon)
        stage.wait_for_end()
        assert stage.was_killed, "nobody was told to stop"

    return run


def marked_in_worker(state, *, dag_id="chaos_wait_in_worker", **gateway):
    """A person marks the task while its worker waits, or submits; nobody wants the generation any more."""

    def run(stage):
        stage.open_gateway(**{"seconds": 90, **gateway})
        stage.start(dag_id=dag_id)
        stage.wait_until(lambda: stage.emulator.ledger()["charges"], 60, "a charge")
        stage.mark(state)
        stage.wait_until(stage.seen_cancelled, CANCELLED_WITHIN, "a DELETE")
        stage.wait_for_end()

    return run


def execution_expired(stage):
    """Airflow's own deadline for the worker passes, while Airflow says that the task is running."""
    stage.open_gateway(seconds=90)
    stage.start(dag_id="chaos_execution_timeout")
    stage.wait_for_end()


def misbehaving(**fault):
    """The gateway answers the submission wrongly."""

    def run(stage):
        stage.open_gateway(seconds=5, on="create", **fault)
        stage.start()
        stage.wait_for_end()

    return run


def marked(state):
    """A person marks the deferred task; what nobody waits for any more is to be cancelled."""

    def run(stage):
        stage.open_gateway(seconds=90)
        stage.start()
        stage.wait_for_state("deferred")
        # The trigger has to be running before it can be told.
        stage.wait_until(lambda: len(stage.emulator.requests()) > 2, 40, "the trigger's first look")
        stage.mark(state)
        stage.wait_until(stage.seen_cancelled, CANCELLED_WITHIN, "a DELETE")
        stage.wait_for_end()

    return run


def cleared_while_deferred(stage):
    """A person clears the deferred task; the next try takes up the same generation."""
    stage.open_gateway(seconds=25)
    stage.start()
    stage.wait_for_state("deferred")
    stage.wait_until(lambda: len(stage.emulator.requests()) > 2, 40, "the trigger's first look")
    stage.clear()
    stage.wait_for_end()


def cleared_after_success(stage):
    """A person clears the succeeded task; it gives the same clip again."""
    stage.open_gateway(seconds=5)
    stage.start()
    stage.wait_for_end()
    stage.notes["before"] = stage.ending().result["id"]
    stage.clear()
    stage.wait_for_end()
    stage.notes["after"] = stage.ending().result["id"]


def cleared_after_lost_answer(stage):
    """A person clears a task whose answer was lost, without deciding anything: it refuses again."""
    stage.open_gateway(seconds=5, on="create", kind="drop_after_accept")
    stage.start()
    stage.wait_for_end()
    stage.clear()
    stage.wait_for_end()


def closed_at_first(stage):
    """Nobody listens until the first try has failed."""
    stage.start()
    stage.wait_until(lambda: stage.task()["try_number"] > 1, 90, "a second try")
    stage.open_gateway(seconds=5)
    stage.wait_for_end()


def gone_while_waiting(stage):
    """The gateway refuses all connections for a while during the wait."""
    stage.open_gateway(seconds=20)
    stage.start()
    stage.wait_for_state("deferred")
    stage.emulator.refuse(60)
    stage.wait_for_end()


def key_revoked(stage):
    """The key is refused during the wait."""
    stage.open_gateway(seconds=25, on="read", kind="status", status=401, count=None, after=1)
    stage.start()
    stage.wait_for_end()


def key_mended(stage):
    """The key is refused during the wait, then mended, and the task cleared."""
    key_revoked(stage)
    assert stage.task()["state"] == "failed"
    stage.emulator.clear_faults()
    stage.clear()
    stage.wait_for_end()


FAULT_CASES: dict[str, FaultCase] = {
    # -- the worker gets SIGKILL ------------------------------------------------------------------------
    "worker killed before the POST": FaultCase(
        killed("before the POST"), 0, "failed", "named as lost answer", 2, (LOST, NOT_TAKEN)
    ),
    "worker killed between POST and answer": FaultCase(
        killed("during the POST", on="create", kind="hang_after_accept"),
        1,
        "failed",
        "named as lost answer",
        2,
        (LOST, TAKEN),
    ),
    "worker killed between answer and journal": FaultCase(
        killed("after the answer"), 1, "failed", "named as lost answer", 2, (LOST, TAKEN)
    ),
    "worker killed after the journal": FaultCase(
        killed("after the journal"), 1, "success", "found", 2, ("Picking up",)
    ),
    "worker killed in execute_complete": FaultCase(
        killed("in execute_complete", seconds=5), 1, "success", "found", 2, ("Picking up",)
    ),
    "worker killed with the result in hand": FaultCase(
        killed("after the result", seconds=5), 1, "success", "found", 2, ("Picking up",)
    ),
    "submitting worker killed, sensor waits": FaultCase(
        killed("after the journal", dag_id="chaos_submit_then_sensor"),
        1,
        "success",
        "found",
        None,
        ("Picking up",),
    ),
    "sensor's worker killed on resuming": FaultCase(
        killed("in execute_complete", dag_id="chaos_submit_then_sensor", seconds=15),
        1,
        "success",
        "found",
        2,
    ),
    # -- the worker gets SIGTERM, as in a pod's eviction --------------------------------------------------
    **{
        f"{weapon} while it waits": FaultCase(
            told_to_stop("in the wait", weapon), 1, "success", "found", 2, (*SPARED, "Picking up")
        )
        for weapon in (TO_THE_TASK, TO_ITS_SUPERVISOR, TO_BOTH)
    },
    **{
        f"{weapon} during the POST": FaultCase(
            told_to_stop("during the POST", weapon, **SLOW_CREATE),
            1,
            "success",
            "found",
            2,
            (*SPARED, "Picking up"),
        )
        for weapon in (TO_THE_TASK, TO_ITS_SUPERVISOR, TO_BOTH)
    },
    f"{TO_ITS_SUPERVISOR} while a sensor pokes": FaultCase(
        told_to_stop("in the wait", TO_ITS_SUPERVISOR, dag_id="chaos_poking_sensor"),
        1,
        "success",
        "found",
        2,
        ("runs on, nothing was cancelled",),
    ),
    "marked failed while a worker waits": FaultCase(
        marked_in_worker("failed"), 1, "failed", "cancelled", 1, ("it is failed; cancelling",), cancelled=True
    ),
    "marked success while a worker waits": FaultCase(
        marked_in_worker("success"),
        1,
        "success",
        "cancelled",
        1,
        ("it is success; cancelling",),
        cancelled=True,
    ),
    "marked failed during the POST": FaultCase(
        marked_in_worker("failed", **SLOW_CREATE),
        1,
        "failed",
        "cancelled",
        1,
        ("it is failed; cancelling",),
        cancelled=True,
    ),
    f"{TO_ITS_SUPERVISOR} during a batch's POST": FaultCase(
        told_to_stop("during the POST", TO_ITS_SUPERVISOR, dag_id="chaos_batch", **SLOW_CREATE),
        1,
        "success",
        "named by id",
        2,
        (*SPARED, "1 of 1 succeeded"),
    ),
    "marked failed during a batch's POST": FaultCase(
        marked_in_worker("failed", dag_id="chaos_batch", **SLOW_CREATE),
        1,
        "failed",
        "cancelled",
        1,
        cancelled=True,
    ),
    "execution_timeout while a worker waits": FaultCase(
        execution_expired, 1, "failed", "cancelled", 1, ("RunwayTaskTimeoutError",), cancelled=True
    ),
    # -- people -----------------------------------------------------------------------------------------
    "marked failed while deferred": FaultCase(marked("failed"), 1, "failed", "cancelled", 1, cancelled=True),
    "marked success while deferred": FaultCase(
        marked("success"), 1, "success", "cancelled", 1, cancelled=True
    ),
    "cleared while deferred": FaultCase(cleared_while_deferred, 1, "success", "found", None, ("Reusing",)),
    "cleared after success": FaultCase(cleared_after_success, 1, "success", "found", None, ("Reusing",)),
    "cleared after a lost answer": FaultCase(
        cleared_after_lost_answer, 1, "failed", "named as lost answer", None, (LOST, TAKEN)
    ),
    # -- the gateway ------------------------------------------------------------------------------------
    "gateway answers 400": FaultCase(
        misbehaving(kind="status", status=400), 0, "failed", "none made", 1, ("nothing was charged",)
    ),
    "gateway refuses connections at first": FaultCase(closed_at_first, 1, "success", "found", None),
    "gateway drops after accepting": FaultCase(
        misbehaving(kind="drop_after_accept"), 1, "failed", "named as lost answer", 1, (AMBIGUOUS, TAKEN)
    ),
    "gateway hangs after accepting": FaultCase(
        misbehaving(kind="hang_after_accept"), 1, "failed", "named as lost answer", 1, (AMBIGUOUS, TAKEN)
    ),
    "gateway answers 502 after accepting": FaultCase(
        misbehaving(kind="status_after_accept", status=502),
        1,
        "failed",
        "named as lost answer",
        1,
        (AMBIGUOUS, TAKEN),
    ),
    "gateway answers 429 with Retry-After": FaultCase(
        misbehaving(kind="status", status=429, headers={"Retry-After": "2"}), 1, "success", "found", 1
    ),
    "gateway answers HTML": FaultCase(
        misbehaving(kind="html"), 0, "failed", "named as lost answer", 1, (AMBIGUOUS, NOT_TAKEN)
    ),
    "gateway answers HTML after accepting": FaultCase(
        misbehaving(kind="html_after_accept"), 1, "failed", "named as lost answer", 1, (AMBIGUOUS, TAKEN)
    ),
    "gateway gone during the wait": FaultCase(gone_while_waiting, 1, "success", "found", 1),
    "key revoked during the wait": FaultCase(
        key_revoked, 1, "failed", "named by id", 1, ("RunwayReadRefusedError",)
    ),
    "key revoked, mended and cleared": FaultCase(key_mended, 1, "success", "found", None, ("Reusing",)),
}

#: Where money could be paid twice: these run with every change, the others before a release.
FOR_EVERY_CHANGE = frozenset(
    {
        "worker killed before the POST",
        "worker killed between POST and answer",
        "worker killed between answer and journal",
        "worker killed after the journal",
        f"{TO_ITS_SUPERVISOR} while it waits",
        f"{TO_ITS_SUPERVISOR} during the POST",
        f"{TO_ITS_SUPERVISOR} during a batch's POST",
        "marked failed while a worker waits",
        "cleared while deferred",
        "marked failed while deferred",
        "gateway drops after accepting",
        "gateway answers 502 after accepting",
    }
)
