"""Dags for the chaos suite.

The run's conf says whom to ask, and at which point the task's process dies or somebody is told to stop, once.
"""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, Param

from airflow_runway.hooks import _transport
from airflow_runway.operators.runway import RunwayBatchOperator, RunwaySubmitOperator
from airflow_runway.sensors.runway import RunwayTaskSensor

#: Seconds after which a POST that the emulator leaves hanging has surely been accepted.
_ACCEPTED_BY_NOW = 2.0
#: Seconds within which a person clears a task.
_TOLD_WITHIN = 60.0
#: Seconds after which a task surely waits, and not for much longer.
_IN_THE_PAUSE = 1.0


def _around(owner, name, *, before=None, after=None):
    """Wrap a function of the package in this process only."""
    wrapped = getattr(owner, name)

    def wrapper(*args, **kwargs):
        if before is not None:
            before(*args)
        result = wrapped(*args, **kwargs)
        if after is not None:
            after(*args)
        return result

    setattr(owner, name, wrapper)


def _around_the_post(die, *, before=False, during=False, number=1):
    """Around one of the process's POSTs.

    :param number: which one, from 1.
    """
    posts = itertools.count(1)
    current = [0]

    def at_start(session, settings, call):
        if call.method != "POST":
            return
        current[0] = next(posts)
        if current[0] == number and before:
            die()
        if current[0] == number and during:
            threading.Timer(_ACCEPTED_BY_NOW, die).start()

    def at_end(session, settings, call):
        if call.method == "POST" and current[0] == number and not (before or during):
            die()

    _around(_transport, "send", before=at_start, after=at_end)


def _after_the_journal(die):
    from airflow_runway.core.journal.submission import Phase
    from airflow_runway.stores.submission import SubmissionStore

    _around(
        SubmissionStore,
        "_write",
        after=lambda store, history: (
            die() if history.current and history.current.phase is Phase.SUBMITTED else None
        ),
    )


def _after_the_record(die, state, *, number=1):
    """After an item of a batch is written down in a state, for the ``number``-th time in this process."""
    from airflow_runway.stores.batch import BatchStore

    written = itertools.count(1)

    def at_end(store, *items):
        if any(item.state == state for item in items) and next(written) == number:
            die()

    _around(BatchStore, "put", after=at_end)


def _after_the_result(die):
    from airflow_runway.stores.submission import SubmissionStore

    _around(SubmissionStore, "close", after=lambda *args: die())


def _in_the_wait(die):
    from airflow_runway.operators._waiting import WaitsForRunwayTask

    _around(WaitsForRunwayTask, "pause", before=lambda *args: threading.Timer(_IN_THE_PAUSE, die).start())


#: Not empty once the task was told to stop. Plain, since it is a signal handler that writes it.
_TOLD = []


def _once_told(die):
    """After the answer to a POST, which comes only once the task is told to stop."""

    def at_end(session, settings, call):
        if call.method != "POST":
            return
        deadline = time.monotonic() + _TOLD_WITHIN
        while not _TOLD and time.monotonic() < deadline:
            time.sleep(0.05)
        if _TOLD:
            die()

    _around(_transport, "send", after=at_end)


POINTS = {
    "before the POST": lambda die: _around_the_post(die, before=True),
    "during the POST": lambda die: _around_the_post(die, during=True),
    "after the answer": _around_the_post,
    "after the answer, once told to stop": _once_told,
    "after the journal": _after_the_journal,
    "after the result": _after_the_result,
    "in the wait": _in_the_wait,
    "before the second POST": lambda die: _around_the_post(die, before=True, number=2),
    "during the second POST": lambda die: _around_the_post(die, during=True, number=2),
    "after the second answer": lambda die: _around_the_post(die, number=2),
    "after the second record": lambda die: _after_the_record(die, "running", number=2),
    "after settling": lambda die: _after_the_record(die, "succeeded"),
}


def _evicted():
    """As a pod's processes are: first the supervisor, which passes it on, then all that are left."""
    os.kill(os.getppid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)


def _shut_down():
    """As when a machine is: scheduler, executor and supervisor, whose group the task has left, and the task."""
    os.killpg(os.getpgid(os.getppid()), signal.SIGTERM)
    os.killpg(os.getpgid(0), signal.SIGTERM)


WEAPONS = {
    "nothing": lambda: None,
    "": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "SIGTERM to the task": lambda: os.kill(os.getpid(), signal.SIGTERM),
    "SIGTERM to its supervisor": lambda: os.kill(os.getppid(), signal.SIGTERM),
    "SIGTERM to both": _evicted,
    "SIGTERM to both groups": _shut_down,
    "SIGKILL to its supervisor": lambda: os.kill(os.getppid(), signal.SIGKILL),
}


