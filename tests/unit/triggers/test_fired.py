"""What the triggerer logs of our events, and that Airflow takes them for its own."""

from __future__ import annotations

import pytest
from airflow.triggers.base import DiscrimatedTriggerEvent, TriggerEvent
from pydantic import TypeAdapter

from airflow_runway.triggers._fired import RunwayEvent

ERROR = {"kind": "task_lost", "message": "Runway task t1 is a secret of nobody."}
SINGLE = {"runway_task_id": "t1", "deadline": 1.0, "cancel_on_kill": False}


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ({**SINGLE, "error": None}, "RunwayEvent<Runway task t1: ended>"),
        ({**SINGLE, "error": ERROR}, "RunwayEvent<Runway task t1: given up; the task tells why>"),
        ({"ended": {"t1": None, "t2": ERROR}, "pauses": 1}, "RunwayEvent<2 ended>"),
        (None, "RunwayEvent<Runway task None: ended>"),
    ],
)
def test_no_payload_is_shown(payload, shown):
    event = RunwayEvent(payload)
    assert repr(event) == str(event) == shown


@pytest.mark.parametrize("payload", [{**SINGLE, "error": ERROR}, {"ended": {"t1": None}, "pauses": 0}])
def test_it_travels_as_airflows_own(payload):
    adapter = TypeAdapter(DiscrimatedTriggerEvent)
    sent = adapter.dump_python(RunwayEvent(payload))
    assert sent == adapter.dump_python(TriggerEvent(payload))
    arrived = adapter.validate_python(sent)
    assert type(arrived) is TriggerEvent
    assert arrived.payload == payload


def test_the_triggerer_can_send_it_to_its_supervisor():
    runner = pytest.importorskip("airflow.jobs.triggerer_job_runner")
    entry = getattr(runner, "TriggerEventEntry", None)
    if entry is None:
        pytest.skip("before Airflow 3.3 events travel in another form")
    made = entry(trigger_id=7, event=RunwayEvent(SINGLE), persist_seq=None)
    message = runner.messages.TriggerStateChanges(events=[made])
    arrived = runner.messages.TriggerStateChanges.model_validate_json(message.model_dump_json())
    (got,) = arrived.events
    assert got.event.payload == SINGLE
