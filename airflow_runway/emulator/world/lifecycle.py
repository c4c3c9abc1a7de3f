"""The phases of a task, fixed at its creation: its status is a function of its age, and of nothing else."""

from __future__ import annotations

import math
from dataclasses import dataclass

from airflow_runway.core.models import TaskStatus

#: The part of a generation that it spends waiting for its turn.
PENDING_SHARE = 0.13


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """The phases of one task. Times are world seconds since its admission to one of its model's places.

    :param pending: length of the PENDING phase.
    :param running: length of the RUNNING phase; infinite for a task that never ends.
    :param throttled: length of a THROTTLED phase before both.
    :param invisible: how long a gateway does not show the task, since its creation.
    :param ending: SUCCEEDED, FAILED or CANCELLED.
    :param failure: text for humans, of a task that fails.
    :param failure_code: Runway's code for it; ``None`` = absent from the answer.
    :param cost: credits really charged if the ending is not SUCCEEDED; the rest is refunded.
    :param node_errors: of a workflow that succeeds in part: nodes after the first have failed.
    """

    pending: float
    running: float
    throttled: float = 0.0
    invisible: float = 0.0
    ending: TaskStatus = TaskStatus.SUCCEEDED
    failure: str | None = None
    failure_code: str | None = None
    cost: float = 0.0
    node_errors: bool = False

    @property
    def starts(self) -> float:
        """When RUNNING begins."""
        return self.throttled + self.pending

    @property
    def ends(self) -> float:
        """When the final state begins."""
        return self.starts + self.running

    def status_at(self, age: float) -> TaskStatus:
        """Where the task stands if nobody has cancelled it.

        :param age: seconds since its admission; negative infinity = it is still waiting for one.
        """
        if age < self.throttled:
            return TaskStatus.THROTTLED
        if age < self.starts:
            return TaskStatus.PENDING
        return TaskStatus.RUNNING if age < self.ends else self.ending

    def progress_at(self, age: float) -> float:
        """How much is done, 0 to 1.

        :param age: see :meth:`status_at`.
        """
        if age < self.starts:
            return 0.0
        if age >= self.ends:
            return 1.0
        # A task that never ends stays half done.
        return 0.5 if math.isinf(self.running) else min(0.99, round((age - self.starts) / self.running, 2))


def ordinary_lifecycle(seconds: float) -> Lifecycle:
    """The phases of a generation that nothing disturbs.

    :param seconds: its length in world seconds.
    """
    return Lifecycle(pending=seconds * PENDING_SHARE, running=seconds * (1 - PENDING_SHARE))
