"""A review on a real Airflow, answered over its REST API, which checks nothing of an answer."""

from __future__ import annotations

import time
from urllib.parse import quote

import pytest

from airflow_runway.core.review.form import REJECT, USE

WAITS = {"awaiting_input", "deferred"}
#: Seconds that a person looks at pictures, at least.
LOOKED_FOR = 2.5


@pytest.fixture(scope="module")
def saved(guarded, running_emulator):
    """A run whose stills are there: later ones take them up again by clearing only the question."""
    running_emulator.reset()
    return guarded.trigger_dag("review", {"folder": f"file://{guarded.folder}"})


def path(run_id, rest=""):
    return f"/api/v2/dags/review/dagRuns/{quote(run_id, safe='')}/taskInstances/choose/-1{rest}"


def state(guarded, run_id, task_id="choose"):
    return {one["task_id"]: one["state"] for one in guarded.task_instances("review", run_id)}.get(task_id)


def asked(guarded, run_id):
    """Wait until the question is there; gives it."""
    guarded.wait_until(lambda: state(guarded, run_id) in WAITS, 120, "the question")
    return guarded.request("GET", path(run_id, "/hitlDetails"))


def answered(guarded, run_id, options, fields):
    # No sooner than a person could: one that comes before the scheduler knows of the question is lost.
    asked_at = time.monotonic()
    guarded.wait_until(lambda: time.monotonic() - asked_at > LOOKED_FOR, 30, "a person who looks")
    answer = {"chosen_options": options} | ({} if fields is None else {"params_input": fields})
    guarded.request("PATCH", path(run_id, "/hitlDetails"), answer)
    assert guarded.wait_for_run("review", run_id) == "success"
    return guarded.xcom("review", run_id, "choose", "review"), guarded.xcom("review", run_id, "choose")


@pytest.fixture
def asked_again(guarded, saved):
    """Waits for the question, and clears it after the answer."""
    asked(guarded, saved)
    yield
    guarded.clear("review", saved, "choose", "use")


def test_what_is_asked(guarded, saved):
    question = asked(guarded, saved)
    assert question["options"] == [USE, REJECT]
    body = question["body"]
    assert body.count("![A](/runway/file/review?") == 3
    assert "a red shoe \\| on \\<b\\>sand\\</b\\>" in body
    assert "plugin/runway-gallery" in body
    assert sorted(question["params"])[:2] == ["shot_001", "shot_001_note"]


@pytest.mark.parametrize(
    ("options", "fields", "ending", "variants"),
    [
        (
            [USE],
            {"shot_001": "B", "shot_002": "none", "shot_003": "A", "shot_001_note": "warmer"},
            "chosen",
            "B-A",
        ),
        ([USE], {}, "unusable", "---"),
        ([USE], None, "unusable", "---"),
        ([USE], {"shot_001": "Z", "other": 7}, "unusable", "---"),
        ([USE], {"shot_001": "A"}, "chosen", "A--"),
        ([USE], {f"shot_{number:03}": "none" for number in (1, 2, 3)}, "none", "---"),
        ([REJECT], {"shot_001": "A", "shot_002": "A", "shot_003": "A"}, "rejected", "---"),
    ],
)
def test_what_an_answer_means(options, fields, ending, variants, guarded, saved, asked_again):
    review, chosen = answered(guarded, saved, options, fields)
    assert review["ending"] == ending
    assert "".join(shot["variant"] or "-" for shot in review["shots"]) == variants
    assert [one["variant"] for one in chosen] == list(variants.replace("-", ""))
    # Before 3.3 Airflow's trigger refuses words that no field has, and does not say whose they were.
    told = {"admin", None} if ending == "unusable" else {"admin"}
    assert review["responded_by"] in told
    assert bool(review["responded_at"]) == bool(review["responded_by"])
    path_of_events = "/api/v2/assets/events?source_dag_id=review&limit=100"
    events = guarded.request("GET", path_of_events)["asset_events"]
    assert max(events, key=lambda event: event["id"])["extra"]["review"] == review
    # Instances of an earlier answer, which this one has no use for, are removed.
    used = [one["state"] for one in guarded.task_instances("review", saved) if one["task_id"] == "use"]
    assert [state for state in used if state not in {"removed", "skipped"}] == ["success"] * len(chosen)


def test_silence_is_no_approval_and_no_failure(guarded):
    guarded.wait_for_dag("silent")
    run_id = guarded.trigger_dag("silent", {})
    assert guarded.wait_for_run("silent", run_id) == "success"
    review = guarded.xcom("silent", run_id, "choose", "review")
    assert (review["ending"], review["responded_by"]) == ("silence", None)
    assert [shot["variant"] for shot in review["shots"]] == [None, None]
    states = {
        one["task_id"]: (one["state"], one["try_number"]) for one in guarded.task_instances("silent", run_id)
    }
    assert states == {"choose": ("success", 1), "use": ("skipped", 0)}
