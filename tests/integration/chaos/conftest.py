"""An Airflow of its own for the chaos suite, addresses for many emulators, and the table at the end."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from integration.chaos.stage import Stage
from integration.support import connection_to

from airflow_runway.demo.components import free_port
from airflow_runway.demo.local_airflow import LocalAirflow

#: Runs that get an emulator of their own.
ADDRESSES = 48
ENVIRONMENT = {
    "AIRFLOW__CORE__PARALLELISM": "6",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
}
HEAD = ("fault", "charges wanted / seen", "tries", "final state", "clip")
rows: list[tuple[str, ...]] = []


@pytest.fixture(scope="session")
def addresses():
    """Connection ids and the ports that they lead to."""
    return [(f"chaos_{number}", free_port()) for number in range(ADDRESSES)]


@pytest.fixture(scope="session")
def chaos_airflow(addresses, tmp_path_factory):
    """A real Airflow whose triggerers notice within seconds that one of them is gone."""
    dags = tmp_path_factory.mktemp("chaos_dags")
    shutil.copy(Path(__file__).parent.parent / "dags" / "chaos.py", dags)
    connections = {
        name: connection_to(SimpleNamespace(url=f"http://127.0.0.1:{port}"), timeout=8)
        for name, port in addresses
    }
    home = tmp_path_factory.mktemp("chaos_airflow")
    _prepare_database(home / "airflow.db")
    with LocalAirflow(home, dags, connections, ENVIRONMENT) as airflow:
        airflow.wait_for_dag("chaos_wait")
        airflow.wait_for_dag("chaos_submit_then_sensor")
        yield airflow


def _prepare_database(file):
    """SQLite that many processes can use at once: who reads does not stop who writes."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA journal_mode=WAL")


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
    terminalreporter.section("chaos: what each fault cost")
    for row in (HEAD, *rows):
        terminalreporter.line(
            " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
