from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from airflow_runway.core.owner import Owner, owner_of

FIELDS = {"dag_id": "campaign", "run_id": "manual__1", "task_id": "shots.submit"}


@pytest.mark.parametrize(("given", "index"), [(-1, None), (None, None), (0, 0), (7, 7)])
def test_a_task_that_is_not_mapped_has_no_index(given, index):
    owner = owner_of(SimpleNamespace(**FIELDS, map_index=given))
    assert owner == Owner("campaign", "manual__1", "shots.submit", index)


def test_a_team_is_told_by_the_tags_of_airflows_own_statistics():
    tags = {"dag_id": "campaign", "task_id": "shots.submit", "team_name": "film"}
    owner = owner_of(SimpleNamespace(**FIELDS, map_index=-1, stats_tags=tags))
    assert owner.team_name == "film"
    assert owner.tags == tags


def test_a_run_is_no_tag_and_a_team_that_is_not_there_neither():
    assert Owner(**FIELDS).tags == {"dag_id": "campaign", "task_id": "shots.submit"}


@pytest.mark.parametrize("other", [None, object(), SimpleNamespace(dag_id=None, task_id="x")])
def test_what_is_no_task_instance_has_no_owner(other):
    assert owner_of(other) is None


def test_tags_that_cannot_be_put_together_cost_the_team_alone():
    class Broken(SimpleNamespace):
        @property
        def stats_tags(self):
            raise RuntimeError("not started yet")

    assert owner_of(Broken(**FIELDS, map_index=2)) == Owner(**FIELDS, map_index=2)


def test_in_documents_what_is_not_known_is_null():
    facts = Owner(**FIELDS).as_json()
    assert facts == {**FIELDS, "map_index": None, "team_name": None}
    assert json.loads(json.dumps(facts)) == facts


def test_what_this_airflow_gives_a_task_is_understood():
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

    ti = RuntimeTaskInstance.model_construct(**FIELDS, map_index=2)
    if hasattr(RuntimeTaskInstance, "stats_tags"):  # Airflow 3.3
        ti._ti_context_from_server = SimpleNamespace(dag_run=SimpleNamespace(team_name="film"))
    team = "film" if hasattr(RuntimeTaskInstance, "stats_tags") else ""
    assert owner_of(ti) == Owner(**FIELDS, map_index=2, team_name=team)
