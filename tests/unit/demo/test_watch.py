from __future__ import annotations

import pytest

from airflow_runway.demo.errors import DemoError
from airflow_runway.demo.progress import ProgressLines
from airflow_runway.demo.watch import RunWatch, error_lines

LOG = [
    {"event": "Pushing", "level": "info"},
    {
        "event": "Task failed with exception",
        "level": "error",
        "error_detail": [{"exc_type": "RunwayAuthError", "exc_value": "the key was refused"}],
    },
]


class FakeAirflow:
    def __init__(self):
        self.states = {}

    def task_instances(self, dag_id, run_id):
        return [{"task_id": name, "state": state} for name, state in self.states.items()]

    def xcom(self, dag_id, run_id, task_id):
        return "17f20503"

    def task_log(self, dag_id, run_id, task_id):
        return LOG


class FakeEmulator:
    def tasks(self):
        return [{"id": "17f20503", "status": "RUNNING", "progress": 0.5}]


class TestRunWatch:
    def make(self):
        self.lines = []
        self.airflow = FakeAirflow()
        progress = ProgressLines(self.lines.append, clock=lambda: 0.0)
        return RunWatch(self.airflow, FakeEmulator(), "image_to_video", "run", progress)

    def test_a_run_that_succeeds(self):
        watch = self.make()
        for submit, wait, save in [
            (None, None, None),
            ("queued", None, None),
            ("running", None, None),
            ("success", "deferred", None),
            ("success", "success", "running"),
        ]:
            self.airflow.states = {"submit": submit, "wait": wait, "save": save}
            assert not watch.look()
        self.airflow.states["save"] = "success"
        assert watch.look()
        assert [line.split(maxsplit=2)[2] for line in self.lines] == [
            "submit   running",
            "submit   success, Runway task 17f20503",
            "wait     deferred",
            "wait     deferred, generation RUNNING 40 %",
            "wait     success",
            "save     running",
            "save     success",
        ]

    def test_a_failed_task_ends_it_with_the_error_of_its_log(self):
        watch = self.make()
        self.airflow.states = {"submit": "failed"}
        with pytest.raises(DemoError, match="the key was refused") as caught:
            watch.look()
        assert "submit ended as failed" in str(caught.value)
        assert caught.value.exit_code == 1


def test_only_errors_are_shown():
    assert error_lines(LOG) == ["Task failed with exception", "  RunwayAuthError: the key was refused"]
    assert error_lines([]) == []
