"""The documented requests and answers under ``tests/samples``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_runway.core.protocol.responses import Answer

FOLDER = Path(__file__).parents[1] / "samples"


def sample(name: str) -> Any:
    """The body of a sample."""
    return json.loads((FOLDER / f"{name}.json").read_text())["body"]


def answer(name: str) -> Answer:
    """A sample as an HTTP answer."""
    whole = json.loads((FOLDER / f"{name}.json").read_text())
    body = b"" if whole["body"] is None else json.dumps(whole["body"]).encode()
    return Answer(whole["http"]["status"] or 200, {"Content-Type": "application/json"}, body)
