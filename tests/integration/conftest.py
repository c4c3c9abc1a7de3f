"""The emulator and a real Airflow, as processes of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.support import connection_to
from integration.transfer.storages import need_s3

from airflow_runway.demo.examples import example_dags
from airflow_runway.demo.local_airflow import LocalAirflow
from airflow_runway.emulator.process import emulator_process


@pytest.fixture(scope="session")
def running_emulator():
    with emulator_process(speed=5) as emulator:
        yield emulator


@pytest.fixture
def emulator(running_emulator):
    """The emulator, emptied."""
    running_emulator.reset()
    running_emulator.clear_faults()
    return running_emulator


def _reading_here(dag, folder):
    """A Dag whose examples of folders and buckets are those of the tests."""
    here = {
        "file:///tmp/clips/": f"file://{folder}/",
        "file:///tmp/campaign/": f"file://{folder}/",
        "s3://aws_default@bucket/": "s3://aws_moto@",
    }
    for there, ours in here.items():
        dag = dag.replace(f'"{there}"', f'"{ours}"')
    return dag


@pytest.fixture(scope="session")
def airflow(running_emulator, tmp_path_factory):
    """api-server, scheduler with LocalExecutor, dag-processor and triggerer on SQLite."""
    dags = tmp_path_factory.mktemp("dags")
    for folder in (example_dags(), Path(__file__).parent / "dags"):
        for file in folder.glob("*.py"):
            (dags / file.name).write_text(_reading_here(file.read_text(), tmp_path_factory.getbasetemp()))
    home = tmp_path_factory.mktemp("airflow")
    connections = {
        "runway_default": connection_to(running_emulator),
        "runway_cometapi": connection_to(
            running_emulator, gateway="cometapi", callback_url=f"{running_emulator.url}/_emulator/health"
        ),
    }
    with LocalAirflow(home, dags, connections) as airflow:
        yield airflow


@pytest.fixture
def picture(tmp_path):
    """A small JPEG."""
    from PIL import Image

    path = tmp_path / "keyframe.jpg"
    Image.linear_gradient("L").resize((640, 360)).convert("RGB").save(path)
    return path.read_bytes()


@pytest.fixture(scope="session")
def s3_endpoint():
    """An S3 server; one for all, since Airflow keeps what it has once opened under a connection's id."""
    need_s3()
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()
