from __future__ import annotations

from types import SimpleNamespace

from airflow_runway.links.runway import RunwayTaskLink


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
