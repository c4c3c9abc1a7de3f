from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_runway.core.models import RunwayTask, TaskStatus
from airflow_runway.core.owner import Owner
from airflow_runway.core.saving.manifest import complete_manifest, file_entry, file_facts, manifest_of

ENTRY = file_entry(
    0, "s3://aws@bucket/t1-0.mp4", 7, "0" * 64, "video/mp4", {"width": 2, "height": 1, "fps": 24.0}
)


OWNER = Owner("campaign", "manual__1", "save", 3, "film")


def manifest(**changes):
    fields = {"gateway": "cometapi", "route": "image_to_video", "saved_at": "now", **changes}
    task = RunwayTask("t1", TaskStatus.SUCCEEDED, finished_at="2026-01-01T00:00:00+00:00", cost_credits=25)
    return manifest_of("t1", task, [ENTRY], **fields)


def test_it_is_plain_json():
    whole = manifest()
    assert json.loads(json.dumps(whole)) == whole
    assert whole["finished_at"] == "2026-01-01T00:00:00+00:00"
    assert complete_manifest(whole, "t1") == whole
    assert whole["files"] == [ENTRY]


def test_a_manifest_of_0_1_0_is_complete_and_its_owner_is_not_known():
    old = {name: value for name, value in manifest().items() if name not in {"model", "owner"}}
    assert complete_manifest(old, "t1") == old
    extra = file_facts(old, ENTRY, "s3://aws@bucket/t1.manifest.json")
    assert (extra["model"], extra["owner"]) == (None, None)


def test_a_cost_that_nobody_told_is_null_and_one_of_nothing_is_0():
    for cost in (None, 0.0):
        task = RunwayTask("t1", TaskStatus.FAILED, cost_credits=cost)
        assert (
            manifest_of("t1", task, [], gateway="runway", route=None, saved_at="now")["cost_credits"] is cost
        )


def test_errors_carry_no_signed_query():
    error = manifest(error=ValueError("https://cdn.example/clip.mp4?_jwt=secret was bad"))["error"]
    assert error["message"] == "https://cdn.example/clip.mp4?… was bad"
    assert error["type"] == "ValueError"


@pytest.mark.parametrize(
    "change",
    [
        {"manifest_version": 2},
        {"runway_task_id": "t2"},
        {"files": []},
        {"files": None},
        {"files": [{**ENTRY, "index": 1}]},
        {"files": [{**ENTRY, "bytes": "7"}]},
        {"files": [{**ENTRY, "bytes": True}]},
        {"files": ["x"]},
        {"error": {}},
    ],
)
def test_what_is_no_complete_manifest_of_ours(change):
    assert complete_manifest({**manifest(), **change}, "t1") is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([*manifest(), *ENTRY]), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(JSON)
def test_any_document_is_looked_at(document):
    found = complete_manifest(document, "t1")
    assert found is None or all(isinstance(entry["path"], str) for entry in found["files"])


def test_what_an_event_carries():
    extra = file_facts(manifest(model="gen4_turbo", owner=OWNER), ENTRY, "s3://aws@bucket/t1.manifest.json")
    assert extra == {
        "runway_task_id": "t1",
        "gateway": "cometapi",
        "route": "image_to_video",
        "model": "gen4_turbo",
        "owner": OWNER.as_json(),
        "cost_credits": 25,
        "path": "s3://aws@bucket/t1-0.mp4",
        "bytes": 7,
        "sha256": "0" * 64,
        "media_type": "video/mp4",
        "width": 2,
        "height": 1,
        "duration": None,
        "fps": 24.0,
        "poster": None,
        "contact_sheet": None,
        "manifest": "s3://aws@bucket/t1.manifest.json",
    }
