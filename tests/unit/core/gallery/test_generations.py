"""What a page shows of a run, put together from what its task instances know."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from airflow_runway.core.gallery.batches import BATCH_KEY, batch_of
from airflow_runway.core.gallery.generations import Shown, generations_of, watched_by
from airflow_runway.core.gallery.landing import NOTE_KEY, note_of
from airflow_runway.core.gallery.records import TaskRecord
from airflow_runway.core.journal.header import Header
from airflow_runway.core.journal.item import Item, State
from airflow_runway.core.journal.pin import Pinned, pin_as_json


def film(index=-1, state="success", runway_task_id="t1", minute=0, **parts):
    xcoms = {"runway_task_id": runway_task_id} if runway_task_id else {}
    started = datetime(2026, 11, 25, 12, minute, tzinfo=UTC)
    return TaskRecord(
        "spring",
        "r",
        "film",
        index,
        state,
        "RunwayTextToVideoOperator",
        xcoms=xcoms,
        started=started,
        **parts,
    )


def save(index=-1, state="success", ids="t1", **parts):
    rendered = {"runway_task_id": ids, "destination": "file:///clips"}
    return TaskRecord(
        "spring", "r", "save", index, state, "RunwayToObjectStorageOperator", rendered=rendered, **parts
    )


def wait(state="deferred", ids="t1"):
    return TaskRecord("spring", "r", "wait", -1, state, "RunwayTaskSensor", rendered={"runway_task_id": ids})


def only(*records):
    (one,) = generations_of(records)
    return one


class TestOneGeneration:
    @pytest.mark.parametrize(
        ("state", "runway_task_id", "shown"),
        [
            ("", "", Shown.WAITING),
            ("queued", "", Shown.WAITING),
            ("running", "", Shown.RUNNING),
            ("deferred", "t1", Shown.RUNNING),
            ("up_for_retry", "", Shown.WAITING),
            ("up_for_retry", "t1", Shown.RUNNING),
            ("failed", "t1", Shown.FAILED),
            ("failed", "", Shown.FAILED),
            ("upstream_failed", "", Shown.WAITING),
            ("success", "t1", Shown.MADE),
        ],
    )
    def test_its_maker(self, state, runway_task_id, shown):
        one = only(film(state=state, runway_task_id=runway_task_id))
        assert (one.shown, one.runway_task_id) == (shown, runway_task_id)

    def test_who_waits_knows_better_than_who_only_submitted(self):
        assert only(film(), wait("deferred")).shown is Shown.RUNNING
        assert only(film(), wait("failed")).shown is Shown.FAILED
        assert only(film(), wait("success")).shown is Shown.MADE

    def test_saved(self):
        one = only(save(), wait("success"), film())
        assert (one.shown, one.task.task_id, one.saver.task_id) == (Shown.SAVED, "film", "save")
        assert one.landing.destination == "file:///clips"

    def test_not_saved_yet_or_in_vain(self):
        assert only(film(), save(state="running")).shown is Shown.MADE
        failed = only(film(), save(state="failed"))
        assert failed.shown is Shown.MADE
        assert "log of save" in failed.note

    def test_made_elsewhere(self):
        assert only(save()).task.task_id == "save"
        assert only(wait()).task.task_id == "wait"
        assert watched_by(wait()) == ("t1",)
        assert watched_by(film()) == watched_by(save()) == ()

    def test_a_saver_that_failed_without_an_id(self):
        assert only(save(state="failed", ids=None)).shown is Shown.FAILED

    def test_what_is_not_ours(self):
        other = TaskRecord(
            "spring", "r", "x", -1, "success", "PythonOperator", rendered={"destination": "/etc"}
        )
        assert generations_of([other]) == []


def test_the_order_of_many():
    records = [save(index, ids=f"t{index}") for index in range(12)]
    records += [film(index, runway_task_id=f"t{index}", minute=index % 3) for index in range(12)]
    assert [one.task.map_index for one in generations_of(reversed(records))] == list(range(12))


def test_what_it_is_called():
    assert only(film(3, label="red shoe")).label == "red shoe"
    assert only(film(3)).label == "[3]"
    assert only(film()).label == ""


class TestBatches:
    def notes(self, *items, total=5, **more):
        keys = [item.key for item in items] + [f"k{number}" for number in range(len(items), total)]
        (pin,) = pin_as_json(Pinned(f"{key}.0", "w", key) for key in keys)
        items = [Item(**{**item.as_json(), "key": f"{item.key}.0", "state": item.state}) for item in items]
        header = Header(0.0, 0, chunks=1, pin_place=1, pin_chunks=1, pinned=total)
        return {
            BATCH_KEY: header.as_json(),
            f"{BATCH_KEY}_0000": [item.as_json() for item in items],
            f"{BATCH_KEY}_pin_1_0000": pin,
            **more,
        }

    def record(self, notes, state="deferred", **parts):
        return TaskRecord("spring", "r", "batch", -1, state, "RunwayBatchOperator", notes=notes, **parts)

    def items(self):
        return (
            Item("a", State.RUNNING, "w", runway_task_id="t1", estimated=25, label="red"),
            Item("b", State.SUCCEEDED, "w", runway_task_id="t2", charged=20),
            Item("c", State.MODERATED, "w", runway_task_id="t3", note="No."),
            Item("d", State.INTENT, "w"),
        )

    def test_how_far_it_is(self):
        batch = batch_of(self.notes(*self.items()))
        assert batch.total == 5
        assert batch.states == {"running": 1, "succeeded": 1, "moderated": 1, "intent": 1, "to come": 1}
        assert batch.credits == 45

    def test_its_items(self):
        note = note_of("file:///clips", "", [])
        found = generations_of([self.record(self.notes(*self.items(), **{NOTE_KEY: note}))])
        assert [(one.number, one.shown, one.label) for one in found] == [
            (0, Shown.RUNNING, "red"),
            (1, Shown.SAVED, "item 1"),
            (2, Shown.MODERATED, "item 2"),
            (3, Shown.RUNNING, "item 3"),
        ]
        assert found[2].note == "No."

    def test_without_a_destination_nothing_is_saved(self):
        found = generations_of([self.record(self.notes(*self.items()), state="success")])
        assert [one.shown for one in found][1:] == [Shown.MADE, Shown.MODERATED, Shown.LOST]

    def test_the_pin_numbers_them_anew(self):
        notes = self.notes(*self.items())
        notes[f"{BATCH_KEY}_pin_1_0000"].reverse()
        found = generations_of([self.record(notes)])
        assert [(one.number, one.runway_task_id) for one in found] == [
            (1, ""),
            (2, "t3"),
            (3, "t2"),
            (4, "t1"),
        ]

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            (BATCH_KEY, None),
            (BATCH_KEY, {"version": 99}),
            (f"{BATCH_KEY}_0000", [{"key": 7}, None, "x"]),
            (f"{BATCH_KEY}_0000", "gone"),
            (f"{BATCH_KEY}_pin_1_0000", {"a": 1}),
            (f"{BATCH_KEY}_pin_1_0000", None),
        ],
    )
    def test_what_was_edited_is_passed_over(self, key, value):
        notes = {**self.notes(*self.items()), key: value}
        assert len(generations_of([self.record(notes)])) in {0, 4}


@pytest.mark.parametrize("state", ["skipped", "removed"])
def test_what_was_left_out_is_no_tile(state):
    assert generations_of([film(0, state, ""), film(1, runway_task_id="t2")]) == generations_of(
        [film(1, runway_task_id="t2")]
    )
    assert len(generations_of([film(0, state, "t1")])) == 1


def test_a_review_has_no_generation_of_its_own():
    review = TaskRecord(
        "spring", "r", "choose", -1, "success", "RunwayReviewOperator", rendered={"shots": ["t1"]}
    )
    assert [one.task.task_id for one in generations_of([film(), review])] == ["film"]
    assert generations_of([review]) == []
