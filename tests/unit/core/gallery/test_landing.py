"""Where a task instance saves: as rendered, as noted, never as XCom says."""

from __future__ import annotations

import pytest

from airflow_runway.core.gallery.landing import MOST_IDS, NOTE_KEY, hints_of, landing_of, note_of, saves
from airflow_runway.core.gallery.records import TaskRecord

FIELDS = {"runway_task_id": "t1", "destination": "s3://aws@bucket/clips", "file_name": None}


def record(**parts):
    return TaskRecord("spring", "run 1", "save", -1, "success", **parts)


def test_from_rendered_fields():
    landing = landing_of(record(rendered=FIELDS))
    assert (landing.destination, landing.ids) == ("s3://aws@bucket/clips", ("t1",))
    assert landing.file_name.manifest("t1") == "t1.manifest.json"


def test_a_note_counts_more_and_longer():
    note = note_of("file:///clips", "{runway_task_id}/{index}{extension}", ["t1", "t2"])
    landing = landing_of(record(rendered=FIELDS, notes={NOTE_KEY: note}))
    assert (landing.destination, landing.ids) == ("file:///clips", ("t1", "t2"))
    assert landing_of(record(notes={NOTE_KEY: note})) == landing


def test_ids_that_were_too_many_come_from_the_result_and_places_do_not():
    long = {**FIELDS, "runway_task_id": "Truncated. You are likely accessing a field which is too long"}
    result = [{"runway_task_id": "t7", "files": [{"path": "/etc/passwd"}]}]
    landing = landing_of(record(rendered=long, xcoms={"return_value": result}))
    assert (landing.destination, landing.ids) == ("s3://aws@bucket/clips", ("t7",))


@pytest.mark.parametrize(
    "rendered",
    [
        None,
        {},
        {"destination": None},
        {"destination": ["a"]},
        {**FIELDS, "destination": "Truncated. You are"},
        {**FIELDS, "file_name": "../{index}"},
    ],
)
def test_nobody_says(rendered):
    xcoms = {"return_value": {"runway_task_id": "t1", "files": [{"path": "file:///clips/t1-0.mp4"}]}}
    assert landing_of(record(rendered=rendered, xcoms=xcoms)) is None


@pytest.mark.parametrize("note", [None, 7, [], {"destination": 7}])
def test_a_note_that_is_none(note):
    assert landing_of(record(rendered=FIELDS, notes={NOTE_KEY: note})).destination == "s3://aws@bucket/clips"


def test_a_note_fits_into_the_store():
    import json

    note = note_of("s3://" + "b" * 1000, "x" * 700, ["0" * 36] * 5000)
    assert len(note["ids"]) == MOST_IDS
    assert len(json.dumps(note)) < 65_535


def test_who_saves():
    assert saves(record(rendered=FIELDS))
    assert saves(record(operator="RunwayToObjectStorageOperator"))
    assert saves(record(notes={NOTE_KEY: {}}))
    assert not saves(record(operator="RunwaySubmitOperator", rendered={"route": "x"}))


def test_hints():
    manifest = {"runway_task_id": "t1", "files": [{"path": "file:///clips/t1-0.mp4"}]}
    assert hints_of(record(xcoms={"return_value": manifest})) == {"t1": "file:///clips/t1-0.mp4"}
    odd = [manifest, None, 7, {"runway_task_id": "t2", "files": []}, {"files": [{"path": "x"}]}]
    assert hints_of(record(xcoms={"return_value": odd})) == {"t1": "file:///clips/t1-0.mp4"}
    assert hints_of(record()) == {}
