"""The two storages, and an operator run without Airflow's machinery."""

from __future__ import annotations

import json

import pytest
from integration.support import connection_to
from integration.transfer.storages import CONNECTION, Bucket, Folder, s3_connection


@pytest.fixture(params=["file", "s3"])
def storage(request, tmp_path, monkeypatch):
    if request.param == "file":
        return Folder(tmp_path)
    endpoint = request.getfixturevalue("s3_endpoint")
    monkeypatch.setenv(CONNECTION, s3_connection(endpoint))
    return Bucket(endpoint)


class FakeTaskInstance:
    try_number, max_tries = 1, 0


@pytest.fixture
def save(emulator, storage, monkeypatch):
    """Save what the emulator made."""
    from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

    connection = connection_to(emulator, timeout=1)
    monkeypatch.setenv("AIRFLOW_CONN_RUNWAY_DEFAULT", json.dumps(connection))

    def run(runway_task_id, **fields):
        operator = RunwayToObjectStorageOperator(
            task_id="save", runway_task_id=runway_task_id, destination=storage.url, **fields
        )
        operator.pause_between_tries = lambda tries: 0
        return operator.execute({"ti": FakeTaskInstance()})

    return run
