"""The scripted gateway, the connection that leads to it, and as much of Airflow as our tasks touch."""

from __future__ import annotations

import json
from typing import Any

import pytest
from unit.clocks import of_a_wait, of_the_main_thread
from unit.dripping import Dripping
from unit.scripted import KEY, ScriptedGateway

from airflow_runway.operators._stopping import StopSignal


@pytest.fixture(autouse=True)
def media_may_lie_in_temporary_folders(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("AIRFLOW__RUNWAY__MEDIA_FROM", f"file://{tmp_path_factory.getbasetemp()}")


@pytest.fixture
def gateway_server():
    server = ScriptedGateway()
    yield server
    server.close()


@pytest.fixture
def set_connection(monkeypatch):
    """Define the connection ``runway_default``."""

    def define(host: str = "", *, password: str = KEY, conn_id: str = "runway_default", **extra: Any) -> None:
        monkeypatch.setenv(
            f"AIRFLOW_CONN_{conn_id.upper()}",
            json.dumps({"conn_type": "runway", "host": host, "password": password, "extra": extra}),
        )

    return define


@pytest.fixture
def dripping():
    servers = []

    def made(*args, **fields):
        servers.append(Dripping(*args, **fields))
        return servers[-1]

    yield made
    for server in servers:
        server.close()


@pytest.fixture
def connected(gateway_server, set_connection):
    """The scripted gateway, behind ``runway_default``."""
    set_connection(gateway_server.url, allow_insecure_http=True)
    return gateway_server


class FakeTaskInstance:
    """As much of Airflow's task instance as our tasks touch."""

    task_id = "task"
    map_index = -1

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}
        self.first_reschedule_date: Any = None

    def xcom_push(self, key: str, value: Any) -> None:
        self.xcoms[key] = value

    def xcom_pull(self, *, key: str, **_: Any) -> Any:
        return self.xcoms.get(key)

    def get_first_reschedule_date(self, context: Any) -> Any:
        return self.first_reschedule_date


@pytest.fixture
def context() -> dict[str, Any]:
    ti = FakeTaskInstance()
    return {"ti": ti, "task_instance": ti}


@pytest.fixture
def clock(monkeypatch):
    """Time, for tasks in a worker, passes only by sleeping."""

    class Clock:
        now = 1_000_000.0

        def __init__(self) -> None:
            self.naps: list[float] = []

        def sleep(self, seconds: float) -> None:
            self.naps.append(seconds)
            self.now += seconds

    clock = Clock()
    monkeypatch.setattr("time.time", lambda: clock.now)
    monkeypatch.setattr("time.sleep", of_the_main_thread(clock.sleep))
    monkeypatch.setattr(StopSignal, "wait", of_a_wait(lambda seconds: clock.sleep(seconds)))
    return clock
