from __future__ import annotations

from airflow_runway.exceptions import RunwayTaskLostError, RunwayTransferError, RunwayTransferRefusedError
from airflow_runway.transfers._saving.outcome import SaveOutcome, is_final, together


def test_errors_together():
    passing, final = RunwayTransferError("one"), RunwayTransferRefusedError("two")
    lost = RunwayTaskLostError("three")
    assert [is_final(error) for error in (passing, final, lost)] == [False, True, True]
    assert together([passing], "subject") is passing
    assert type(together([passing, final], "subject")) is RunwayTransferError
    refused = together([final, lost], "subject")
    assert type(refused) is RunwayTransferRefusedError
    assert refused.message.startswith("subject: 2 failures. two | three | ")
    assert SaveOutcome("t1").error is None
    assert SaveOutcome("t1", errors=[passing, final]).error.message.startswith("Runway task t1: 2 failures.")
