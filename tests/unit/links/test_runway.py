from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_runway.links.runway import RunwayClipsLink, RunwayTaskLink


def test_what_the_task_remembers_is_the_link():
    operator = SimpleNamespace(runway_task_url="https://dev.runwayml.com/")
    assert RunwayTaskLink().get_link(operator, ti_key=None) == "https://dev.runwayml.com/"


def test_a_phase_that_remembers_nothing_keeps_the_earlier_link(monkeypatch):
    from airflow.providers.common.compat.sdk import XCom

    asked = []

    def get_value(*, ti_key, key):
        asked.append((ti_key, key))
        return "https://dev.runwayml.com/"

    monkeypatch.setattr(XCom, "get_value", get_value)
    assert RunwayTaskLink().get_link(SimpleNamespace(), ti_key="ti") == "https://dev.runwayml.com/"
    assert asked == [("ti", "_link_RunwayTaskLink")]


@pytest.mark.parametrize(
    ("map_index", "task"), [(None, "film"), (-1, "film"), (0, "film/mapped/0"), (12, "film/mapped/12")]
)
def test_the_page_of_a_task_instance(map_index, task, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://studio/airflow/")
    key = SimpleNamespace(dag_id="spring", run_id="manual__1+00:00", task_id="film", map_index=map_index)
    expected = f"https://studio/airflow/dags/spring/runs/manual__1%2B00%3A00/tasks/{task}/plugin/runway-clips"
    assert RunwayClipsLink().get_link(None, ti_key=key) == expected
    monkeypatch.setenv("AIRFLOW__RUNWAY__GALLERY", "False")
    assert RunwayClipsLink().get_link(None, ti_key=key) == ""
