"""A worker that dies in the middle of a download leaves nothing under the final name; the next one completes it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import heads
import pytest
from benchmarks.origin import origin
from integration.support import KEY

SIZE = 24 * 2**20
CLIP = heads.MP4 + bytes(range(256)) * (SIZE // 256)


def worker(address, storage, home):
    connection = {
        "conn_type": "runway",
        "host": address,
        "password": KEY,
        "extra": {"allow_insecure_http": True},
    }
    environment = {
        **os.environ,
        **storage.environment,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONN_RUNWAY_DEFAULT": json.dumps(connection),
    }
    return subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("worker.py")), "clip", storage.url],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def half_way(storage):
    """Whether some of the file has come to storage, and not all."""
    if storage.url.startswith("s3:"):
        return bool(storage.leftovers())
    return any(5 * 2**20 < len(content) < SIZE for content in storage.files().values())


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "origin"
    folder.mkdir()
    (folder / "clip").write_bytes(CLIP)
    return folder


def test_killed_in_the_middle(storage, files, tmp_path):
    with origin(files, pace=4 * 2**20) as address:
        dying = worker(address, storage, tmp_path / "home")
        try:
            until = time.monotonic() + 60
            while not half_way(storage):
                assert time.monotonic() < until, "nothing came"
                assert dying.poll() is None, dying.stderr.read().decode()
                time.sleep(0.05)
        finally:
            os.kill(dying.pid, signal.SIGKILL)
            dying.communicate()
    assert "clip-0.mp4" not in storage.files()
    assert len(storage.leftovers()) == 1

    with origin(files) as address:
        second = worker(address, storage, tmp_path / "home")
        _, errors = second.communicate(timeout=120)
        assert second.returncode == 0, errors.decode()
    assert storage.leftovers() == []
    saved = storage.files()
    assert saved.keys() == {"clip-0.mp4", "clip.manifest.json"}
    assert saved["clip-0.mp4"] == CLIP


def test_told_to_stop_it_leaves_nothing(storage, files, tmp_path, monkeypatch):
    """SIGTERM: ``on_kill`` is called in the worker while ``execute`` runs."""
    import threading

    from airflow_runway.exceptions import RunwayTransferError
    from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

    with origin(files, pace=4 * 2**20) as address:
        connection = {
            "conn_type": "runway",
            "host": address,
            "password": KEY,
            "extra": {"allow_insecure_http": True},
        }
        monkeypatch.setenv("AIRFLOW_CONN_RUNWAY_DEFAULT", json.dumps(connection))
        operator = RunwayToObjectStorageOperator(
            task_id="save", runway_task_id="clip", destination=storage.url
        )

        def kill():
            while not half_way(storage):
                time.sleep(0.05)
            operator.on_kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(RunwayTransferError, match="stopped"):
            operator.execute({"ti": None})
        killer.join()
    assert (storage.files(), storage.leftovers()) == ({}, [])
