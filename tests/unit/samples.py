"""The documented requests and answers under ``tests/samples``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_runway.core.protocol.responses import Response

FOLDER = Path(__file__).parents[1] / "samples"


def sample(name: str) -> Any:
    """The body of a sample."""
    return json.loads((FOLDER / f"{name}.json").read_text())["body"]


def response(name: str) -> Response:
    """A sample as an HTTP response."""
    whole = json.loads((FOLDER / f"{name}.json").read_text())
    body = b"" if whole["body"] is None else json.dumps(whole["body"]).encode()
    return Response(whole["http"]["status"] or 200, {"Content-Type": "application/json"}, body)
