"""Workers killed, people interfering, gateways misbehaving: all at once, each run with a ledger of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from integration.chaos.plots import PLOTS

#: Runs that are disturbed at the same time.
AT_ONCE = 12


@pytest.fixture(scope="module")
def played(request, new_stage):
    """Every plot that was selected, played; a future of its ending by name."""
    selected = [
        item.callspec.params["fault"] for item in request.session.items if item.module is request.module
    ]

    def play(stage):
        with stage:
            PLOTS[stage.name].play(stage)
            return stage.ending()

    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {fault: pool.submit(play, new_stage(fault)) for fault in selected}


@pytest.mark.parametrize("fault", PLOTS)
def test_a_fault_costs_what_it_must_and_the_clip_is_found_or_named(fault, played, note):
    plot, ending = PLOTS[fault], played[fault].result()
    note(fault, plot.charges, ending)
    assert ending.paid == plot.charges, f"charges wanted {plot.charges}, seen {ending.charges}"
    assert ending.state == plot.state
    assert ending.clip == plot.clip
    assert plot.tries in (None, ending.tries)
    assert [words for words in plot.words if words not in ending.log] == []
    assert ending.notes.get("before") == ending.notes.get("after")
    assert bool(ending.cancels) is plot.cancelled, f"{ending.cancels} DELETEs"
