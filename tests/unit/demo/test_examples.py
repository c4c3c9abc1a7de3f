from __future__ import annotations

import pytest

from airflow_runway.demo import examples
from airflow_runway.demo.errors import DemoError
from airflow_runway.demo.run import DAG_ID


def test_the_example_of_the_demo_is_found():
    source = (examples.example_dags() / f"{DAG_ID}.py").read_text()
    assert f'dag_id="{DAG_ID}"' in source


def test_a_wheel_carries_its_own_examples(tmp_path, monkeypatch):
    carried = tmp_path / "airflow_runway" / "dags_examples"
    carried.mkdir(parents=True)
    monkeypatch.setattr(examples, "__file__", str(tmp_path / "airflow_runway" / "demo" / "examples.py"))
    assert examples.example_dags() == carried


def test_an_installation_without_them_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(examples, "__file__", str(tmp_path / "airflow_runway" / "demo" / "examples.py"))
    with pytest.raises(DemoError, match="install airflow-provider-runway anew"):
        examples.example_dags()
