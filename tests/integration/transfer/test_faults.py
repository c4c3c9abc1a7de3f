"""Every fault on every storage: nothing wrong is ever saved, everything right is saved in the end."""

from __future__ import annotations

import hashlib
import json

import pytest
import requests
from integration.support import connection_to, saved_names

from airflow_runway.exceptions import RunwayTransferError, RunwayTransferRefusedError

NEVER = {"count": None}
METADATA = "http://169.254.169.254/latest/meta-data/"

#: Faults that pass: the file is saved in the same run.
PASSING = {
    "cut": [{"kind": "drop", "bytes": 5_000}],
    "cut before the first byte": [{"kind": "drop"}],
    "cut again and again": [{"kind": "drop", "bytes": 4_001, "count": 20}],
    "stalled in the middle": [{"kind": "stall", "bytes": 5_000, "seconds": 20}],
    "hanging": [{"kind": "hang", "seconds": 20}],
    "expired in the middle": [{"kind": "expire", "bytes": 5_000}],
    "expired again and again": [{"kind": "expire", "bytes": 4_001, "count": 8}],
    "expired before": [{"kind": "status", "status": 403, "body": "<Error>expired</Error>"}],
    "gone": [{"kind": "status", "status": 404}, {"kind": "status", "status": 410}],
    "busy": [{"kind": "status", "status": 503, "count": 3}],
    "busy in the middle": [{"kind": "drop", "bytes": 5_000}, {"kind": "status", "status": 500, "count": 2}],
    "longer, it says": [{"kind": "wrong_length", "more": 10}],
    "another digest": [{"kind": "wrong_digest"}],
    "corrupt": [{"kind": "corrupt", "bytes": 5_000}],
    "a page": [{"kind": "html"}],
    "a page in the middle": [{"kind": "drop", "bytes": 5_000}, {"kind": "html"}],
    "an error as JSON": [{"kind": "status", "status": 200, "body": {"error": "sorry"}}],
    "nothing": [{"kind": "status", "status": 200, "body": ""}],
    "ranges ignored": [{"kind": "drop", "bytes": 5_000}, {"kind": "ignore_range"}],
    "all at once": [
        {"kind": "drop", "bytes": 3_000},
        {"kind": "expire", "bytes": 3_000},
        {"kind": "html"},
        {"kind": "corrupt", "bytes": 3_000},
        {"kind": "wrong_length"},
        {"kind": "drop", "bytes": 3_000},
    ],
}  # fmt: skip

#: Faults that stay: nothing is saved, and the run after them saves it.
LASTING = {
    "cut before the first byte": [{"kind": "drop", **NEVER}],
    "expired": [{"kind": "status", "status": 403, **NEVER}],
    "longer, it says": [{"kind": "wrong_length", **NEVER}],
    "another digest": [{"kind": "wrong_digest", **NEVER}],
    "corrupt": [{"kind": "corrupt", "bytes": 5_000, **NEVER}],
    "a page": [{"kind": "html", **NEVER}],
    "a page as a picture": [{"kind": "status", "status": 200, "body": "<html>sorry</html>",
                             "headers": {"content-type": "image/png"}, **NEVER}],
}  # fmt: skip

#: Refused at once.
REFUSED = {
    "the metadata service": {"kind": "redirect", "location": METADATA, "status": 302},
    "a private address": {"kind": "redirect", "location": "http://10.0.0.1/clip.mp4"},
    "another port of this machine": {"kind": "redirect", "location": "http://127.0.0.1:1/clip.mp4"},
    "another scheme": {"kind": "redirect", "location": "file:///etc/passwd"},
    "private by IPv6": {"kind": "redirect", "location": "http://[::ffff:169.254.169.254]/clip.mp4"},
    "unknown bytes": {"kind": "status", "status": 200, "body": "MZ\u0001\u0002 no media"},
}


@pytest.fixture
def clip(emulator, picture, monkeypatch):
    """A finished generation: its id and its bytes."""
    from airflow_runway.hooks.runway import RunwayHook

    monkeypatch.setenv("AIRFLOW_CONN_RUNWAY_DEFAULT", json.dumps(connection_to(emulator)))
    emulator.settings(seconds=0.001, link_lifetime=3600)
    hook = RunwayHook()
    image = emulator.put_media("keyframe.jpg", picture)
    payload = {"model": "gen4_turbo", "promptImage": image, "ratio": "1280:720", "duration": 2}
    runway_task_id = hook.submit("image_to_video", payload).runway_task_id
    content = requests.get(hook.get_task(runway_task_id).output[0], timeout=60).content
    assert len(content) > 10_000
    return runway_task_id, content


