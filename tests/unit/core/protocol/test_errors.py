from __future__ import annotations

from airflow_runway.core.protocol.errors import unhappy_ending
from airflow_runway.exceptions import RunwayTaskCancelledError, RunwayTaskFailedError
from airflow_runway.models import RunwayTask, TaskStatus


class TestUnhappyEnding:
    def test_success_has_none(self):
        assert unhappy_ending(RunwayTask("t1", TaskStatus.SUCCEEDED, ("https://e/x",))) is None

    def test_failure_tells_reason_code_and_cost(self):
        task = RunwayTask(
            "t1", TaskStatus.FAILED, failure="Flagged.", failure_code="SAFETY.INPUT.TEXT", cost_credits=0
        )
        error = unhappy_ending(task)
        assert type(error) is RunwayTaskFailedError
        assert error.task is task
        assert "t1 failed (SAFETY.INPUT.TEXT): Flagged. The gateway charged 0 credits." in str(error)

    def test_cancellation_says_so(self):
        error = unhappy_ending(RunwayTask("t1", TaskStatus.CANCELLED))
        assert type(error) is RunwayTaskCancelledError
        assert "an amount it did not tell" in str(error)
