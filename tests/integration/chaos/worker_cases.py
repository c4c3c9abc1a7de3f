"""Workers killed, and told to stop, at each point of a single task."""

from __future__ import annotations

from integration.chaos.case import LOST, NOT_TAKEN, SLOW_CREATE, SPARED, TAKEN, FaultCase

TO_THE_TASK, TO_ITS_SUPERVISOR = "SIGTERM to the task", "SIGTERM to its supervisor"
TO_BOTH, TO_ALL = "SIGTERM to both", "SIGTERM to both groups"
BEREFT = "SIGKILL to its supervisor"


def killed(point, *, dag_id="chaos_wait", **gateway):
    """The task's process gets SIGKILL at a point; Airflow tries again."""

    def run(stage):
        stage.open_gateway(**gateway)
        stage.start(dag_id=dag_id, kill_at=point)
        stage.wait_for_end()
        assert stage.was_killed, "nothing was killed"

    return run


def told_to_stop(point, weapon, *, dag_id="chaos_wait_in_worker", **gateway):
    """A signal from outside, of which Airflow knows nothing: the next try picks the generation up."""

    def run(stage):
        stage.open_gateway(**gateway)
        stage.start(dag_id=dag_id, kill_at=point, weapon=weapon)
        stage.wait_for_end()
        assert stage.was_killed, "nobody was told to stop"

    return run


WORKER_CASES: dict[str, FaultCase] = {
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
    # -- the supervisor alone gets SIGKILL: its task goes on, and can tell nobody any more -------------------
    f"{BEREFT} before the POST": FaultCase(
        # The intent is written, and whoever sends it is not stopped.
        told_to_stop("before the POST", BEREFT),
        1,
        "failed",
        "named as lost answer",
        2,
        (LOST, TAKEN),
    ),
    f"{BEREFT} during the POST": FaultCase(
        told_to_stop("during the POST", BEREFT, **SLOW_CREATE),
        1,
        "failed",
        "named as lost answer",
        2,
        (LOST, TAKEN),
    ),
    f"{BEREFT} after the journal": FaultCase(
        told_to_stop("after the journal", BEREFT, seconds=60), 1, "success", "found", 2, ("Picking up",)
    ),
    f"{BEREFT} while it waits": FaultCase(
        told_to_stop("in the wait", BEREFT, seconds=60), 1, "success", "found", 2, ("Picking up",)
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
    f"{TO_ITS_SUPERVISOR} during a batch's POST": FaultCase(
        told_to_stop("during the POST", TO_ITS_SUPERVISOR, dag_id="chaos_batch", **SLOW_CREATE),
        1,
        "success",
        "named by id",
        2,
        (*SPARED, "1 of 1 succeeded"),
    ),
}
