"""A gateway whose tasks are finished, and the files behind their links."""

from __future__ import annotations

from collections import defaultdict, deque

import heads
import pytest
from unit.scripted import Scripted

from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

CLIP = heads.MP4 + bytes(range(256)) * 20
PNG = heads.PNG + bytes(range(256)) * 20
MP4 = {"Content-Type": "video/mp4"}
GOOD = Scripted(200, CLIP, MP4)
#: An error page that comes as a success.
PAGE = Scripted(200, b"<html>sorry</html>", MP4)
GONE = Scripted(404, {"error": "Task not found."})
FAILED = Scripted(
    200, {"id": "t1", "status": "FAILED", "failure": "Flagged.", "failureCode": "SAFETY.INPUT.TEXT"}
)


class ByPath:
    """Stands in for the gateway's script: answers by what is asked for, reads and downloads in any order."""

    def __init__(self, server):
        self._server = server
        #: Task id → answer; an id that is not in here has SUCCEEDED.
        self.tasks = {}
        self.outputs = 1
        #: Path of an output → its answers, of which the last is repeated; without any it is :data:`GOOD`.
        self.files = defaultdict(deque)

    def __len__(self):
        return 2

    def popleft(self):
        path = self._server.arrived[-1].path.partition("?")[0]
        if path.startswith("/v1/tasks/"):
            runway_task_id = path.rpartition("/")[2]
            return self.tasks.get(runway_task_id) or self.succeeded(runway_task_id)
        if path.startswith("/v1/"):
            return Scripted(404, {"error": "Not found."})
        answers = self.files[path]
        if not answers:
            return GOOD
        return answers.popleft() if len(answers) > 1 else answers[0]

    def succeeded(self, runway_task_id):
        urls = [
            f"{self._server.url}/out/{runway_task_id}/{index}?_jwt=secret{len(self._server.arrived)}"
            for index in range(self.outputs)
        ]
        body = {"id": runway_task_id, "status": "SUCCEEDED", "output": urls, "cost": {"credits": 25}}
        return Scripted(200, {**body, "createdAt": "2026-11-20T12:00:00Z"})

    def downloads(self):
        return [one for one in self._server.arrived if one.path.startswith("/out/")]

    def reads(self):
        return [one for one in self._server.arrived if one.path.startswith("/v1/")]


@pytest.fixture
def world(connected):
    connected.script = ByPath(connected)
    return connected.script


@pytest.fixture
def save(world, context, tmp_path):
    def run(*answers, **fields):
        """Save, the first output of t1 being answered so."""
        if answers:
            world.files["/out/t1/0"] = deque(answers)
        operator = RunwayToObjectStorageOperator(
            **{
                "task_id": "task",
                "runway_task_id": "t1",
                "destination": f"file://{tmp_path}/clips/today",
                "max_concurrency": 1,
                **fields,
            }
        )
        operator.pause_between_tries = lambda tries: 0
        return operator.execute(context)

    return run


@pytest.fixture
def saved(tmp_path):
    def names():
        root = tmp_path / "clips" / "today"
        return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())

    return names
