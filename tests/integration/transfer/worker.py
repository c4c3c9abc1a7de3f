"""A worker's transfer task: ``python worker.py RUNWAY_TASK_ID DESTINATION``."""

import sys

from airflow_runway.transfers.runway_to_object_storage import RunwayToObjectStorageOperator

if __name__ == "__main__":
    operator = RunwayToObjectStorageOperator(
        task_id="save", runway_task_id=sys.argv[1], destination=sys.argv[2]
    )
    operator.execute({"ti": None})