def fault(emulator, rules):
    for rule in rules:
        emulator.add_fault(on="output", **rule)


def check_saved(manifest, storage, clip):
    runway_task_id, content = clip
    files = storage.files()
    assert files.keys() == saved_names(runway_task_id)
    assert files[f"{runway_task_id}-0.mp4"] == content
    assert json.loads(files[f"{runway_task_id}.manifest.json"]) == manifest
    (entry,) = manifest["files"]
    assert (entry["bytes"], entry["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    assert (entry["media_type"], entry["width"], entry["height"]) == ("video/mp4", 1280, 720)
    assert entry["duration"] == pytest.approx(2, abs=0.1)
    assert entry["fps"] > 10
    assert "_jwt" not in str(manifest)
    assert storage.leftovers() == []


@pytest.mark.parametrize("rules", PASSING.values(), ids=PASSING)
def test_what_passes_is_overcome(rules, emulator, storage, clip, save):
    fault(emulator, rules)
    check_saved(save(clip[0]), storage, clip)


@pytest.mark.parametrize("rules", LASTING.values(), ids=LASTING)
def test_what_lasts_saves_nothing(rules, emulator, storage, clip, save):
    fault(emulator, rules)
    with pytest.raises(RunwayTransferError, match="untouched") as caught:
        save(clip[0])
    assert not isinstance(caught.value, RunwayTransferRefusedError)
    assert "_jwt" not in str(caught.value)
    assert (storage.files(), storage.leftovers()) == ({}, [])
    emulator.clear_faults()
    check_saved(save(clip[0]), storage, clip)


@pytest.mark.parametrize("rule", REFUSED.values(), ids=REFUSED)
def test_what_is_refused_saves_nothing(rule, emulator, storage, clip, save):
    fault(emulator, [rule])
    with pytest.raises(RunwayTransferRefusedError) as caught:
        save(clip[0])
    assert "_jwt" not in str(caught.value)
    assert (storage.files(), storage.leftovers()) == ({}, [])
    emulator.clear_faults()
    check_saved(save(clip[0]), storage, clip)


def downloads(emulator):
    return [request for request in emulator.requests() if request["path"].startswith("/_outputs/")]


def test_a_break_costs_no_byte_twice(emulator, storage, clip, save):
    fault(emulator, [{"kind": "drop", "bytes": 5_000}])
    before = len(downloads(emulator))
    save(clip[0])
    first, second = downloads(emulator)[before:]
    assert "range" not in first["headers"]
    assert second["headers"]["range"] == "bytes=5000-"
    assert second["headers"]["if-range"].startswith('"')
    assert all("authorization" not in request["headers"] for request in (first, second))


def test_running_again_downloads_nothing(emulator, storage, clip, save):
    manifest = save(clip[0])
    before = len(emulator.requests())
    assert save(clip[0]) == manifest
    assert len(emulator.requests()) == before


def test_a_file_without_its_manifest_is_not_downloaded_again(emulator, storage, clip, save, monkeypatch):
    from airflow_runway.transfers._saving.destination import Destination

    def killed(self, name, document):
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr(Destination, "write_document", killed)
        with pytest.raises(SystemExit):
            save(clip[0])
    assert [name for name in storage.files() if name.endswith((".mp4", ".json"))] == [f"{clip[0]}-0.mp4"]
    # A download could not end: only its beginning is looked at.
    fault(emulator, [{"kind": "drop", "bytes": 5_000, **NEVER}])
    check_saved(save(clip[0]), storage, clip)


def test_what_is_there_but_not_the_same_is_replaced(emulator, storage, clip, save):
    manifest = save(clip[0], file_name="{runway_task_id}-{index}{extension}")
    assert manifest["files"]
    with_other_name = save(clip[0], file_name="latest{extension}")
    assert with_other_name["files"][0]["path"].endswith("/latest.mp4")
    assert storage.files()["latest.mp4"] == clip[1]
    assert set(storage.files()) >= {"latest.manifest.json", f"{clip[0]}.manifest.json"}
