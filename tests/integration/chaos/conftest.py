"""An Airflow of its own for the chaos suite, addresses for many emulators, and the table at the end."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
from contextlib import ExitStack
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import pytest
from integration.chaos.stage import Stage, port_of
from integration.support import connection_to
from integration.transfer.storages import Bucket

from airflow_runway.demo.local_airflow import LocalAirflow

#: Where the journal is kept: ``file`` or ``s3``; empty = in Airflow's own store.
JOURNAL = os.environ.get("RUNWAY_CHAOS_JOURNAL", "")
HAS_STATE_STORE = find_spec("airflow.state") is not None
#: Runs that get an emulator of their own.
ADDRESSES = 96
ENVIRONMENT = {
    "AIRFLOW__CORE__PARALLELISM": "6",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    # How soon a task is missed whose supervisor was killed; 300 and 10 by default.
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "30",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
}
HEAD = ("fault", "charges wanted / seen", "tries", "final state", "clip")
rows: list[tuple[str, ...]] = []


@pytest.fixture(scope="session")
def addresses():
    """Connection ids and the ports that they lead to, kept for us by sockets on which nobody listens."""
    with ExitStack() as stack:
        reserved = [stack.enter_context(socket.socket()) for _ in range(ADDRESSES)]
        for one in reserved:
            one.bind(("127.0.0.1", 0))
        yield [(f"chaos_{number}", one) for number, one in enumerate(reserved)]


@pytest.fixture(scope="session")
def chaos_journal(request, tmp_path_factory):
    """What configures the journal folder that was asked for, if one was; see ``tests/README.md``."""
    if not JOURNAL:
        return {}
    if JOURNAL == "file":
        return {"AIRFLOW__RUNWAY__JOURNAL": f"file://{tmp_path_factory.mktemp('chaos_journal')}"}
    if JOURNAL != "s3":
        raise ValueError(f"RUNWAY_CHAOS_JOURNAL is {JOURNAL!r}, neither file nor s3")
    bucket = Bucket(request.getfixturevalue("s3_endpoint"))
    return {
        "AIRFLOW__RUNWAY__JOURNAL": bucket.url,
        "AIRFLOW__RUNWAY__JOURNAL_NAMESPACE": "chaos",
        **bucket.environment,
    }


@pytest.fixture(scope="session")
def chaos_airflow(addresses, chaos_journal, tmp_path_factory):
    """A real Airflow whose triggerers notice within seconds that one of them is gone."""
    if not HAS_STATE_STORE and not JOURNAL:
        pytest.skip("task_state_store and Trigger.on_kill came with Airflow 3.3")
    dags = tmp_path_factory.mktemp("chaos_dags")
    shutil.copy(Path(__file__).parent.parent / "dags" / "chaos.py", dags)
    connections = {
        name: connection_to(SimpleNamespace(url=f"http://127.0.0.1:{port_of(one)}"), timeout=8)
        for name, one in addresses
    }
    home = tmp_path_factory.mktemp("chaos_airflow")
    # The lists of its batches lie beside the runs' markers.
    files = {"AIRFLOW__RUNWAY__MEDIA_FROM": f"file://{tmp_path_factory.getbasetemp()}"}
    with LocalAirflow(home, dags, connections, ENVIRONMENT | chaos_journal | files) as airflow:
        # The first and the last of their file.
        airflow.wait_for_dag("chaos_wait")
        airflow.wait_for_dag("chaos_submit_then_sensor")
        yield airflow


@pytest.fixture(scope="session")
def new_stage(chaos_airflow, addresses, tmp_path_factory):
    """Makes a stage, each time with another emulator's address."""
    free = iter(addresses)
    numbers = itertools.count()
    markers = tmp_path_factory.mktemp("chaos_markers")
    return lambda name: Stage(chaos_airflow, next(free), markers / str(next(numbers)), name)


@pytest.fixture(scope="session")
def note():
    """Writes a row of the table that is printed at the end."""

    def write(fault, wanted, ending):
        rows.append((fault, f"{wanted} / {ending.paid}", str(ending.tries), ending.state, ending.clip))

    return write


def pytest_terminal_summary(terminalreporter):
    if not rows:
        return
    widths = [max(len(row[column]) for row in (HEAD, *rows)) for column in range(len(HEAD))]
    where = f"journal on {JOURNAL}" if JOURNAL else "journal in Airflow's store"
    terminalreporter.section(f"chaos: what each fault cost on Airflow {version('apache-airflow')}, {where}")
    for row in (HEAD, *rows):
        terminalreporter.line(
            " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
