"""The documented requests and answers under ``tests/samples``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from airflow_runway.core.protocol.responses import Response

#: What version 0.1.0 wrote: records, arguments of triggers, events; made by running it.
OF_0_1_0 = Path(__file__).parents[1] / "fixtures" / "0.1.0"
FOLDER = Path(__file__).parents[1] / "samples"


def written_by_0_1_0(kind: str) -> dict[str, Any]:
    """What version 0.1.0 wrote, by name; ``kind`` is ``record``, ``trigger`` or ``event``."""
    return {
        path.stem.removeprefix(f"{kind}."): json.loads(path.read_text())
        for path in sorted(OF_0_1_0.glob(f"{kind}.*.json"))
    }


def sample(name: str) -> Any:
    """The body of a sample."""
    return json.loads((FOLDER / f"{name}.json").read_text())["body"]


def response(name: str) -> Response:
    """A sample as an HTTP response."""
    whole = json.loads((FOLDER / f"{name}.json").read_text())
    body = b"" if whole["body"] is None else json.dumps(whole["body"]).encode()
    return Response(whole["http"]["status"] or 200, {"Content-Type": "application/json"}, body)
