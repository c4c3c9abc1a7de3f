"""Gateways that misbehave, go away, or refuse the key."""

from __future__ import annotations

from integration.chaos.case import AMBIGUOUS, NOT_TAKEN, TAKEN, FaultCase


def misbehaving(**fault):
    """The gateway answers the submission wrongly."""

    def run(stage):
        stage.open_gateway(seconds=5, on="create", **fault)
        stage.start()
        stage.wait_for_end()

    return run


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


GATEWAY_CASES: dict[str, FaultCase] = {
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
