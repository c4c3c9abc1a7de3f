"""Workers killed, people interfering, gateways misbehaving: all at once, each run with a ledger of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from integration.chaos.conftest import HAS_STATE_STORE
from integration.chaos.fault_cases import FAULT_CASES, FOR_EVERY_CHANGE

#: Runs that are disturbed at the same time.
AT_ONCE = 12


def marks_of(fault):
    """When a row is played, and where it cannot be."""
    marks = [] if fault in FOR_EVERY_CHANGE else [pytest.mark.release]
    if not HAS_STATE_STORE and ("batch" in fault or "marked" in fault):
        why = "batches, and cancelling what a person ends, came with Airflow 3.3"
        marks.append(pytest.mark.skip(why))
    return marks


@pytest.fixture(scope="module")
def played(request, new_stage):
    """Every case that was selected, played; a future of its ending by name."""
    selected = [
        item.callspec.params["fault"]
        for item in request.session.items
        if item.module is request.module and not list(item.iter_markers("skip"))
    ]

    def run(stage):
        with stage:
            FAULT_CASES[stage.name].run(stage)
            return stage.ending()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {fault: pool.submit(run, new_stage(fault)) for fault in selected}


@pytest.mark.parametrize(
    "fault",
    [pytest.param(name, marks=marks_of(name)) for name in FAULT_CASES],
)
def test_a_fault_costs_what_it_must_and_the_clip_is_found_or_named(fault, played, note):
    case, ending = FAULT_CASES[fault], played[fault].result()
    note(fault, case.charges, ending)
    assert ending.paid == case.charges, f"charges wanted {case.charges}, seen {ending.charges}"
    if not HAS_STATE_STORE:
        # Airflow 3.1 and 3.2 pass signals on otherwise (airflow-facts §16), and a worker that is late can still write
        # into a folder: what was paid for is found more often, and by other tries.
        assert (ending.state, ending.clip) in {(case.state, case.clip), ("success", "found")}
        return
    assert ending.state == case.state
    assert ending.clip == case.clip
    assert case.tries in (None, ending.tries)
    assert [words for words in case.words if words not in ending.log] == []
    assert ending.notes.get("before") == ending.notes.get("after")
    assert bool(ending.cancels) is case.cancelled, f"{ending.cancels} DELETEs"
    assert tuple(line["state"] for line in ending.lines) == case.lines
    # Whatever is paid for is found or named, but for an answer that is reported as lost.
    assert not ending.lines or ending.unnamed <= case.lines.count("intent")
    assert not case.sent or ending.sent == case.sent
