"""Files that lie in a folder, or in a private bucket, on their way into a request."""

from __future__ import annotations

import io

import pytest
from airflow.sdk import ObjectStoragePath
from integration.support import connection_to
from PIL import Image

from airflow_runway.exceptions import RunwayMediaError
from airflow_runway.hooks.runway import RunwayHook

REQUEST = {"model": "gen4_turbo", "promptText": "go", "ratio": "1280:720", "duration": 2}


@pytest.fixture
def hook(emulator, storage, monkeypatch):
    import json

    monkeypatch.setenv("AIRFLOW_CONN_RUNWAY_DEFAULT", json.dumps(connection_to(emulator)))
    return RunwayHook(media_from=[storage.url])


def put(storage, name, size, *, noise=False):
    file = io.BytesIO()
    image = Image.effect_noise(size, 80).convert("RGB") if noise else Image.new("RGB", size, "teal")
    image.save(file, "PNG")
    path = ObjectStoragePath(storage.url) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(file.getvalue())
    return str(path)


@pytest.mark.parametrize(
    ("size", "noise", "how"), [((640, 360), False, "data:"), ((1920, 1080), True, "runway:")]
)
def test_small_ones_travel_inside_and_large_ones_as_an_upload(hook, emulator, storage, size, noise, how):
    uri = put(storage, "keyframe.png", size, noise=noise)
    submission = hook.submit("image_to_video", {**REQUEST, "promptImage": uri})
    (charge,) = emulator.ledger()["charges"]
    assert charge["runway_task_id"] == submission.runway_task_id
    (create,) = [one for one in emulator.requests() if one["path"] == "/v1/image_to_video"]
    assert create["body"]["promptImage"].startswith(how)


def test_the_same_file_in_another_place_is_the_same_request(hook, storage):
    one, other = put(storage, "a.png", (640, 360)), put(storage, "b/c.png", (640, 360))
    assert hook.prepare({"promptImage": one}).identity == hook.prepare({"promptImage": other}).identity
    changed = put(storage, "a.png", (640, 361))
    assert hook.prepare({"promptImage": changed}).identity != hook.prepare({"promptImage": other}).identity


def test_what_is_missing_costs_nothing_and_names_no_connection(hook, emulator, storage):
    put(storage, "a.png", (64, 36))
    with pytest.raises(RunwayMediaError, match="cannot be had") as caught:
        hook.submit("image_to_video", {**REQUEST, "promptImage": f"{storage.url}/nowhere.png"})
    assert "aws_moto@" not in str(caught.value)
    assert emulator.requests() == []
