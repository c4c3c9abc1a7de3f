"""What an author may hand in as shots, and what is told of what cannot be one."""

from __future__ import annotations

import json

import pytest

from airflow_runway.core.facts import CoreError
from airflow_runway.core.review.shots import Shot, Variant, read_shots, shots_from_json

ID = "0f4b1c6e-9d2a-4f0e-8a53-1f1b7c0d2e3a"


def manifest(runway_task_id=ID, files=1):
    return {
        "runway_task_id": runway_task_id,
        "model": "gen4_image",
        "files": [{"index": index, "path": f"file:///clips/{index}.png"} for index in range(files)],
    }


@pytest.mark.parametrize(
    ("entry", "variants"),
    [
        (ID, [("A", ID, 0, "")]),
        (manifest(), [("A", ID, 0, "file:///clips/0.png")]),
        (manifest(files=2), [("A", ID, 0, "file:///clips/0.png"), ("B", ID, 1, "file:///clips/1.png")]),
        ([manifest("one"), "two"], [("A", "one", 0, "file:///clips/0.png"), ("B", "two", 0, "")]),
        ([manifest(), None, manifest(files=0)], [("A", ID, 0, "file:///clips/0.png")]),
        (None, []),
        ([], []),
        (manifest(files=0), []),
        ({**manifest(), "files": ["x", {"index": "0", "path": "p"}, {"index": 0, "path": 7}]}, []),
        ({"runway_task_id": ID}, [("A", ID, 0, "")]),
        (7, []),
    ],
)
def test_an_entry_offers_its_files(entry, variants):
    (shot,) = read_shots([entry])
    assert [(one.name, one.runway_task_id, one.index, one.path) for one in shot.variants] == variants


def test_shots_have_numbers_and_labels():
    first, second = read_shots([ID, ID], labels=["beach", ""], prompts=["a beach", None])
    assert (first.number, first.label, first.prompt, first.field) == (1, "beach", "a beach", "shot_001")
    assert (second.label, second.prompt, second.note_field) == ("Shot 2", "", "shot_002_note")


def test_what_was_chosen_has_only_its_file():
    (shot,) = read_shots([manifest(files=3)])
    assert shot.variants[1].kept == {**manifest(), "files": [{"index": 1, "path": "file:///clips/1.png"}]}
    assert Variant("A", ID).kept is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"shots": ID}, "shots is str, not a list"),
        ({"shots": manifest()}, "shots is dict, not a list"),
        ({"shots": None}, "shots is NoneType, not a list"),
        ({"shots": []}, "shots is empty"),
        ({"shots": [ID] * 51}, "51 entries, and one form takes 50"),
        ({"shots": [[ID] * 27]}, "shot 1 has 27 variants"),
        ({"shots": [ID], "labels": ["a", "b"]}, "labels has 2 entries, and shots has 1"),
        ({"shots": [ID], "prompts": "a beach"}, "prompts is str, not a list"),
    ],
)
def test_what_cannot_be_asked_is_told(given, told):
    with pytest.raises(CoreError, match="Nobody was asked") as caught:
        read_shots(given.pop("shots"), **given)
    assert told in str(caught.value)


def test_they_come_back_from_json():
    shots = read_shots([[manifest(files=2), "two"], None], labels=["夜", "b"])
    stored = json.loads(json.dumps([shot.as_json() for shot in shots]))
    assert shots_from_json(stored) == shots


@pytest.mark.parametrize("stored", [None, 7, "text", [1], [{"number": "x"}], [{"number": 1, "label": "a"}]])
def test_what_is_stored_and_is_none(stored):
    assert shots_from_json(stored) is None


def test_keys_and_signatures_are_not_shown():
    (shot,) = read_shots([ID], prompts=["see https://host/x.png?_jwt=secretsecretsecret"])
    assert isinstance(shot, Shot)
    assert "secretsecret" not in shot.prompt
