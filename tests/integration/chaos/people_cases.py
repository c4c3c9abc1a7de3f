"""People mark and clear tasks, and Airflow's own deadline passes."""

from __future__ import annotations

from integration.chaos.case import CANCELLED_WITHIN, LOST, SLOW_CREATE, TAKEN, FaultCase


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


def cleared_during_the_post(*, dag_id="chaos_wait_in_worker", number=0):
    """A person clears the task while its worker is in its POST: another try begins that must not send it again.

    :param number: items of a batch's list; 0 = it is none.
    """

    def run(stage):
        stage.open_gateway(seconds=30)
        stage.write_list(*(f"{stage.name}: clip {one}" for one in range(number)))
        # Its answer waits for the signal, so that the clear is never too late.
        stage.start(dag_id=dag_id, kill_at="after the answer, once told to stop", weapon="nothing")
        stage.wait_until(lambda: stage.emulator.ledger()["charges"], 60, "a charge")
        stage.clear()
        stage.wait_for_end()
        assert stage.was_killed, "nobody told it to stop during its POST"

    return run


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


PEOPLE_CASES: dict[str, FaultCase] = {
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
    "marked failed while deferred": FaultCase(marked("failed"), 1, "failed", "cancelled", 1, cancelled=True),
    "marked success while deferred": FaultCase(
        marked("success"), 1, "success", "cancelled", 1, cancelled=True
    ),
    "cleared while deferred": FaultCase(cleared_while_deferred, 1, "success", "found", None, ("Reusing",)),
    "cleared during the POST": FaultCase(
        # It cannot be recorded any more, so it is named and cancelled at once; the next try finds a lost answer.
        cleared_during_the_post(),
        1,
        "failed",
        "cancelled",
        2,
        ("its next try does not know this id", "could not be recorded; cancelling: cancelled", LOST),
        cancelled=True,
    ),
    "batch: cleared during its POST": FaultCase(
        cleared_during_the_post(dag_id="chaos_batch_at_once", number=2),
        2,
        "failed",
        "named by id",
        2,
        ("does not know it. Cancelling: cancelled", "it may exist, and may have been charged"),
        cancelled=True,
        lines=("intent", "succeeded"),
    ),
    "cleared after success": FaultCase(cleared_after_success, 1, "success", "found", None, ("Reusing",)),
    "cleared after a lost answer": FaultCase(
        cleared_after_lost_answer, 1, "failed", "named as lost answer", None, (LOST, TAKEN)
    ),
}
