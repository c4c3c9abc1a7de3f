"""The operator between its shots and Airflow's human-in-the-loop; whole runs: ``integration/ui/test_review``."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace

import pytest
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Asset
from airflow.sdk.execution_time.context import OutletEventAccessors

from airflow_runway.core.review.form import REJECT, USE
from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.operators.review import RunwayReviewOperator

FILE = {"index": 0, "path": "file:///a.png", "media_type": "image/png"}
OWNER = {"dag_id": "film", "run_id": "r/1", "task_id": "save", "map_index": None}
MANIFEST = {"runway_task_id": "one", "files": [FILE], "owner": OWNER}


class FakeTaskInstance(SimpleNamespace):
    def __init__(self):
        super().__init__(dag_id="film", run_id="r/1", task_id="choose", map_index=-1, xcoms={})

    def xcom_push(self, key, value):
        self.xcoms[key] = value

    def xcom_pull(self, *, task_ids, key, map_indexes):
        assert (task_ids, map_indexes) == ("choose", -1)
        return self.xcoms.get(key)


@pytest.fixture
def asked(monkeypatch):
    """What Airflow's own operator was given to ask."""
    seen = []
    monkeypatch.setattr(HITLOperator, "execute", lambda self, context: seen.append(self))
    return seen


@pytest.fixture
def context():
    return {"ti": FakeTaskInstance(), "outlet_events": OutletEventAccessors()}


def review(**fields):
    return RunwayReviewOperator(task_id="choose", **fields)


def test_it_asks_with_pictures_and_fields(asked, context, monkeypatch):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://air.example/team/")
    review(shots=[[MANIFEST, "two"]], labels=["beach"]).execute(context)
    (question,) = asked
    assert "![A](/team/runway/file/film?" in question.body
    assert "(https://air.example/team/dags/film/runs/r%2F1/plugin/runway-gallery)" in question.body
    assert dict(question.params) == {"shot_001": "none", "shot_001_note": None}
    assert question.options == [USE, REJECT]


def test_with_the_pages_switched_off_it_names_none(asked, context, monkeypatch):
    monkeypatch.setenv("AIRFLOW__RUNWAY__GALLERY", "False")
    review(shots=[MANIFEST]).execute(context)
    assert "](" not in asked[0].body


@pytest.mark.parametrize("shots", [[], "one", [None], [{"files": []}, []]])
def test_where_nothing_can_be_asked_nobody_is(shots, asked, context):
    with pytest.raises(RunwayConfigurationError, match="Nobody was asked"):
        review(shots=shots).execute(context)
    assert asked == []


def test_an_answer_counts_for_what_was_shown(asked, context):
    outlet = Asset("choice")
    operator = review(shots=[[MANIFEST, "two"], "three"], outlets=[outlet])
    operator.execute(context)
    # What the templates come to may be another list by now.
    operator.shots = ["other"]
    event = {
        "chosen_options": [USE], "params_input": {"shot_001": "A"},
        "responded_by_user": {"id": "7", "name": "Ada"}, "responded_at": "2026-11-25T20:00:00",
    }  # fmt: skip
    (chosen,) = operator.execute_complete(context, event)
    assert (chosen["runway_task_id"], chosen["path"], chosen["manifest"]) == (
        "one",
        "file:///a.png",
        MANIFEST,
    )
    whole = context["ti"].xcoms["review"]
    assert [shot["variant"] for shot in whole["shots"]] == ["A", None]
    assert context["outlet_events"][outlet].extra == {"review": whole}


def test_without_the_note_it_is_read_anew(asked, context, caplog):
    operator = review(shots=[MANIFEST])
    assert operator.execute_complete(context, {"error": "", "error_type": "timeout"}) == []
    assert context["ti"].xcoms["review"]["ending"] == "silence"


@pytest.mark.parametrize("name", ["options", "defaults", "multiple"])
def test_what_is_its_own_cannot_be_given(name):
    with pytest.raises(ValueError, match=f"{name} is the operator's own"):
        review(shots=[MANIFEST], **{name: ["x"]})


def test_silence_goes_on_where_it_is_bounded():
    assert review(shots=[MANIFEST], response_timeout=timedelta(hours=1)).defaults == [REJECT]
    assert review(shots=[MANIFEST]).defaults is None
    assert review(shots=[MANIFEST]).retries == 2
