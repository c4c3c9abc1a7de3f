"""The emulator's rooms: which may import which. Every import counts, also for type checkers and in functions."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import airflow_runway.emulator as package

ROOT = Path(package.__file__).parent
PACKAGE = "airflow_runway.emulator"
#: Room → the rooms that it may import. What lies beside the rooms puts them together and may import all.
ARROWS = {
    "world": set(),
    "checking": set(),
    "dialects": {"world"},
    "rendering": {"world"},
    "faults": {"world"},
    "files": {"world", "rendering"},
    "api": {"world", "checking", "dialects", "rendering", "faults", "files"},
    "control": {"world", "checking", "dialects", "faults", "files", "api"},
}
#: What comes from the rest of the provider: values that both sides of the wire share.
VALUES = {"gateways", "models", "media_references", "media_types"}
#: Rooms that know no HTTP.
WITHOUT_HTTP = ("world", "checking", "rendering")
HTTP = {"starlette", "uvicorn", "urllib", "http", "socket"}


def module_of(path: Path) -> str:
    return ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(".__init__")


MODULES = {module_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if inner in MODULES else node.module or "")
    return names


def room_of(module: str) -> str:
    room = module.removeprefix(PACKAGE).lstrip(".").partition(".")[0]
    return room if room in ARROWS else ""


@pytest.mark.parametrize("module", MODULES)
def test_arrows_point_as_the_rooms_say(module: str) -> None:
    room = room_of(module)
    rooms = {room_of(name) for name in imported(MODULES[module]) if name in MODULES and name != PACKAGE}
    if room:
        assert rooms <= ARROWS[room] | {room}


def test_every_folder_is_a_room_that_states_its_law() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert folders == set(ARROWS)
    for folder in folders:
        tree = ast.parse((ROOT / folder / "__init__.py").read_text())
        assert len(tree.body) == 1
        assert "Law:" in (ast.get_docstring(tree) or "")


def test_no_import_circle() -> None:
    left = {name: imported(path) & set(MODULES) - {PACKAGE, name} for name, path in MODULES.items()}
    while left:
        free = {name for name, needed in left.items() if not needed & set(left)}
        assert free, f"a circle within {sorted(left)}"
        left = {name: needed for name, needed in left.items() if name not in free}


@pytest.mark.parametrize("module", MODULES)
def test_nothing_but_values_comes_from_outside(module: str) -> None:
    names = {name for name in imported(MODULES[module]) if name.partition(".")[0] == "airflow_runway"}
    outside = {name for name in names if not name.startswith(PACKAGE)}
    assert {name.rpartition(".")[2] for name in outside} <= VALUES
    assert not {name for name in imported(MODULES[module]) if name.partition(".")[0] == "airflow"}


@pytest.mark.parametrize("module", [name for name in MODULES if room_of(name) in WITHOUT_HTTP])
def test_pure_rooms_know_no_http(module: str) -> None:
    assert not {name.partition(".")[0] for name in imported(MODULES[module])} & HTTP


@pytest.mark.parametrize("module", MODULES)
def test_modules_stay_readable(module: str) -> None:
    assert len(MODULES[module].read_text().splitlines()) <= 250
