"""Whole runs at DEBUG level, one that succeeds and one per known way to fail: the key and no signature is anywhere.

Searched is everything that is written: logs of components and tasks, Airflow's database with XComs, arguments
of triggers, task states, asset events, rendered fields, the journal, manifests, the emulator's log, pytest's output.
"""

from __future__ import annotations

import base64
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
from integration.support import connection_to

from airflow_runway.demo.local_airflow import LocalAirflow
from airflow_runway.emulator.process import emulator_process

#: Holds what encodings change, and looks like no key of anybody.
KEY = "studio's_own/key+of=2026&more"
ECHO = f'{{"error": "Key {KEY} (Bearer {KEY}) was refused", "key": "{KEY}"}}'
FORMS = (KEY, quote(KEY, safe=""), base64.b64encode(KEY.encode()).decode().rstrip("="), KEY[:16], "_jwt=")


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """An Airflow that writes whatever it can, its folder, and the emulator that it talks to."""
    folder = tmp_path_factory.mktemp("secrets")
    dags, journal = folder / "dags", folder / "journal"
    dags.mkdir()
    shutil.copy(Path(__file__).parent / "dags" / "every_task.py", dags)
    env = {
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG",
        "AIRFLOW__RUNWAY__JOURNAL": f"file://{journal}",
        "AIRFLOW__RUNWAY__MAX_CREDITS_PER_DAY": "100000",
    }
    with emulator_process(speed=10, log=folder / "emulator.log") as emulator:
        connection = {**connection_to(emulator), "password": KEY}
        with LocalAirflow(folder / "home", dags, {"runway_default": connection}, env) as airflow:
            airflow.wait_for_dag("every_task")
            yield airflow, emulator, folder


#: What the gateway does, and how the run ends; ``None`` = as it comes.
WAYS = {
    "all goes well": ([], "success"),
    "a refusal that repeats the key": ([{"on": "create", "kind": "status", "status": 400, "body": ECHO}], "failed"),
    "a key that is refused": ([{"on": "create", "kind": "status", "status": 401, "body": ECHO}], "failed"),
    "limits": ([{"on": "create", "kind": "status", "status": 429, "body": ECHO, "count": 1}], None),
    "an answer that is lost": ([{"on": "create", "kind": "drop_after_accept"}], "failed"),
    "trouble while waiting": ([{"on": "read", "kind": "status", "status": 403, "body": ECHO}], "failed"),
    "a generation that fails": ([{"on": "create", "kind": "fail_task", "failure": f"Because of {KEY}."}], "failed"),
    "outputs that cannot be fetched": ([{"on": "output", "kind": "status", "status": 403, "body": ECHO}], "failed"),
}  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_nothing_is_written_of_the_key(watched, way, capfd):
    airflow, emulator, folder = watched
    faults, ends = WAYS[way]
    emulator.reset()
    emulator.clear_faults()
    for fault in faults:
        emulator.add_fault(**{"count": None, **fault})
    conf = {"folder": f"file://{folder}/clips/{len(way)}", "prompt": way}
    state = airflow.wait_for_run("every_task", airflow.trigger_dag("every_task", conf), 240)
    assert state == ends or ends is None
    out, err = capfd.readouterr()
    found = [form for form in FORMS if form in out + err]
    searched = 0
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix != ".mp4":
            content = file.read_bytes()
            searched += len(content)
            found += [f"{file.name}: {form}" for form in forms_for(file) if form.encode() in content]
    assert found == []
    assert searched > 100_000


def forms_for(file):
    """What a file must not hold. What a sensor returns has its links, in XCom and where Airflow tells of that."""
    return FORMS if "tasks" in file.parts or "home" not in file.parts else FORMS[:-1]
