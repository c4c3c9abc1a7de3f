"""A journal folder on each of the two storages."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from integration.transfer.storages import CONNECTION, Bucket, Folder, s3_connection

from airflow_runway.stores import files as module
from airflow_runway.stores.folder import folder_of


@pytest.fixture(params=["file", "s3"])
def storage(request, tmp_path, monkeypatch):
    if request.param == "file":
        return Folder(tmp_path)
    endpoint = request.getfixturevalue("s3_endpoint")
    monkeypatch.setenv(CONNECTION, s3_connection(endpoint))
    return Bucket(endpoint)


@pytest.fixture
def journal(storage, monkeypatch):
    """Opens the folder of a task instance, as one more worker does."""
    monkeypatch.setattr(module, "_proved", set())
    monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL", storage.url)
    monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL_NAMESPACE", "tests")

    def opened(**fields):
        ti = SimpleNamespace(
            **{"dag_id": "dag", "run_id": "run", "task_id": "task", "map_index": -1} | fields
        )
        return folder_of({"ti": ti})

    return opened
