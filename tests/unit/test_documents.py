"""Every file that a document names, and every link of its, leads somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "tests" / "README.md"]
ROOMS = "core|hooks|triggers|operators|stores|transfers|emulator|demo|sensors|links|tests|airflow_runway|docs"
PATHS = re.compile(rf"`((?:{ROOMS})/[\w./]+)`")
LINKS = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def is_there(name):
    places = [base / f"{name}{end}" for base in (ROOT, ROOT / "airflow_runway") for end in ("", ".py")]
    return any(place.exists() for place in places)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_names_is_there(document):
    text = document.read_text()
    missing = [name for name in PATHS.findall(text) if not is_there(name)]
    broken = [link for link in LINKS.findall(text) if not (document.parent / link).exists()]
    assert missing + broken == []
