"""No pattern, index or id gives a name that leaves its folder: pinned, beside the property of ``test_naming``."""

from __future__ import annotations

import posixpath

import pytest

from airflow_runway.core.facts import CoreError
from airflow_runway.core.saving.naming import FileName

PATTERNS = [
    "..{index}/a", "..{index:03}/a", ".{index}./a", "a/..{index}/b", "{index}/../a", "a/{index}/..", "..{extension}",
    "{extension}", "/{index}", "//{index}", "a//{index}", "./{index}", "a\\..\\{index}", "{index}\x00", "{index}\n",
    "data:,{index}", "..", ".", "", "{runway_task_id}/../../{index}",
]  # fmt: skip
HARMLESS = [
    "{runway_task_id}-{index}{extension}",
    "..{index}",
    "{index}..",
    "~{index}",
    "C:{index}",
    "%2e%2e/{index}",
]
IDS = ["t1", "..", ".", "..%2f..", "a.b", "-", "~"]


def names_of(pattern, runway_task_id):
    """All names that a generation gets."""
    file_name = FileName.parse(pattern)
    return [
        file_name.name(runway_task_id, 0, "video/mp4"),
        file_name.name(runway_task_id, 12, "image/png"),
        file_name.stem(runway_task_id, 0),
        file_name.manifest(runway_task_id),
    ]


@pytest.mark.parametrize("runway_task_id", IDS)
@pytest.mark.parametrize("pattern", [*PATTERNS, *HARMLESS])
def test_a_name_stays_inside(pattern, runway_task_id):
    try:
        names = names_of(pattern, runway_task_id)
    except CoreError:
        names = []
    assert names or pattern not in HARMLESS
    for name in names:
        inside = posixpath.normpath(posixpath.join("/destination", name))
        assert inside.startswith("/destination/"), name
        assert "\\" not in name
        assert name.isprintable()
        assert posixpath.normpath(name) == name


@pytest.mark.parametrize("pattern", PATTERNS)
def test_these_are_refused_whatever_the_id(pattern):
    with pytest.raises(CoreError):
        names_of(pattern, "t1")
