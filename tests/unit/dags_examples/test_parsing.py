"""Every example can be read by Airflow's dag-processor on a machine that can neither render nor cut."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from airflow import __version__ as airflow_version

from airflow_runway.demo.examples import example_dags

#: What is told of a file, by an interpreter to which the media libraries are unknown.
CODE = """
import importlib, json, sys
folder, *modules = sys.argv[1:]
sys.path.insert(0, folder)  # as Airflow does with the folder of a bundle
for name in ("av", "PIL", "numpy", "starlette", "uvicorn"):
    sys.modules[name] = None
from airflow.sdk import DAG
try:
    from airflow.serialization.serialized_objects import DagSerialization
except ImportError:  # before Airflow 3.2
    from airflow.serialization.serialized_objects import SerializedDAG as DagSerialization

told = {}
for name in modules:
    module = importlib.import_module(name)
    dags = [value for value in vars(module).values() if isinstance(value, DAG)]
    for dag in dags:
        dag.validate()
        dag.check_cycle()
        dag.params.validate()
        DagSerialization.to_dict(dag)
    told[name] = [
        {
            "dag_id": dag.dag_id,
            "story": dag.doc_md,
            "tags": sorted(dag.tags),
            "untitled": [key for key in dag.params if not dag.params.get_param(key).schema.get("title")],
            "alone": [task.task_id for task in dag.tasks if not task.upstream_list and not task.downstream_list],
        }
        for dag in dags
    ]
heavy = ("aiohttp", "requests", "airflow.providers.http.hooks.http")
print(json.dumps({"told": told, "heavy": [name for name in heavy if name in sys.modules]}))
"""

#: What says in its first line that it needs Airflow 3.3.
NEWER = {"film_shots", "film_when_ready"} if airflow_version < "3.3" else set()
FILES = sorted({file.stem for file in example_dags().glob("*.py")} - NEWER)
#: What is not a Dag, but used by one.
HELPERS = {"film_cutting"}


@pytest.fixture(scope="module")
def parsed():
    command = [sys.executable, "-c", CODE, str(example_dags()), *FILES]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.strip().splitlines()[-1])


def test_reading_them_loads_nothing_heavy(parsed):
    assert parsed["heavy"] == []


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_one_story_that_runs_as_it_is(name, parsed):
    dags = parsed["told"][name]
    if name in HELPERS:
        assert dags == []
        return
    (dag,) = dags
    assert dag["dag_id"] == name
    assert dag["story"].strip()
    assert dag["tags"] == ["runway"]
    assert dag["untitled"] == []
    assert dag["alone"] == []


@pytest.mark.parametrize("name", sorted(HELPERS))
def test_a_helper_is_passed_over_by_the_dag_processor(name):
    """Airflow takes a file for one of Dags when both words are in it."""
    source = (example_dags() / f"{name}.py").read_text().lower()
    assert not ("dag" in source and "airflow" in source)
