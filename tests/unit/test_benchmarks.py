"""Benchmarks are run by hand; that they still fit the code is looked at with every change."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
ROOT = FOLDER.parents[1]
MODULES = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("__"))


@pytest.fixture
def from_the_root(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))


@pytest.mark.parametrize("module", MODULES)
def test_each_can_be_imported(module, from_the_root):
    importlib.import_module(f"tests.benchmarks.{module}")


def test_the_command_lists_them():
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks", "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert {
        "polls",
        "triggerer",
        "noticing",
        "parsing",
        "campaign",
        "transfer",
        "sizing",
        "journal",
        "batch",
    } <= set(done.stdout.split())
