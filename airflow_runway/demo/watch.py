"""Following one run of the example DAG until it has ended."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from airflow_runway.demo.errors import DemoError
from airflow_runway.demo.progress import ProgressLines, generation_text
from airflow_runway.demo.rest import RestError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.demo.local_airflow import LocalAirflow
    from airflow_runway.emulator.process import EmulatorProcess

#: In the order in which they run.
TASKS = ("submit", "wait", "save")
_FAILED = frozenset({"failed", "upstream_failed", "skipped", "removed"})
#: Passed in a moment, and no news to anybody.
_UNREMARKABLE = frozenset({"none", "scheduled", "queued"})
_ERROR_LINES = 20


def watch_run(
    airflow: LocalAirflow,
    emulator: EmulatorProcess,
    dag_id: str,
    conf: dict[str, Any],
    progress: ProgressLines,
    time_limit: float,
) -> dict[str, Any]:
    """Trigger the DAG, report on it, return what its last task says.

    :param airflow: a running one.
    :param emulator: asked for the generation's own status.
    :param dag_id: the DAG.
    :param conf: the conf of the run.
    :param progress: where to report.
    :param time_limit: seconds since the start of ``progress``.
    :returns: the manifest of the ``save`` task.
    :raises DemoError: when a task failed, with the error lines of its log.
    :raises TimeoutError: when the time is over.
    """
    airflow.wait_for_dag(dag_id, time_limit - progress.elapsed)
    run_id = airflow.trigger_dag(dag_id, conf)
    watch = RunWatch(airflow, emulator, dag_id, run_id, progress)
    progress.enter("submit", "run triggered")
    airflow.wait_until(watch.look, time_limit - progress.elapsed, "the run")
    return dict(airflow.xcom(dag_id, run_id, TASKS[-1]))


class RunWatch:
    """Turns the states of a run into lines of progress.

    :param airflow: where the run is.
    :param emulator: where the generation is.
    :param dag_id: the DAG.
    :param run_id: the run.
    :param progress: where to report.
    """

    def __init__(
        self,
        airflow: LocalAirflow,
        emulator: EmulatorProcess,
        dag_id: str,
        run_id: str,
        progress: ProgressLines,
    ) -> None:
        self._airflow = airflow
        self._emulator = emulator
        self._run = (dag_id, run_id)
        self._progress = progress
        self._told: dict[str, str] = {}

    def look(self) -> bool:
        """Look once and report what changed.

        :returns: whether all tasks have succeeded.
        :raises DemoError: when one has failed.
        """
        states = {
            task["task_id"]: task["state"] or "none" for task in self._airflow.task_instances(*self._run)
        }
        for task_id in TASKS:
            state = states.get(task_id, "none")
            if state not in _UNREMARKABLE and state != self._told.get(task_id):
                self._told[task_id] = state
                self._report(task_id, state)
        if states.get("wait") == "deferred":
            self._progress.tell("wait", f"deferred, {generation_text(self._emulator.tasks())}")
        return all(states.get(task_id) == "success" for task_id in TASKS)

    def _report(self, task_id: str, state: str) -> None:
        if state in _FAILED:
            raise DemoError(f"The task {task_id} ended as {state}.\n{self._errors(task_id)}".rstrip())
        text = state
        if (task_id, state) == ("submit", "success"):
            text += f", Runway task {self._airflow.xcom(*self._run, task_id)}"
        self._progress.tell(task_id, text)
        if state == "success" and task_id != TASKS[-1]:
            self._progress.enter(TASKS[TASKS.index(task_id) + 1])

    def _errors(self, task_id: str) -> str:
        with contextlib.suppress(RestError, OSError):
            return "\n".join(error_lines(self._airflow.task_log(*self._run, task_id)))
        return "Its log cannot be read."


def error_lines(log: list[dict[str, Any]]) -> list[str]:
    """What a task's log says about its failure.

    :param log: records of the log, as the REST API gives them.
    :returns: the last lines of level error and above, each with the exceptions that it carries.
    """
    lines: list[str] = []
    for record in log:
        if str(record.get("level", "")).lower() in ("error", "critical"):
            lines.append(str(record.get("event", "")))
            lines += [_exception_line(item) for item in record.get("error_detail") or ()]
    return [line for line in lines if line][-_ERROR_LINES:]


def _exception_line(item: Mapping[str, Any]) -> str:
    return f"  {item.get('exc_type', 'error')}: {item.get('exc_value', '')}"
