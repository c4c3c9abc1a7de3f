"""Lost answers of a router's tasks over real sockets, from the emulator's own list; its ledger counts the charges."""

from __future__ import annotations

import time

import pytest
from unit.operators.memory import CrashPoint, MemoryStore, MemoryTaskInstance

from airflow_runway.emulator.process import emulator_process
from airflow_runway.exceptions import RunwayAmbiguousSubmissionError, RunwayEvidencePendingError
from airflow_runway.operators.runway import RunwaySubmitOperator

PAYLOAD = {"configId": "film", "input": {"promptText": "a boat", "duration": 2}}
LATER = 1000.0


@pytest.fixture(scope="module")
def process():
    with emulator_process() as process:
        yield process


@pytest.fixture
def run(process, set_connection, monkeypatch, tmp_path):
    """A try of a mapped task instance."""
    process.reset()
    set_connection(process.url, allow_insecure_http=True)
    monkeypatch.setenv("AIRFLOW__RUNWAY__JOURNAL", f"file://{tmp_path}")
    real, passed, stores = time.time, [0.0], {}
    monkeypatch.setattr("time.time", lambda: real() + passed[0])

    def run(index=0, later=0.0):
        passed[0] += later
        crash_point = CrashPoint()
        context = {
            "ti": MemoryTaskInstance(crash_point, map_index=index),
            "task_state_store": stores.setdefault(index, MemoryStore(crash_point)),
        }
        operator = RunwaySubmitOperator(
            task_id="task", route="generate/video", payload=PAYLOAD, on_ambiguous_submit="recover"
        )
        return operator.execute(context)

    return run


def charged(process):
    return [charge["runway_task_id"] for charge in process.ledger()["charges"]]


@pytest.mark.parametrize("kind", ["drop_after_accept", "html_after_accept", "empty_after_accept"])
def test_what_was_accepted_is_taken_up_and_paid_for_once(run, process, kind):
    process.add_fault(on="create", kind=kind)
    with pytest.raises(RunwayEvidencePendingError):
        run()
    with pytest.raises(RunwayEvidencePendingError, match=charged(process)[0]):
        run()
    assert [run(later=LATER)] == charged(process)


def test_of_two_tasks_neither_takes_the_one_that_was_accepted(run, process):
    process.add_fault(on="create", kind="drop")
    process.add_fault(on="create", kind="drop_after_accept")
    for index in (0, 1):
        with pytest.raises(RunwayEvidencePendingError):
            run(index)
    (accepted,) = charged(process)
    for index, later in ((0, LATER), (1, 0.0)):
        with pytest.raises(RunwayAmbiguousSubmissionError, match=rf"{accepted} .*1 other submission"):
            run(index, later)
    assert charged(process) == [accepted]


def test_a_strangers_row_beside_it_leaves_it_to_a_person(run, process):
    process.add_fault(on="create", kind="drop_after_accept")
    process.add_fault(on="create", kind="foreign_row", seconds=3)
    with pytest.raises(RunwayEvidencePendingError):
        run()
    (accepted,) = charged(process)
    with pytest.raises(RunwayAmbiguousSubmissionError, match=rf"; Runway task {accepted} "):
        run(later=LATER)


def test_a_late_row_is_waited_for(run, process):
    process.add_fault(on="create", kind="drop_after_accept")
    process.add_fault(on="create", kind="late_row", seconds=3600)
    with pytest.raises(RunwayEvidencePendingError):
        run()
    with pytest.raises(RunwayEvidencePendingError, match="lists no generation"):
        run(later=870)
    assert len(charged(process)) == 1
