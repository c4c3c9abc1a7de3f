"""What Airflow says of a task instance, asked by its trigger or by its worker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.sdk.execution_time.comms import GetTaskStates


async def state_of(task_instance: Any) -> str | None:
    """The state of a task instance, asked of Airflow from within a triggerer; ``None`` if it has none.

    :param task_instance: what Airflow gave the trigger.
    :raises Exception: whatever keeps Airflow from answering.
    """
    from airflow.sdk.execution_time import task_runner

    return _state_in(await task_runner.SUPERVISOR_COMMS.asend(_question(task_instance)), task_instance)


def blocking_state_of(task_instance: Any) -> str | None:
    """:func:`state_of` for a worker, on Airflow 3.3 and later. For a thread of its own.

    The main thread may be inside a call of its own to Airflow; this one then waits for the end of that. So it must
    never be called, nor waited for, in a signal handler: the handler would keep the main thread from ending its
    call. Before 3.3 two threads that ask at once get each other's answers (airflow-facts §16).

    :param task_instance: of the task's context.
    :raises Exception: whatever keeps Airflow from answering.
    """
    from airflow.sdk.execution_time import task_runner

    return _state_in(task_runner.SUPERVISOR_COMMS.send(_question(task_instance)), task_instance)


def states_of_siblings(task_instance: Any) -> dict[int, str]:
    """The states of all instances of a mapped task in its run, by map index; for the main thread of a worker.

    :param task_instance: of the task's context.
    :raises Exception: whatever keeps Airflow from answering.
    """
    ti = task_instance
    answer = ti.get_task_states(dag_id=ti.dag_id, task_ids=[ti.task_id], run_ids=[ti.run_id])
    found, prefix = {}, f"{ti.task_id}_"
    for name, state in answer.get(ti.run_id, {}).items():
        index = name.removeprefix(prefix)
        if name.startswith(prefix) and index.isdecimal():
            found[int(index)] = "none" if state is None else str(getattr(state, "value", state))
    return found


def _question(task_instance: Any) -> GetTaskStates:
    from airflow.sdk.execution_time.comms import GetTaskStates

    return GetTaskStates(
        dag_id=task_instance.dag_id,
        task_ids=[task_instance.task_id],
        run_ids=[task_instance.run_id],
        map_index=task_instance.map_index if _is_mapped(task_instance) else None,
    )


def _state_in(answer: object, task_instance: Any) -> str | None:
    from airflow.sdk.execution_time.comms import TaskStatesResult

    if not isinstance(answer, TaskStatesResult):
        raise RuntimeError(f"Airflow answered {type(answer).__name__}")
    states = answer.task_states.get(task_instance.run_id, {})
    task_id = task_instance.task_id
    name = f"{task_id}_{task_instance.map_index}" if _is_mapped(task_instance) else task_id
    state = states.get(name)
    return None if state is None else str(getattr(state, "value", state))


def _is_mapped(task_instance: Any) -> bool:
    return task_instance.map_index is not None and task_instance.map_index >= 0
