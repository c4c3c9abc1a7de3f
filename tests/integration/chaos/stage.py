"""One Dag run with an emulator of its own: what is done to it, and how it ended."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, field

from integration.support import KEY, connection_to

from airflow_runway.demo.rest import RestError
from airflow_runway.emulator.process import emulator_process

OVER = frozenset({"success", "failed"})
LOST_ANSWER = "may have been charged", "may be charged"
PAUSE = 1.0
#: Tries that the Dags' tasks have.
TRIES = 3

_writing = threading.Lock()


def until(airflow, condition, seconds, what):
    """Wait gently: a dozen of these ask the same small api-server."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        airflow.components.check()
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(PAUSE)
    return found


def port_of(reserved):
    """The port that a socket keeps."""
    return reserved.getsockname()[1]


def patiently(ask, *args):
    """Ask Airflow for something that may be done twice; a locked SQLite is no finding.

    One at a time: two writing requests at once make an api-server on SQLite wait for itself.
    """
    for pause in (1, 3, 5, 0):
        try:
            with _writing:
                return ask(*args)
        except RestError as error:
            if error.status == 409:
                return None
            if error.status < 500 or not pause:
                raise
            time.sleep(pause)
    return None


@dataclass
class Ending:
    """What can be seen of a run when it is over."""

    state: str
    tries: int
    result: dict | None
    log: str
    charges: list[dict]
    requests: list[dict]
    notes: dict = field(default_factory=dict)
    #: The manifest of a batch.
    lines: list[dict] = field(default_factory=list)

    @property
    def paid(self):
        """How many generations the ledger charged."""
        return len(self.charges)

    @property
    def cancels(self):
        """How many DELETEs arrived."""
        return sum(request["method"] == "DELETE" for request in self.requests)

    @property
    def posts(self):
        """How many submissions arrived."""
        return sum(request["method"] == "POST" for request in self.requests)

    @property
    def sent(self):
        """How often each prompt was sent, in the order in which they came first."""
        bodies = [request["body"] for request in self.requests if request["method"] == "POST"]
        return tuple(Counter(body["promptText"] for body in bodies).values())

    @property
    def unnamed(self):
        """How many generations are known to nobody here by their id."""
        told = self.log + json.dumps(self.lines)
        return sum(charge["runway_task_id"] not in told for charge in self.charges)

    @property
    def clip(self):
        """``found``, or how the task log names it, or that there is none."""
        ids = [charge["runway_task_id"] for charge in self.charges]
        if self.result and self.result.get("status") == "SUCCEEDED" and self.result["id"] in ids:
            return "found"
        if ids and all(charge["status"] == "CANCELLED" for charge in self.charges):
            return "cancelled"
        if ids and all(known in self.log for known in ids):
            return "named by id"
        if any(words in self.log for words in LOST_ANSWER):
            return "named as lost answer"
        return "missing" if ids else "none made"


