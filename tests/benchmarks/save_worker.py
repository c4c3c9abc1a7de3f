"""One process of the transfer benchmark: saves, or only imports, and prints what that cost as JSON.

Run as ``python save_worker.py ORIGIN FOLDER CONCURRENCY ID...``; without ids it only imports what saving imports.
"""

from __future__ import annotations

import atexit
import json
import os
import resource
import shutil
import sys
import tempfile
import time


def main(origin: str, folder: str, concurrency: int, ids: list[str]) -> dict[str, float]:
    os.environ["AIRFLOW_HOME"] = home = tempfile.mkdtemp(prefix="airflow-runway-benchmark-")
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["AIRFLOW_CONN_RUNWAY_DEFAULT"] = json.dumps(
        {
            "conn_type": "runway",
            "host": origin,
            "password": "key_benchmark",
            "extra": {"allow_insecure_http": True},
        }
    )
    import airflow.providers.common.compat.lineage.hook
    import av
    from airflow.sdk import ObjectStoragePath
    from PIL import Image

    import airflow_runway.transfers._saving.assets
    import airflow_runway.transfers._saving.destination
    import airflow_runway.transfers._saving.saver
    from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

    assert all((airflow, av, Image, airflow_runway))
    operator = RunwayToObjectStorageOperator(
        task_id="save", runway_task_id=ids, destination=folder, max_concurrency=concurrency
    )
    # Everything that is looked up once: connection, file system.
    assert operator.hook.settings
    assert ObjectStoragePath(folder).fs
    at, cpu = time.perf_counter(), time.process_time()
    if ids:
        operator.execute({"ti": None})
    return {
        "wall": time.perf_counter() - at,
        "cpu": time.process_time() - cpu,
        "peak_kib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }


if __name__ == "__main__":
    figures = main(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:])
    print(json.dumps(figures))
