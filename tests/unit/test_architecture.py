"""The laws of the house, as docs/architecture.md states them. Every file is under them by default."""

from __future__ import annotations

import ast
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from unit.imports import ROOT, circles, graph, imported, modules, room_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "architecture.md"
MODULES = modules()
CORE = [name for name in MODULES if room_of(name).partition(".")[0] == "core"]
EMULATOR = [name for name in MODULES if room_of(name).partition(".")[0] == "emulator"]

#: What people import, what Airflow has in its database, and what stands in entry points.
PUBLIC = {
    "airflow_runway", "airflow_runway.cli", "airflow_runway.decorators.runway",
    "airflow_runway.exceptions", "airflow_runway.get_provider_info",
    "airflow_runway.hooks.runway", "airflow_runway.links.runway", "airflow_runway.models",
    "airflow_runway.operators.review", "airflow_runway.operators.runway", "airflow_runway.pytest_plugin",
    "airflow_runway.retry_policy", "airflow_runway.sensors.runway",
    "airflow_runway.transfers.runway_to_object_storage", "airflow_runway.triggers.batch",
    "airflow_runway.triggers.runway", "airflow_runway.emulator.__main__",
}  # fmt: skip
#: Rooms that users import from: whatever is not for them has an underscore there.
OUTER = ("decorators", "hooks", "links", "operators", "sensors", "transfers", "triggers")
#: What no module of ``core`` may import, in a block for type checkers neither ...
FORBIDDEN = {
    "aiohttp", "airflow", "asyncio", "concurrent", "fsspec", "http", "httpx", "io", "logging", "multiprocessing",
    "os", "pathlib", "random", "requests", "secrets", "shutil", "signal", "socket", "ssl", "subprocess", "sys",
    "tempfile", "tenacity", "threading", "time", "urllib3", "uuid",
}  # fmt: skip
#: ... but for types of the standard library.
TYPES = {"random.Random"}
#: Built-in functions and methods that would bring a clock, chance or input and output into ``core`` all the same.
FORBIDDEN_CALLS = {"open", "print", "input", "now", "utcnow", "today"}
#: What the emulator knows of the provider: what travels on the wire, and nothing that is decided about it.
KNOWN_TO_THE_EMULATOR = {
    "airflow_runway.core.models", "airflow_runway.core.protocol.gateways", "airflow_runway.core.media.references",
    "airflow_runway.core.media.types",
}  # fmt: skip
#: Rooms of the emulator that stand for the service itself, whatever it is asked over.
EMULATOR_WITHOUT_HTTP = {"emulator.world", "emulator.checking", "emulator.rendering"}
#: Lines of the longest file that one can hold in the head. The tree of errors is one list, however long.
LONGEST = 300
LONGER = {"airflow_runway.exceptions": 465}


