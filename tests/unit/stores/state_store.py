"""Airflow's ``task_state_store`` in memory, and the context of a task that uses it."""

from __future__ import annotations

import copy
import json
from types import SimpleNamespace


class MemoryStateStore:
    """Keeps JSON values; knows what was done, and can be told to fail or what happens at a write."""

    def __init__(self):
        self.values = {}
        #: Names of operations, in their order; of writes also key and retention.
        self.operations, self.written, self.retentions = [], [], []
        #: Operations that fail before they take effect, and after it.
        self.failures = self.failures_afterwards = 0
        self.at_write = lambda key: None

    def _do(self, name, operation):
        self.operations.append(name)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("the API server is away")
        result = operation()
        if self.failures_afterwards:
            self.failures_afterwards -= 1
            raise ConnectionError("the answer of the API server was lost")
        return result

    def get(self, key, default=None):
        return self._do("get", lambda: copy.deepcopy(self.values.get(key, default)))

    def set(self, key, value, *, retention=None):
        assert value is not None
        self.at_write(key)
        self._do("set", lambda: self.values.__setitem__(key, json.loads(json.dumps(value))))
        self.written.append(key)
        self.retentions.append(retention)

    def delete(self, key):
        self._do("delete", lambda: self.values.pop(key, None))


def context(store, max_tries=3):
    """The context of a task that runs."""
    return {"task_state_store": store, "ti": SimpleNamespace(max_tries=max_tries)}
