"""Who imports whom in the package, read from its files: every import counts, wherever it stands."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import airflow_runway

ROOT = Path(airflow_runway.__file__).parent


@cache
def modules() -> dict[str, Path]:
    """Dotted name → file, for every module of the package."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ["airflow_runway", *path.relative_to(ROOT).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        if "dags_examples" not in parts:
            found[".".join(parts)] = path
    return found


@cache
def imported(path: Path) -> set[str]:
    """What a file imports, by dotted name, with ``from x import y`` as ``x.y``, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


@cache
def graph() -> dict[str, set[str]]:
    """Module → modules of the package that it imports."""
    known = modules()
    return {
        name: {target for one in imported(path) if (target := _module_of(one, known)) and target != name}
        for name, path in known.items()
    }


def _module_of(name: str, known: dict[str, Path]) -> str | None:
    """The module that an imported name is, or is in."""
    while name.startswith("airflow_runway"):
        if name in known:
            return name
        name = name.rpartition(".")[0]
    return None


def room_of(module: str) -> str:
    """The room that a module stands in: the folder, one level deeper below ``core`` and ``emulator``."""
    parts = module.split(".")[1:]
    if len(parts) < 2:
        return parts[0] if parts else "airflow_runway"
    if parts[0] in {"core", "emulator"} and (ROOT / parts[0] / parts[1]).is_dir():
        return ".".join(parts[:2])
    return parts[0]


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Groups of names that import each other, directly or through others."""
    reached = {name: _reached(name, edges) for name in edges}
    groups = {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in edges
        if name in reached[name]
    }
    return sorted(sorted(group) for group in groups)


def _reached(name: str, edges: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    queue = [name]
    while queue:
        for target in edges.get(queue.pop(), ()):
            if target not in found:
                found.add(target)
                queue.append(target)
    return found
