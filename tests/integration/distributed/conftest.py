"""PostgreSQL, Redis, an emulator, and a distributed Airflow between them."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from integration.distributed import services
from integration.distributed.stage import POOL, QUICK_TAKEOVER, DistributedAirflow
from integration.support import connection_to

from airflow_runway.emulator.process import emulator_process

notes: list[tuple[str, float]] = []
DAGS = Path(__file__).parent / "dags"
#: Two workers of two slots: as much as two cores do.
SLOTS_FOR_SUBMISSIONS = 4


@pytest.fixture(scope="session")
def backing():
    """Skips where something is missing; on a build server that is a failure."""
    if find_spec("airflow.state") is None:
        pytest.skip("task_state_store and Trigger.on_kill came with Airflow 3.3")
    if lacks := services.missing():
        reason = f"A distributed Airflow needs what is missing here: {', '.join(lacks)}"
        if os.environ.get("CI", "").lower() == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    with services.Services() as running:
        yield running


@pytest.fixture(scope="session")
def gateway(backing):
    """An emulator of its own: these tests change its settings."""
    with emulator_process(speed=1) as emulator:
        yield emulator


@pytest.fixture(scope="session")
def distributed_airflow(backing, gateway, tmp_path_factory):
    """CeleryExecutor, two triggerers, two workers."""
    dags = tmp_path_factory.mktemp("distributed_dags")
    for file in DAGS.glob("*.py"):
        shutil.copy(file, dags)
    home = tmp_path_factory.mktemp("distributed_airflow")
    connections = {"runway_default": connection_to(gateway)}
    with DistributedAirflow(home, dags, backing, connections, QUICK_TAKEOVER) as airflow:
        airflow.make_pool(POOL, SLOTS_FOR_SUBMISSIONS)
        yield airflow


@pytest.fixture
def whole_airflow(distributed_airflow):
    """The same for each test: what another one has killed is started again."""
    distributed_airflow.make_whole()
    return distributed_airflow


@pytest.fixture(scope="session")
def note():
    """Writes a line of what is printed at the end: what a loss cost, in seconds."""
    return lambda what, seconds: notes.append((what, seconds))


def pytest_terminal_summary(terminalreporter):
    if notes:
        terminalreporter.section("distributed: how long a loss lasted")
    for what, seconds in notes:
        terminalreporter.line(f"{seconds:6.1f} s  {what}")