def in_a_fresh_interpreter(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip().splitlines()[-1]


class TestCore:
    @pytest.mark.parametrize("name", CORE)
    def test_it_imports_no_airflow_no_http_no_clock_and_no_chance(self, name):
        names = imported(MODULES[name]) - TYPES
        assert {one for one in names if one.partition(".")[0] in FORBIDDEN} == set()
        ours = {one for one in names if one.startswith("airflow_runway")}
        assert {one for one in ours if not one.startswith("airflow_runway.core.")} == set()

    @pytest.mark.parametrize("name", CORE)
    def test_it_looks_at_no_clock_and_writes_nowhere(self, name):
        calls = {
            getattr(node.func, "id", getattr(node.func, "attr", ""))
            for node in ast.walk(ast.parse(MODULES[name].read_text()))
            if isinstance(node, ast.Call)
        }
        assert calls & FORBIDDEN_CALLS == set()

    def test_importing_all_of_it_loads_neither_airflow_nor_an_http_library(self):
        loaded = in_a_fresh_interpreter(
            f"import importlib, json, sys; [importlib.import_module(name) for name in {CORE!r}];"
            "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
        )
        assert (
            set(json.loads(loaded)) & {"aiohttp", "airflow", "httpx", "requests", "tenacity", "urllib3"}
            == set()
        )


class TestArrows:
    def test_nobody_imports_in_a_circle(self):
        assert circles(graph()) == []

    def test_rooms_import_only_what_the_document_lists(self):
        assert actual_arrows() == documented_arrows()

    def test_rooms_do_not_import_in_a_circle_either(self):
        assert circles(documented_arrows()) == []

    @pytest.mark.parametrize("name", EMULATOR)
    def test_the_emulator_knows_only_what_is_said_on_the_wire(self, name):
        names = graph()[name]
        assert {
            one for one in names if not one.startswith("airflow_runway.emulator")
        } <= KNOWN_TO_THE_EMULATOR
        assert not {one for one in imported(MODULES[name]) if one.partition(".")[0] == "airflow"}

    @pytest.mark.parametrize("name", [name for name in EMULATOR if room_of(name) in EMULATOR_WITHOUT_HTTP])
    def test_the_emulators_world_knows_no_http(self, name):
        names = {one.partition(".")[0] for one in imported(MODULES[name])}
        assert names & {"starlette", "uvicorn", "urllib", "http", "socket"} == set()


def actual_arrows() -> dict[str, set[str]]:
    arrows: dict[str, set[str]] = {room_of(name): set() for name in MODULES}
    for name, targets in graph().items():
        arrows[room_of(name)] |= {room_of(target) for target in targets} - {room_of(name)}
    return {room: targets for room, targets in arrows.items() if targets}


def documented_arrows() -> dict[str, set[str]]:
    """The table below "Arrows" in the document: a room, and the rooms that it imports."""
    section = DOCUMENT.read_text().partition("\n## Arrows\n")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    return {re.findall(r"`([\w.]+)`", left)[0]: set(re.findall(r"`([\w.]+)`", right)) for left, right in rows}


class TestNames:
    @pytest.mark.parametrize("name", sorted(PUBLIC - {"airflow_runway.emulator.__main__"}))
    def test_public_paths_stay_importable(self, name):
        importlib.import_module(name)

    def test_public_paths_exist(self):
        assert set(MODULES) >= PUBLIC

    @pytest.mark.parametrize(
        "name", [name for name in MODULES if name.split(".")[1:2] and name.split(".")[1] in OUTER]
    )
    def test_what_is_not_for_users_has_an_underscore(self, name):
        inside = name.split(".")[2:]
        assert name in PUBLIC or not inside or any(part.startswith("_") for part in inside)

    @pytest.mark.parametrize("name", MODULES)
    def test_a_file_fits_into_a_head(self, name):
        assert len(MODULES[name].read_text().splitlines()) <= LONGER.get(name, LONGEST)

    @pytest.mark.parametrize(
        "path", sorted(path for path in ROOT.rglob("*") if path.is_dir() and any(path.glob("*.py")))
    )
    def test_every_room_says_what_it_is_for(self, path):
        if "dags_examples" not in path.parts:
            assert ast.get_docstring(ast.parse((path / "__init__.py").read_text()))


class TestParsing:
    def test_a_dag_file_loads_no_http_library_of_ours(self):
        """Dag files are parsed all the time: what is heavy is imported when work starts."""
        loaded = in_a_fresh_interpreter(
            "import sys, airflow.sdk, airflow.sdk.bases.sensor;"
            "import airflow_runway.operators.runway, airflow_runway.sensors.runway,"
            " airflow_runway.transfers.runway_to_object_storage;"
            "heavy = ('aiohttp', 'requests', 'airflow.providers.http.hooks.http');"
            "print([name for name in heavy if name in sys.modules])"
        )
        assert loaded == "[]"

    def test_the_package_itself_loads_nothing(self):
        assert (
            in_a_fresh_interpreter("import sys, airflow_runway; print('airflow' in sys.modules)") == "False"
        )
