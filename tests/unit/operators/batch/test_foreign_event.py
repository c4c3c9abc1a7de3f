"""An event that is not the batch's: SQLite gives the id of a deleted trigger away again."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    "event",
    [
        {"runway_task_id": "another", "deadline": 0.0, "cancel_on_kill": True, "error": None},
        {"ended": {"another": None}, "pauses": 0},
    ],
)
def test_it_changes_nothing_and_the_batch_waits_on(batch, event):
    one = batch()
    one.begin()
    trigger = one._phase(
        lambda: one.operator().resume_execution("execute_complete", {"event": event}, one.context())
    )
    assert trigger.runway_task_ids == ["t1", "t2", "t3"]
    assert one.to_the_end()["succeeded"] == 3
    assert one.gateway.posts == 3
