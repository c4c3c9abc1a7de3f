"""Who may import whom: outer rooms know Airflow, inner rooms know nothing but Runway."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import airflow_runway

ROOT = Path(airflow_runway.__file__).parent
INNER = (
    "batch",
    "connection_settings", "conversations", "decoding", "envelopes", "exceptions", "expectation", "failures",
    "gateways", "media_checks", "media_references", "media_types", "models", "pacing", "polling", "redaction",
    "reporting",
)  # fmt: skip
HTTP_AND_CLOCKS = {"aiohttp", "asyncio", "httpx", "requests", "socket", "time", "urllib3"}


def imported(path):
    """Modules imported by a file when it is loaded; what only a type checker sees does not count."""
    names = set()

    def visit(node):
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                continue
            if isinstance(child, ast.Import):
                names.update(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                names.add(child.module)
            visit(child)

    visit(ast.parse(path.read_text()))
    return names


@pytest.mark.parametrize("module", INNER)
def test_inner_rooms_do_no_io_and_know_no_airflow(module):
    names = imported(ROOT / f"{module}.py")
    foreign = {name for name in names if name.partition(".")[0] in HTTP_AND_CLOCKS | {"airflow", "tenacity"}}
    # The one exception, in the module of that name: the base class that stops Airflow's retries.
    assert foreign == ({"airflow.providers.common.compat.sdk"} if module == "exceptions" else set())
    ours = {name.removeprefix("airflow_runway.") for name in names if name.startswith("airflow_runway.")}
    assert ours <= set(INNER)


@pytest.mark.parametrize("path", sorted((ROOT / "emulator").glob("*.py")), ids=lambda path: path.stem)
def test_the_emulator_knows_only_what_is_said_on_the_wire(path):
    names = {name for name in imported(path) if name.startswith("airflow_runway.")}
    allowed = {f"airflow_runway.{name}" for name in ("models", "gateways", "media_references", "media_types")}
    assert {name for name in names if not name.startswith("airflow_runway.emulator")} <= allowed
    assert not {name for name in imported(path) if name.partition(".")[0] == "airflow"}


def test_a_dag_file_loads_no_http_library_of_ours():
    """Dag files are parsed all the time: what is heavy is imported when work starts."""
    code = (
        "import sys, airflow.sdk, airflow.sdk.bases.sensor;"
        "import airflow_runway.operators.runway, airflow_runway.sensors.runway,"
        " airflow_runway.transfers.runway_to_object_storage;"
        "heavy = ('aiohttp', 'requests', 'airflow.providers.http.hooks.http');"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


def test_the_package_itself_loads_nothing():
    code = "import sys, airflow_runway; print('airflow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