class Stage:
    """A run to be disturbed.

    :param airflow: the one for all.
    :param address: connection id, and the socket that keeps its port, for this run alone.
    :param marker: file that remembers that its process was killed.
    :param name: the prompt, for people who read the emulator's record.
    """

    def __init__(self, airflow, address, marker, name):
        self.airflow = airflow
        self.conn_id, self._reserved = address
        self._marker = marker
        self.name = name
        self.notes = {}
        self._list = marker.with_suffix(".jsonl")
        self._manifest = marker.with_suffix(".manifest.jsonl")
        self._stack = ExitStack()

    def __enter__(self):
        return self

    def __exit__(self, *details):
        self._stack.close()

    @property
    def was_killed(self):
        """Whether the task's process killed itself as it was told."""
        return self._marker.exists()

    def open_gateway(self, *, seconds=20.0, **fault):
        """Start this run's emulator, with one fault rule if any is given."""
        port = port_of(self._reserved)
        self._reserved.close()
        self.emulator = self._stack.enter_context(emulator_process(port=port, seconds=seconds))
        if fault:
            self.emulator.add_fault(**fault)

    def open_another_gateway(self):
        """Start a second emulator, which knows nothing of the first one's generations.

        :returns: it.
        """
        return self._stack.enter_context(emulator_process())

    def connect(self, **changes):
        """Keep the run's connection in Airflow's database, where it can be changed; else it is in the environment.

        :param changes: fields that are other ones from now on.
        """
        fields = connection_to(self.emulator, timeout=8) | changes
        name, is_new = f"{self._marker.name}_kept", self.conn_id != f"{self._marker.name}_kept"
        self.conn_id = name
        wish = {"connection_id": name, **fields, "extra": json.dumps(fields["extra"])}
        path = "/api/v2/connections" if is_new else f"/api/v2/connections/{name}"
        patiently(self.airflow.request, "POST" if is_new else "PATCH", path, wish)

    def write_list(self, *prompts, end=""):
        """Write the list of a batch, which is known by its prompts, anew.

        :param end: what stands behind the last line.
        """
        fields = {"model": "gen4.5", "ratio": "1280:720", "duration": 5}
        lines = [json.dumps({**fields, "promptText": prompt}) + "\n" for prompt in prompts]
        self._list.write_text("".join(lines) + end)

    def delete_list(self):
        """Delete the list of a batch."""
        self._list.unlink()

    def start(self, *, dag_id="chaos_wait", kill_at="", weapon=""):
        """Trigger the run, under a name of our own: after a trouble of SQLite's it is simply asked for again."""
        self.dag_id, self.run_id = dag_id, f"chaos_{self._marker.name}"
        conf = {
            "conn": self.conn_id,
            "prompt": self.name,
            "kill_at": kill_at,
            "weapon": weapon,
            "marker": str(self._marker),
        }
        wish = {"dag_run_id": self.run_id, "logical_date": None, "conf": conf}
        patiently(self.airflow.request, "POST", f"/api/v2/dags/{dag_id}/dagRuns", wish)

    def task(self, task_id="generate"):
        """The task instance."""
        path = f"/api/v2/dags/{self.dag_id}/dagRuns/{self.run_id}/taskInstances/{task_id}"
        return self.airflow.request("GET", path)

    def wait_for_state(self, *states, seconds=90):
        """Wait until the task is in one of some states."""
        return until(self.airflow, lambda: self.task()["state"] in states, seconds, f"{self.name}: {states}")

    def wait_until(self, condition, seconds, what):
        """Wait for something, this run's name in the complaint."""
        return until(self.airflow, condition, seconds, f"{self.name}: {what}")

    def wait_for_end(self, seconds=150):
        """Wait until the run is over."""
        self.wait_until(self._is_over, seconds, "the end of the run")

    def mark(self, state):
        """Mark the task as a person does."""
        patiently(self.airflow.set_state, self.dag_id, self.run_id, "generate", state)

    def clear(self):
        """Clear the task as a person does."""
        patiently(self.airflow.clear, self.dag_id, self.run_id, "generate")

    def check_paid(self, charges):
        """See that so much, and no more, is paid for by now."""
        assert len(self.emulator.ledger()["charges"]) == charges

    def seen_cancelled(self):
        """Whether a DELETE has arrived."""
        return any(request["method"] == "DELETE" for request in self.emulator.requests())

    def log(self):
        """The logs of all tries of all tasks, as one text."""
        return "\n".join(
            self._log_of(task["task_id"], number)
            for task in self.airflow.task_instances(self.dag_id, self.run_id)
            for number in range(1, task["try_number"] + 1)
        )

    def ending(self):
        """What can be seen now."""
        task = self.task()
        log = self.log()
        assert KEY not in log
        return Ending(
            state=task["state"],
            tries=task["try_number"],
            result=self._result(),
            log=log,
            charges=self.emulator.ledger()["charges"],
            requests=self.emulator.requests(),
            notes={**self.notes, "killed": self.was_killed},
            lines=self._lines(),
        )

    def _is_over(self):
        return self.airflow.dag_run(self.dag_id, self.run_id)["state"] in OVER

    def _log_of(self, task_id, number):
        try:
            return json.dumps(self.airflow.task_log(self.dag_id, self.run_id, task_id, try_number=number))
        except RestError as error:
            return str(error)

    def _lines(self):
        if not self._manifest.exists():
            return []
        return [json.loads(line) for line in self._manifest.read_text().splitlines()]

    def _result(self):
        try:
            return self.airflow.xcom(self.dag_id, self.run_id, "generate")
        except RestError:
            return None
