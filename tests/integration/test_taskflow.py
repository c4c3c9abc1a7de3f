"""The decorators on a real Airflow, under ``airflow dags test`` and under ``airflow tasks test``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from integration.support import connection_to

from airflow_runway.demo.environment import airflow_environment

FILE = Path(__file__).parent / "dags" / "taskflow.py"
FILMS = {"a fox at dusk", "a lighthouse at dusk"}
TAKES = {"take of a fox", "take of a lighthouse"}
REEL = {"0 SUCCEEDED at dusk", "1 SUCCEEDED at dusk"}


def prompts(emulator):
    return sorted(
        request["body"]["promptText"] for request in emulator.requests() if request["method"] == "POST"
    )


def test_on_a_real_airflow(airflow, emulator):
    emulator.settings(seconds=2)
    airflow.wait_for_dag("taskflow")
    run_id = airflow.trigger_dag("taskflow", {})
    assert airflow.wait_for_run("taskflow", run_id, 240) == "success"
    states = {
        (one["task_id"], one["map_index"]): one["state"] for one in airflow.task_instances("taskflow", run_id)
    }
    assert set(states.values()) == {"success"}
    assert {("film", 0), ("film", 1), ("shot.take", 0), ("shot.take", 1), ("tidy", -1)} <= set(states)
    assert prompts(emulator) == sorted({"int"} | FILMS | TAKES | REEL)
    assert airflow.xcom("taskflow", run_id, "film", map_index=0)["status"] == "SUCCEEDED"
    assert airflow.xcom("taskflow", run_id, "reel")["succeeded"] == 2
    assert airflow.xcom("taskflow", run_id, "native") in {
        charge["runway_task_id"] for charge in emulator.ledger()["charges"]
    }


@pytest.fixture
def command(emulator, tmp_path):
    """Airflow's command line, with a home and a folder of Dags of its own."""
    emulator.settings(seconds=0.01)
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / FILE.name).write_text(FILE.read_text())
    environment = airflow_environment(
        tmp_path / "home", folder, 0, 0, {"runway_default": connection_to(emulator)}
    )

    def run(*words):
        done = subprocess.run(
            [sys.executable, "-m", "airflow", *words],
            env=environment, capture_output=True, text=True, timeout=300, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
        return done.stdout + done.stderr

    run("db", "migrate")
    run("dags", "reserialize")
    return run


def test_from_the_command_line(command, emulator):
    printed = command("tasks", "test", "taskflow", "native")
    assert prompts(emulator) == ["int"]
    (charge,) = emulator.ledger()["charges"]
    assert charge["runway_task_id"] in printed
    command("dags", "test", "taskflow")
    assert sorted(prompts(emulator)) == sorted(["int", "int", *FILMS, *TAKES, *REEL])
