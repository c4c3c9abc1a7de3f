"""Faults that strike a task: it fails, is cancelled by the server, never ends or waits longer."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_runway.core.models import TaskStatus

if TYPE_CHECKING:
    from airflow_runway.emulator.faults.rule import Fault
    from airflow_runway.emulator.world.lifecycle import Lifecycle


def changed_lifecycle(lifecycle: Lifecycle, fault: Fault | None) -> Lifecycle:
    """A task's lifecycle as a rule changes it.

    :param lifecycle: the undisturbed one.
    :param fault: a rule of one of :data:`~airflow_runway.emulator.faults.kinds.LIFECYCLES`, or none.
    """
    if fault is None:
        return lifecycle
    if fault.kind == "stall_task":
        return replace(lifecycle, running=math.inf)
    if fault.kind == "node_errors":
        return replace(lifecycle, node_errors=True)
    if fault.kind == "throttle_task":
        return replace(lifecycle, throttled=float(fault.number("seconds")))
    if fault.kind == "cancel_task":
        return replace(lifecycle, ending=TaskStatus.CANCELLED, cost=fault.number("cost"))
    return replace(
        lifecycle,
        ending=TaskStatus.FAILED,
        failure=fault.text("failure"),
        failure_code=fault.text("failure_code"),
        cost=fault.number("cost"),
    )
