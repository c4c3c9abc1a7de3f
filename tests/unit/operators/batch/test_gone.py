"""Results that were deleted before they were stored: paid for, and made again only where a person says so."""

from __future__ import annotations

import contextlib
import json

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from unit.operators.batch_tries import Downloads, hiding, prompts
from unit.operators.memory import Crash

from airflow_runway.exceptions import RunwayBatchError, RunwayBatchIncompleteError


@pytest.fixture
def downloads(monkeypatch):
    return Downloads(monkeypatch)


@pytest.fixture(params=["404", "task_not_exist"])
def gone(request, batch, downloads, monkeypatch, tmp_path):
    """Of three that succeeded and could not be stored, the first is deleted."""
    if request.param != "404":
        hiding(monkeypatch)
    path = tmp_path / "manifest.jsonl"
    one = batch(
        destination=f"file://{tmp_path}/out", manifest=f"file://{path}", on_partial_failure="fail",
    )  # fmt: skip
    one.path = path
    downloads.broken = True
    with pytest.raises(RunwayBatchIncompleteError, match="away"):
        one.to_the_end()
    assert [item["state"] for item in one.store.values["runway_batch_0000"]] == ["unsaved"] * 3
    downloads.broken = False
    one.gateway.tasks["t1"] = "GONE"
    one.now += 4_000
    return one


def states(one):
    return [item["state"] for item in one.store.values["runway_batch_0000"]]


@pytest.mark.parametrize("way", ["retry", "clear"])
def test_it_is_named_with_its_id_and_the_cure_and_paid_for_no_more(gone, way):
    for _ in range(2):
        if way == "clear":
            gone.clear()
        with pytest.raises(RunwayBatchError, match=r"2 of 3 items succeeded, 1 failed") as caught:
            gone.to_the_end()
        assert isinstance(caught.value, AirflowFailException)
        assert "deleted before they were stored, so most likely charged: t1." in str(caught.value)
        assert "change its request" in str(caught.value)
    assert gone.gateway.charges == 3
    line = json.loads(gone.path.read_text().splitlines()[0])
    assert (line["state"], line["runway_task_id"], line["may_pass"]) == ("gone", "t1", False)
    assert "t1" in line["note"]


def test_a_clear_with_regenerate_makes_it_again_once(gone):
    gone.clear()
    result = gone.to_the_end(on_clear="regenerate")
    # The two others were stored first, and succeeded: regenerating means the whole list.
    assert (result["succeeded"], gone.gateway.charges, result["credits"]) == (3, 6, 150)
    assert gone.to_the_end(on_clear="regenerate")["succeeded"] == 3
    assert gone.gateway.charges == 6
    assert gone.store.values["runway_batch_0000"][0]["previous"] == ["t1"]


@pytest.mark.parametrize("crash", range(1, 60, 2))
def test_a_worker_that_is_lost_while_it_is_made_again_pays_for_it_once(gone, crash):
    gone.clear()
    gone.crash_point.left, gone.crash_point.after = crash, True
    with contextlib.suppress(Crash):
        gone.begin(on_clear="regenerate")
    gone.crash_point.left = None
    gone.to_the_end(on_clear="regenerate", on_partial_failure="succeed")
    assert all(len(gone.gateway.of(text)) <= 2 for text in "abc")


def test_a_changed_request_makes_it_alone_again(gone):
    gone.clear()
    result = gone.to_the_end(requests=prompts("another", "b", "c"))
    assert (result["succeeded"], gone.gateway.charges, result["credits_off_list"]) == (3, 4, 25)


def test_what_is_back_is_stored_after_all(gone):
    with pytest.raises(RunwayBatchError):
        gone.to_the_end()
    assert states(gone) == ["gone", "succeeded", "succeeded"]
    gone.gateway.tasks["t1"] = "SUCCEEDED"
    assert gone.begin()["succeeded"] == 3
    assert gone.gateway.charges == 3


def test_what_cannot_be_read_stays_what_it_was(gone):
    with pytest.raises(RunwayBatchError):
        gone.to_the_end()
    gone.gateway.reads_fail = 99
    gone.clear()
    with pytest.raises(RunwayBatchError, match=r"most likely charged: t1\."):
        gone.to_the_end()
    gone.gateway.reads_fail = 0
    assert states(gone)[0] == "gone"
