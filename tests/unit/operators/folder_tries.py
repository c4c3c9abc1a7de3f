"""One task instance through its tries, on an Airflow without a task state store, with a journal folder."""

from __future__ import annotations

import json
import os
import shutil
from functools import partial

from unit.operators.memory import MemoryStore
from unit.operators.tries import TaskTries, begin

from airflow_runway.core.journal.history import History
from airflow_runway.stores.files import Files
from airflow_runway.stores.folder import folder_of
from airflow_runway.stores.history import InFolder


class FolderTries(TaskTries):
    """``store`` fails, and lets the worker die, for the folder's files."""

    def __init__(self, root, monkeypatch, **fields):
        super().__init__(**fields)
        self.root, self.namespace = root, "-"
        self.store = FileOperations(self.crash_point)
        monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL", f"file://{root}")
        monkeypatch.setattr(os, "fsync", lambda descriptor: None)
        for name in ("within", "_create", "found"):
            monkeypatch.setattr(Files, name, self.store.around(getattr(Files, name)))

    def context(self):
        return {"ti": self.ti}

    @property
    def files(self):
        """What the folder of the task instance holds, by name."""
        index = str(self.map_index) if self.map_index >= 0 else "-"
        folder = self.root / self.namespace / "dag" / "run" / "task" / index
        names = sorted(folder.iterdir()) if folder.exists() else []
        return {path.name: json.loads(path.read_text()) for path in names if not path.name.startswith(".")}

    @property
    def history(self):
        with self.store.undisturbed():
            return InFolder(folder_of({"ti": self.ti})).read() if self.ti else History()

    @property
    def record(self):
        return self.history.current.as_json()

    def written(self):
        return json.dumps(self.files)


class FileOperations(MemoryStore):
    """Operations on files, each of which may fail or be the worker's last."""

    _is_undisturbed = False

    def around(self, operation):
        def operate(*args):
            return operation(*args) if self._is_undisturbed else self._do(lambda: operation(*args))

        return operate

    def undisturbed(self):
        return _Undisturbed(self)


class _Undisturbed:
    def __init__(self, store):
        self._store = store

    def __enter__(self):
        self._store._is_undisturbed = True

    def __exit__(self, *details):
        self._store._is_undisturbed = False


def begin_in_folder(monkeypatch, set_connection, root, **fields):
    """A task whose journal is a new folder."""
    shutil.rmtree(root, ignore_errors=True)
    return begin(monkeypatch, set_connection, kind=partial(FolderTries, root, monkeypatch), **fields)
