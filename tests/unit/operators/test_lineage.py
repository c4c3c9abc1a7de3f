"""What each operator tells of lineage; OpenLineage's own classes are in ``integration/lineage``."""

from __future__ import annotations

import subprocess
import sys

import pytest
from unit.operators.batch_tries import prompts
from unit.scripted import Scripted

from airflow_runway.core.saving.lineage import DatasetName
from airflow_runway.operators.review import RunwayReviewOperator
from airflow_runway.operators.runway import RunwayImageToVideoOperator, RunwaySubmitOperator
from airflow_runway.sensors.runway import RunwayTaskSensor

ACCEPTED = Scripted(200, {"id": "t1", "estimatedCost": {"credits": 25}})


def film(**fields):
    return RunwayImageToVideoOperator(
        **{"task_id": "film", "model": "gen4_turbo", "prompt_image": "https://e/a.jpg?sig=x", **fields}
    )


def test_a_submission(connected, context):
    connected.answers(ACCEPTED)
    task = film(prompt_text="a fox")
    task.execute(context)
    told = task.lineage()
    assert told.inputs == (DatasetName("https://e", "/a.jpg"),)
    assert told.outputs == (DatasetName("runway", "t1/0"),)
    assert told.facts == {
        "runwayTaskIds": ["t1"], "gateway": "runway", "route": "image_to_video", "model": "gen4_turbo",
        "credits": 25.0,
    }  # fmt: skip


def test_with_its_prompt_where_that_is_asked_for(connected, context, monkeypatch):
    monkeypatch.setenv("AIRFLOW__RUNWAY__LINEAGE_PROMPTS", "True")
    connected.answers(ACCEPTED)
    task = film(prompt_text="a fox")
    task.execute(context)
    assert task.lineage().facts["prompts"] == ["a fox"]


def test_a_submission_that_was_refused_has_made_nothing(connected, context):
    connected.answers(Scripted(400, {"error": "no"}))
    task = film()
    with pytest.raises(Exception, match="no"):
        task.execute(context)
    assert task.lineage().outputs == ()


def test_a_sensor(connected):
    told = RunwayTaskSensor(task_id="wait", runway_task_id="t1").lineage()
    assert (told.inputs, told.outputs) == ((DatasetName("runway", "t1/0"),), ())
    assert told.facts == {"runwayTaskIds": ["t1"], "gateway": "runway"}


def test_a_batch(batch):
    tries = batch(requests=prompts("a", "b"))
    made = []
    plain = tries.operator
    tries.operator = lambda **fields: made.append(plain(**fields)) or made[-1]
    tries.to_the_end()
    told = made[-1].lineage()
    assert len(told.outputs) == 2
    assert (told.facts["route"], told.facts["model"]) == ("text_to_video", "gen4.5")
    assert [f"runway/{one}/0" for one in told.facts["runwayTaskIds"]] == [
        f"{one.namespace}/{one.name}" for one in told.outputs
    ]


def test_a_review_that_has_not_ended():
    told = RunwayReviewOperator(task_id="choose", shots=["t1"]).lineage()
    assert (told.inputs, told.outputs, told.facts) == ((), (), {})


def test_a_dag_file_imports_nothing_of_it():
    code = (
        "import sys, airflow_runway.operators.runway, airflow_runway.operators.review\n"
        "print('airflow_runway._lineage' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "False"


def test_trouble_with_it_is_no_trouble_of_the_task(connected):
    pytest.importorskip("airflow.providers.openlineage", reason="OpenLineage's provider is not installed")
    task = RunwaySubmitOperator(task_id="t", route="r", payload="no object")
    assert task.get_openlineage_facets_on_complete(None) is None
