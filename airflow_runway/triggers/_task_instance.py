"""What Airflow says of the task that a trigger belongs to."""

from __future__ import annotations

from typing import Any


async def state_of(task_instance: Any) -> str | None:
    """The state of a task instance, asked of Airflow from within a triggerer; ``None`` if it has none.

    :param task_instance: what Airflow gave the trigger.
    :raises Exception: whatever keeps Airflow from answering.
    """
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import GetTaskStates, TaskStatesResult

    mapped = task_instance.map_index is not None and task_instance.map_index >= 0
    answer = await task_runner.SUPERVISOR_COMMS.asend(
        GetTaskStates(
            dag_id=task_instance.dag_id,
            task_ids=[task_instance.task_id],
            run_ids=[task_instance.run_id],
            map_index=task_instance.map_index if mapped else None,
        )
    )
    if not isinstance(answer, TaskStatesResult):
        raise RuntimeError(f"Airflow answered {type(answer).__name__}")
    states = answer.task_states.get(task_instance.run_id, {})
    name = f"{task_instance.task_id}_{task_instance.map_index}" if mapped else task_instance.task_id
    state = states.get(name)
    return None if state is None else str(getattr(state, "value", state))
