"""The event that our triggers fire: Airflow's own, which says less of itself."""

from __future__ import annotations

from typing import Any

from airflow.triggers.base import TriggerEvent


class RunwayEvent(TriggerEvent):
    """A trigger's event whose payload stays out of the log.

    The triggerer logs each event as it fires, as ``repr`` shows it. The worker tells what came of the wait, in one
    report; the payload would say the same before, in another form. What is stored and sent is Airflow's own form.

    :param payload: what the worker gets.
    """

    def __init__(self, payload: Any, **more: Any) -> None:
        super().__init__(payload, **more)

    def __repr__(self) -> str:
        payload = self.payload if isinstance(self.payload, dict) else {}
        if "ended" in payload:
            return f"RunwayEvent<{len(payload['ended'])} ended>"
        told = "ended" if payload.get("error") is None else "given up; the task tells why"
        return f"RunwayEvent<Runway task {payload.get('runway_task_id')}: {told}>"

    def __str__(self) -> str:
        return repr(self)
