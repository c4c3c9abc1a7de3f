"""The five documented submissions, through real operators, each on its own gateway's dialect, to a saved file."""

from __future__ import annotations

from pathlib import Path

import pytest
from integration.dag_test import dag_test
from integration.media import decode, make_clip
from integration.support import KEY, connection_to, saved_names

from airflow_runway.emulator.process import emulator_process

FILE = Path(__file__).parent / "dags" / "documented_requests.py"
COMETAPI = (
    "cometapi_image_to_video",
    "cometapi_video_to_video",
    "cometapi_pro_generate",
    "cometapi_pro_video2video",
)
GPTPLUS5 = ("gptplus5_image_to_video",)


@pytest.fixture(scope="module")
def gptplus5_emulator():
    with emulator_process(speed=5) as emulator:
        emulator.settings(runwayml_gateway="gptplus5")
        yield emulator


def conf_for(emulator, picture, clip, folder):
    return {
        "image": emulator.put_media("keyframe.jpg", picture),
        "video": emulator.put_media("clip.mp4", clip),
        "callback": f"{emulator.url}/_emulator/health",
        "destination": f"file://{folder}",
    }


def test_each_ends_in_a_saved_file(emulator, gptplus5_emulator, picture, tmp_path):
    clip = make_clip(tmp_path / "clip.mp4")
    connections = {
        "cometapi": connection_to(
            emulator, gateway="cometapi", callback_url=f"{emulator.url}/_emulator/health"
        ),
        "gptplus5": connection_to(gptplus5_emulator, gateway="gptplus5"),
    }
    runs = [[name, conf_for(emulator, picture, clip, tmp_path / name)] for name in COMETAPI]
    runs += [[name, conf_for(gptplus5_emulator, picture, clip, tmp_path / name)] for name in GPTPLUS5]
    # Every reverse-format or official-format task can be shown in any of CometAPI's documented shapes.
    emulator.settings(cometapi_reads="wrapper", cometapi_visible_after=20)
    try:
        states, printed = dag_test(tmp_path / "home", FILE, connections, runs)
    finally:
        emulator.settings(cometapi_reads="flat", cometapi_visible_after=0)
    assert states == dict.fromkeys(COMETAPI + GPTPLUS5, "success"), printed[-8000:]
    assert KEY not in printed

    charges = emulator.ledger()["charges"]
    assert [charge["route"] for charge in charges] == [
        "image_to_video",
        "video_to_video",
        "pro/generate",
        "pro/video2video",
    ]
    charges += gptplus5_emulator.ledger()["charges"]
    assert len(charges) == 5
    for name, charge in zip(COMETAPI + GPTPLUS5, charges, strict=True):
        runway_task_id = charge["runway_task_id"]
        names = {path.name for path in (tmp_path / name).iterdir()}
        assert names == saved_names(runway_task_id)
        file = tmp_path / name / f"{runway_task_id}-0.mp4"
        saved = decode(file)
        assert (saved.codec, saved.pixels) == ("h264", "yuv420p")
        assert saved.distinct_frames > 1


@pytest.mark.parametrize("reads", ["flat", "wrapper", "wrapper-with-stale-outer", "numeric", "lower_case"])
@pytest.mark.parametrize("missing", ["envelope_400", "status_200", "empty_record"])
def test_cometapis_answers_of_every_generation_are_understood(reads, missing, emulator, picture, monkeypatch):
    """Create, not visible yet, running, done: through the hook, in each documented shape."""
    import json

    from airflow_runway.hooks.runway import RunwayHook
    from airflow_runway.models import TaskStatus

    connection = connection_to(emulator, gateway="cometapi")
    monkeypatch.setenv("AIRFLOW_CONN_RUNWAY_DEFAULT", json.dumps(connection))
    payload = {
        "model": "gen4_turbo",
        "promptImage": emulator.put_media("a.jpg", picture),
        "ratio": "1280:720",
    }
    emulator.settings(cometapi_reads=reads, task_not_exist=missing, cometapi_visible_after=3600, seconds=1)
    try:
        hidden = RunwayHook().submit("image_to_video", payload).runway_task_id
        assert RunwayHook().get_task(hidden).status is TaskStatus.NOT_VISIBLE
        emulator.settings(cometapi_visible_after=0, seconds=100)
        running = RunwayHook().submit("image_to_video", payload).runway_task_id
        assert RunwayHook().get_task(running).status in {TaskStatus.PENDING, TaskStatus.RUNNING}
        emulator.settings(seconds=0.001)
        done = RunwayHook().submit("image_to_video", payload).runway_task_id
        task = RunwayHook().get_task(done)
        assert task.status is TaskStatus.SUCCEEDED
        assert task.output[0].startswith(emulator.url)
    finally:
        emulator.settings(
            cometapi_reads="flat", task_not_exist="envelope_400", cometapi_visible_after=0, seconds=30
        )
