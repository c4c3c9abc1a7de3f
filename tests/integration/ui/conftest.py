"""An Airflow in which people have to log in, and of which one may not read everything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from integration.support import connection_to

from airflow_runway.demo.examples import example_dags
from airflow_runway.demo.local_airflow import LocalAirflow
from airflow_runway.demo.rest import AirflowRest

HERE = Path(__file__).parent
PASSWORDS = {"admin": "of the admin", "guest": "of the guest"}


@pytest.fixture(scope="session")
def guarded(running_emulator, tmp_path_factory):
    """The Airflow; its ``folder`` is where Dags save."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "home" / "config").mkdir(parents=True)
    shutil.copy(HERE / "picky_auth_manager.py", folder / "home" / "config")
    shutil.copytree(HERE / "dags", folder / "dags")
    for name in ("image_to_video", "campaign", "film_cutting"):
        dag = (
            (example_dags() / f"{name}.py").read_text().replace("file:///tmp/campaign/", f"file://{folder}/")
        )
        (folder / "dags" / f"{name}.py").write_text(dag)
    (folder / "passwords.json").write_text(json.dumps(PASSWORDS))
    env = {
        "AIRFLOW__CORE__AUTH_MANAGER": "picky_auth_manager.PickyAuthManager",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "admin:admin,guest:viewer",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "PYTHONPATH": str(folder / "home" / "config"),
    }
    connections = {"runway_default": connection_to(running_emulator)}
    login = ("admin", PASSWORDS["admin"])
    with LocalAirflow(folder / "home", folder / "dags", connections, env, login=login) as airflow:
        for dag_id in ("theirs", "review", "refused", "image_to_video", "campaign"):
            airflow.wait_for_dag(dag_id)
        airflow.folder = folder / "clips"
        yield airflow


@pytest.fixture(scope="session")
def finished(guarded, running_emulator):
    """The run of each Dag, which has ended well."""
    running_emulator.reset()
    runs = {}
    for dag_id in ("ours", "theirs"):
        conf = {"folder": f"file://{guarded.folder}"}
        runs[dag_id] = guarded.trigger_dag(dag_id, conf)
    for dag_id, run_id in runs.items():
        assert guarded.wait_for_run(dag_id, run_id) == "success"
    return runs


@pytest.fixture(scope="session")
def tokens(guarded):
    """A token of each person."""
    return {name: AirflowRest(guarded.base_url, login=(name, PASSWORDS[name])).token() for name in PASSWORDS}
