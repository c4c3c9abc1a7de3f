"""The fixture ``runway_emulator`` in a test suite of somebody else."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

from airflow_runway.pytest_plugin import connection

pytestmark = pytest.mark.slow

if TYPE_CHECKING:
    from pathlib import Path

SUITE = """
import json, os, urllib.request
import pytest

URLS = []

def create(emulator):
    connection = json.loads(os.environ["AIRFLOW_CONN_RUNWAY_DEFAULT"])
    body = {"model": "gen4.5", "promptText": "a boat", "ratio": "1280:720", "duration": 2}
    headers = {"Authorization": "Bearer " + connection["password"], "X-Runway-Version": "2024-11-06"}
    url = connection["host"] + "/v1/text_to_video"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(request))

@pytest.mark.parametrize("time", [1, 2])
def test_each_begins_empty(runway_emulator, time):
    URLS.append(runway_emulator.url)
    assert runway_emulator.ledger()["charges"] == []
    assert create(runway_emulator)["id"]
    assert len(runway_emulator.ledger()["charges"]) == 1
    assert len(set(URLS)) == 1

@pytest.mark.runway_emulator(lenient=True, max_concurrent=1)
def test_settings(runway_emulator):
    assert runway_emulator.settings()["lenient"] is True
    assert runway_emulator.settings()["max_concurrent"] == 1

def test_settings_do_not_stay(runway_emulator):
    assert runway_emulator.settings()["lenient"] is False
    assert runway_emulator.callbacks() == []

@pytest.mark.runway_emulator(speed=1, gateway="gptplus5")
def test_another_speed_and_gateway(runway_emulator):
    assert runway_emulator.url not in URLS
    assert runway_emulator.settings()["runwayml_gateway"] == "gptplus5"
    assert json.loads(os.environ["AIRFLOW_CONN_RUNWAY_DEFAULT"])["extra"]["gateway"] == "gptplus5"

@pytest.mark.runway_emulator(nonsense=1)
def test_a_setting_that_does_not_exist(runway_emulator):
    pass

def test_without_it():
    assert "AIRFLOW_CONN_RUNWAY_DEFAULT" not in os.environ
"""

START_UP = """
import sys, airflow_runway.pytest_plugin
heavy = ("airflow", "av", "PIL", "starlette", "uvicorn", "jsonschema", "aiohttp", "subprocess", "urllib.request")
print([name for name in heavy if name in sys.modules])
"""


def test_a_suite_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(SUITE)
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = --strict-markers\nrunway_emulator_speed = 50\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert "6 passed, 1 error" in done.stdout, done.stdout + done.stderr
    assert "nonsense" in done.stdout


def test_it_is_found_and_costs_nothing_at_start_up() -> None:
    (found,) = entry_points(group="pytest11", name="runway")
    assert found.value == "airflow_runway.pytest_plugin"
    code = "import pytest\nimport sys\nbefore = set(sys.modules)\n" + START_UP.replace(
        "in sys.modules]", "in set(sys.modules) - before]"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_connection() -> None:
    made = connection("http://127.0.0.1:1")
    assert made["conn_type"] == "runway"
    assert made["extra"]["allow_insecure_http"] is True
