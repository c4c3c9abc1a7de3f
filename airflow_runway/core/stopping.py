"""What becomes of the generations of a task that is being stopped (decision 15).

SIGTERM reaches a worker when a person ends the task, when its pod is evicted, and when a deployment rolls, always
the same signal (airflow-facts §16). What Airflow says of the task tells them apart. :func:`fate_of` reads it:

===============  ==============  ============
Airflow says     cancel_on_kill  generations
===============  ==============  ============
any              no              run on
no answer        yes             run on
failed           yes             are cancelled
success          yes             are cancelled
skipped          yes             are cancelled
upstream_failed  yes             are cancelled
removed          yes             are cancelled
any              yes             run on
===============  ==============  ============

The first row that fits counts. Only in the states that are named does nobody come back. Not among them is
whatever a clear leads to: there the next try may hold the same generation. A task that is not found any more (its
run was deleted) counts as "no answer": nobody said that the clip is unwanted.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from airflow_runway.core.facts import ErrorFacts, ErrorKind

#: States of an Airflow task after which nobody will come back for its generations.
TASK_IS_OVER: Final = frozenset({"failed", "success", "skipped", "upstream_failed", "removed"})


class Fate(Enum):
    """What becomes of generations that have not ended."""

    ARE_CANCELLED = "are cancelled"
    #: They are left alone, and whoever runs this task next finds them.
    RUN_ON = "run on"


def fate_of(state: str | None, *, cancel_on_kill: bool) -> Fate:
    """The table of this module.

    :param state: what Airflow says of the task; ``None`` if it gave no answer, or was not asked.
    :param cancel_on_kill: the author's wish.
    """
    return Fate.ARE_CANCELLED if cancel_on_kill and state in TASK_IS_OVER else Fate.RUN_ON


def left_running(generations: str, state: str | None, *, known: str = "A retry picks it up") -> ErrorFacts:
    """The error of a task that was stopped while its generations run on.

    :param generations: which, e.g. ``Runway task t1``; the beginning of the sentence.
    :param state: what Airflow said of the task; ``None`` without an answer.
    :param known: how the next run of this task comes by them.
    """
    said = (
        "it is not known by whom"
        if state is None
        else f"Airflow says that it is {state}, not that it is over"
    )
    return ErrorFacts(
        ErrorKind.STOPPED,
        f"{generations} runs on, nothing was cancelled: this task was told to stop, and {said}. "
        f"{known} and pays nothing for it; where no retry is left, clear this task.",
        summary=f"Told to stop; {generations} runs on",
    )


def nothing_runs() -> ErrorFacts:
    """The error of a batch that was stopped while none of its generations ran."""
    return ErrorFacts(
        ErrorKind.STOPPED,
        "This batch was told to stop while none of its generations ran, so nothing more was sent. A retry goes on "
        "with it; where no retry is left, clear this task.",
        summary="Told to stop while nothing of it ran",
    )


def nothing_sent() -> ErrorFacts:
    """The error of a task that was stopped before it sent its request."""
    return ErrorFacts(
        ErrorKind.STOPPED,
        "This task was told to stop before its request was sent: nothing was sent and nothing was charged. "
        "A retry sends it.",
        summary="Told to stop before the request was sent",
    )
