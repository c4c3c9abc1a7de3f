"""A world whose time the test moves, and a client without a network."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from starlette.testclient import TestClient

from airflow_runway.emulator.app import make_app
from airflow_runway.emulator.state import Emulator

if TYPE_CHECKING:
    from collections.abc import Iterator

HEADERS = {"Authorization": "Bearer key_test", "X-Runway-Version": "2024-11-06"}


SAMPLES = Path(__file__).parents[2] / "samples"


def sample(name: str) -> Any:
    """The body of a documented request or answer."""
    return json.loads((SAMPLES / f"{name}.json").read_text())["body"]


class FakeClock:
    def __init__(self) -> None:
        self.now = 1_777_600_000.25

    def __call__(self) -> float:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += seconds


def picture(width: int = 64, height: int = 48, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    image = Image.linear_gradient("L").resize((width, height)).convert("RGB")
    image.paste((200, 30, 30), (width // 4, height // 4, width // 2, height // 2))
    image.save(buffer, kind)
    return buffer.getvalue()


def data_uri(content: bytes | None = None, content_type: str = "image/png") -> str:
    encoded = base64.b64encode(content or picture()).decode()
    return f"data:{content_type};base64,{encoded}"


def body(**changes: Any) -> dict[str, Any]:
    """A valid image_to_video request, small and short."""
    whole = {
        "model": "gen4_turbo",
        "promptImage": data_uri(),
        "ratio": "1280:720",
        "promptText": "a slow push in",
        "duration": 2,
    }
    whole |= changes
    return {name: value for name, value in whole.items() if value is not ...}


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def emulator(tmp_path: Path, clock: FakeClock) -> Emulator:
    return Emulator(tmp_path, clock=clock, hosts=["testserver"])


@pytest.fixture
def client(emulator: Emulator) -> Iterator[TestClient]:
    with TestClient(make_app(emulator), headers=HEADERS, follow_redirects=False) as client:
        yield client


@pytest.fixture
def create(client: TestClient) -> Any:
    def post(prefix: str = "", **changes: Any) -> str:
        answer = client.post(f"{prefix}/v1/image_to_video", json=body(**changes))
        assert answer.status_code == 200, answer.text
        identifier: str = answer.json()["id"]
        return identifier

    return post
