"""What is taken out of Airflow's own tables, which people can edit."""

from __future__ import annotations

import pytest

from airflow_runway.core.gallery.records import ID_KEY, LINK_KEY, TaskRecord, ids_in


def record(**parts):
    return TaskRecord("spring", "run 1", "save", -1, "success", **parts)


@pytest.mark.parametrize(
    ("value", "ids"),
    [
        ("t1", ("t1",)),
        (["t1", "t2", "t1"], ("t1", "t2")),
        ({"id": "t1", "status": "SUCCEEDED"}, ("t1",)),
        ([{"runway_task_id": "t1"}, None, {"id": "t2"}], ("t1", "t2")),
        (None, ()),
        ("", ()),
        ("../../etc/passwd", ()),
        ("Truncated. You are likely accessing a field which is too long", ()),
        (7, ()),
        ("x" * 201, ()),
        ("<script>", ()),
    ],
)
def test_ids(value, ids):
    assert ids_in(value) == ids


@pytest.mark.parametrize(
    ("parts", "ours"),
    [
        ({"operator": "RunwayTaskSensor"}, True),
        ({"operator": "StudioFilm", "xcoms": {LINK_KEY: "https://e"}}, True),
        ({"operator": "StudioFilm", "notes": {"runway_batch": {}}}, True),
        ({"operator": "PythonOperator"}, False),
        ({"operator": "PythonOperator", "rendered": {ID_KEY: "t1"}}, False),
    ],
)
def test_which_are_ours(parts, ours):
    assert record(**parts).is_ours is ours


@pytest.mark.parametrize(
    ("given", "url"),
    [("https://portal/1", "https://portal/1"), ("javascript:alert(1)", ""), (["https://e"], ""), (None, "")],
)
def test_a_link_that_was_edited_leads_nowhere_but_to_the_web(given, url):
    assert record(xcoms={LINK_KEY: given}).url == url
