"""The pages as HTML: every trouble is a tile that says so, and no word of a stranger is markup."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest
from unit.core.gallery.test_generations import film

from airflow_runway.core.gallery.generations import generations_of
from airflow_runway.core.gallery.records import TaskRecord
from airflow_runway.core.owner import Owner
from airflow_runway.core.saving.manifest import file_entry, manifest_of
from airflow_runway.plugins import _pages
from airflow_runway.plugins._pages import Page, rendered, task_url
from airflow_runway.plugins._storage import Storage
from airflow_runway.plugins._tiles import Tiles

HOSTILE = '"><script>alert(1)</script>{{ 7 * 7 }}\u202e\u0000'


@pytest.fixture
def clips(tmp_path):
    """Saves a generation into a folder, as a task of the run would have."""

    def put(**changes):
        path = f"file://{tmp_path}/t1-0"
        measures = {"width": 1280, "height": 720, "duration": 5.0, "fps": 24.0}
        stills = {"poster": f"{path}.poster.jpg", "contact_sheet": f"{path}.sheet.jpg"}
        entry = file_entry(0, f"{path}.mp4", 2_400_000, "0" * 64, "video/mp4", measures, stills)
        owner = Owner("spring", "r", "save")
        made = manifest_of("t1", None, [entry], gateway="x", route="image_to_video", saved_at="", owner=owner)
        (tmp_path / "t1.manifest.json").write_text(json.dumps({**made, "cost_credits": 25, **changes}))

    put.folder = f"file://{tmp_path}"
    return put


def saver(clips, ids="t1", index=-1, state="success", **parts):
    rendered = {"runway_task_id": ids, "destination": clips.folder}
    return TaskRecord(
        "spring", "r", "save", index, state, "RunwayToObjectStorageOperator", rendered=rendered, **parts
    )


def page_of(*records, state="", number=1, task=None):
    page = Page("spring", "r", generations_of(records), records, state, number, task)
    return rendered(page, Tiles(Storage(), (), "/runway"))


def tiles_in(html):
    return re.findall(r'<li class="tile (\w+)', html)


def test_a_saved_clip(clips):
    clips()
    maker = film(rendered={"prompt_text": "a lighthouse", "model": "gen4_turbo", "route": "image_to_video"})
    html = page_of(maker, saver(clips))
    assert tiles_in(html) == ["saved"]
    for words in (
        "1280 x 720",
        "5 s",
        "24 fps",
        "2.4 MB",
        "25 credits",
        "gen4_turbo",
        "a lighthouse",
        "t1-0.mp4",
    ):
        assert words in html
    assert (
        "/runway/file/spring?run_id=r&amp;task_id=save&amp;map_index=-1&amp;generation=t1&amp;index=0&amp;kind=poster"
        in html
    )
    assert 'loading="lazy"' in html


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"runway_task_id": "t2"}, "was edited"),
        ({"owner": {"dag_id": "autumn"}}, "another Dag"),
        ({"files": 7}, "was edited"),
        ({"error": {"message": "The gateway said no."}}, "The gateway said no."),
        ({"files": [], "error": {"message": None}}, "None"),
        ({"cost_credits": "many"}, "saved"),
        ({"cost_credits": float("nan")}, "saved"),
        ({"model": ["x"]}, "saved"),
    ],
)
def test_a_manifest_that_was_edited_or_tells_of_a_failure(clips, changes, words):
    clips(**changes)
    assert words in page_of(film(), saver(clips))


def test_a_file_that_is_gone(clips):
    assert "is not there (any more)" in page_of(film(), saver(clips))


def test_a_run_whose_folder_nobody_knows_any_more():
    assert "[runway] gallery_from" in page_of(
        TaskRecord(
            "spring", "r", "save", -1, "success", "RunwayToObjectStorageOperator",
            xcoms={"return_value": {"runway_task_id": "t1", "files": [{"path": "file:///clips/t1-0.mp4"}]}},
        )
    )  # fmt: skip


def test_words_of_strangers(clips):
    clips(model=HOSTILE, route=HOSTILE)
    maker = film(
        label=HOSTILE,
        rendered={"prompt_text": HOSTILE},
    )
    html = page_of(maker, saver(clips))
    assert "<script>alert" not in html
    assert html.count("<script") == 1
    assert "{{ 7 * 7 }}" in html


def test_names_in_any_script(clips):
    clips()
    assert "夜の東京 \N{SNOWFLAKE} \u05d0" in page_of(
        film(label="夜の東京 \N{SNOWFLAKE} \u05d0"), saver(clips)
    )


def test_nothing_of_ours():
    other = TaskRecord("spring", "r", "x", -1, "success", "PythonOperator")
    for task in (None, ("x", -1)):
        assert "Nothing of Runway" in page_of(other, task=task)
    assert "Nothing of Runway" in page_of()


def test_states_are_counted_and_chosen(clips):
    records = [film(0, runway_task_id="t1", state="deferred"), film(1, runway_task_id="t2", state="failed")]
    html = page_of(*records)
    assert tiles_in(html) == ["running", "failed"]
    assert "running 1" in html
    assert "failed 1" in html
    assert 'data-refresh="5"' in html
    assert tiles_in(page_of(*records, state="failed")) == ["failed"]
    assert tiles_in(page_of(*records, state="nonsense")) == ["running", "failed"]
    assert 'data-refresh="0"' in page_of(records[1])


def test_ten_thousand(monkeypatch):
    monkeypatch.setattr(_pages, "PAGE", 100)
    records = [film(index, runway_task_id=f"t{index}") for index in range(10_000)]
    page = Page("spring", "r", generations_of(records), records, "", 100)
    assert page.last == 100
    assert page.here[0].runway_task_id == "t9900"
    assert len(tiles_in(rendered(page, Tiles(Storage(), (), "/runway")))) == 100
    assert Page("spring", "r", generations_of(records), records, "", 101).here == []


def test_links(monkeypatch):
    record = TaskRecord("spring", "manual__2026-01-01T00:00:00+00:00", "a.b", 3, "success")
    assert (
        task_url("", record)
        == "/dags/spring/runs/manual__2026-01-01T00%3A00%3A00%2B00%3A00/tasks/a.b/mapped/3"
    )
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://studio/airflow/")
    assert "/airflow/dags/" in page_of(film())
    assert "/airflow/runway/static/gallery.css" in page_of(film())
    assert "javascript:" not in page_of(film(notes={}))


def test_the_plugin_imports_little():
    """Every part of Airflow imports it, and only the api-server ever answers a request."""
    code = (
        "import airflow.plugins_manager, sys; before = set(sys.modules);"
        "import airflow_runway.plugins.runway as it; it.RunwayPlugin.external_views;"
        "print(sorted(set(sys.modules) - before))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    new = eval(found.splitlines()[-1])
    assert all(name.startswith("airflow_runway") for name in new), new
    assert len(new) < 8


@pytest.mark.parametrize(("setting", "count"), [("False", 0), ("True", 2)])
def test_it_can_be_switched_off(setting, count):
    code = (
        "from airflow_runway.plugins.runway import RunwayPlugin as it;"
        "print(len(it.external_views), len(it.fastapi_apps))"
    )
    import os

    env = {**os.environ, "AIRFLOW__RUNWAY__GALLERY": setting}
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=env
    ).stdout
    assert found.splitlines()[-1] == f"{count} {count // 2}"