def _prepare_to_die(params, *, resumed=False):
    """Arm the point that the run asks for, unless a process of this run has died already."""
    marker = Path(params["marker"])
    if not params["kill_at"] or marker.exists():
        return

    def die():
        if not marker.exists():
            marker.touch()
            WEAPONS[params["weapon"]]()

    if params["kill_at"] in POINTS:
        POINTS[params["kill_at"]](die)
    elif resumed:
        die()


class _Mortal:
    """A task whose process can be told to die."""

    def execute(self, context):
        _prepare_to_die(context["params"])
        return super().execute(context)

    def execute_complete(self, context, event):
        _prepare_to_die(context["params"], resumed=True)
        return super().execute_complete(context, event)

    def on_kill(self):
        _TOLD.append(True)
        super().on_kill()


class MortalSubmit(_Mortal, RunwaySubmitOperator):
    """A submission that may be killed."""


class MortalSensor(_Mortal, RunwayTaskSensor):
    """A sensor that may be killed."""


class MortalBatch(_Mortal, RunwayBatchOperator):
    """A batch that may be killed."""


SUBMISSION = {
    "runway_conn_id": "{{ params.conn }}",
    "route": "text_to_video",
    "payload": {
        "model": "gen4.5",
        "promptText": "{{ params.prompt }}",
        "ratio": "1280:720",
        "duration": 5,
    },
}
DAG_ARGUMENTS = {
    "schedule": None,
    "max_active_runs": 64,
    "max_active_tasks": 64,
    "params": {name: Param("", type="string") for name in ("conn", "prompt", "kill_at", "weapon", "marker")},
    "default_args": {"retries": 2, "retry_delay": timedelta(seconds=1)},
}

with DAG("chaos_wait", **DAG_ARGUMENTS):
    MortalSubmit(
        task_id="generate",
        wait_for_completion=True,
        poll_interval=5,
        timeout=timedelta(minutes=5),
        **SUBMISSION,
    )

with DAG("chaos_wait_in_worker", **DAG_ARGUMENTS):
    MortalSubmit(
        task_id="generate",
        wait_for_completion=True,
        deferrable=False,
        poll_interval=5,
        timeout=timedelta(minutes=5),
        **SUBMISSION,
    )

with DAG("chaos_execution_timeout", **DAG_ARGUMENTS):
    MortalSubmit(
        task_id="generate",
        wait_for_completion=True,
        deferrable=False,
        poll_interval=5,
        timeout=timedelta(minutes=5),
        execution_timeout=timedelta(seconds=12),
        **SUBMISSION,
    )

with DAG("chaos_batch", **DAG_ARGUMENTS):
    MortalBatch(
        task_id="generate",
        runway_conn_id=SUBMISSION["runway_conn_id"],
        route=SUBMISSION["route"],
        requests=[SUBMISSION["payload"]],
        poll_interval=5,
        timeout=timedelta(minutes=5),
    )

#: Where a run's list is, and where its batch reports: beside the run's marker, and so in every run somewhere else.
BATCH = {
    "task_id": "generate",
    "runway_conn_id": SUBMISSION["runway_conn_id"],
    "route": SUBMISSION["route"],
    "manifest": "file://{{ params.marker }}.manifest.jsonl",
    "poll_interval": 5,
    "timeout": timedelta(minutes=5),
}
LIST = "file://{{ params.marker }}.jsonl"

with DAG("chaos_batch_volatile", **DAG_ARGUMENTS):
    moment = "{{ macros.datetime.now().isoformat() }}"
    MortalBatch(
        requests=[
            {**SUBMISSION["payload"], "promptText": f"{{{{ params.prompt }}}} {number}, {moment}"}
            for number in range(3)
        ],
        max_in_flight=2,
        **BATCH,
    )

with DAG("chaos_batch_two_at_a_time", **DAG_ARGUMENTS):
    MortalBatch(requests=LIST, max_in_flight=2, **BATCH)

with DAG("chaos_batch_one_by_one", **DAG_ARGUMENTS):
    MortalBatch(requests=LIST, max_in_flight=1, max_moderated=2, **BATCH)

with DAG("chaos_batch_at_once", **DAG_ARGUMENTS):
    MortalBatch(requests=LIST, **BATCH)

with DAG("chaos_batch_bounded", **DAG_ARGUMENTS):
    # What three generations cost.
    MortalBatch(requests=LIST, max_credits=180, **BATCH)

with DAG("chaos_poking_sensor", **DAG_ARGUMENTS):
    submit = RunwaySubmitOperator(task_id="submit", **SUBMISSION)
    MortalSensor(
        task_id="generate",
        runway_conn_id="{{ params.conn }}",
        runway_task_id=submit.output,
        deferrable=False,
        poke_interval=5,
        timeout=timedelta(minutes=5),
    )

with DAG("chaos_submit_then_sensor", **DAG_ARGUMENTS):
    submit = MortalSubmit(task_id="submit", **SUBMISSION)
    MortalSensor(
        task_id="generate",
        runway_conn_id="{{ params.conn }}",
        runway_task_id=submit.output,
        poke_interval=5,
        timeout=timedelta(minutes=5),
    )
