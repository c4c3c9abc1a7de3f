"""Looks at a recorded generation before anything is decided about it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.journal.submission import Record, Remote, remote_of
from airflow_runway.core.limits import NOT_VISIBLE_GRACE, READ_ATTEMPTS
from airflow_runway.core.polling.decisions import Finished, GaveUp, Wait
from airflow_runway.exceptions import error_of

if TYPE_CHECKING:
    from airflow_runway.core.polling.decisions import PollDecision
    from airflow_runway.hooks._ports import HasSettings

#: Seconds after a submission in which a 404 may be a replica that lags.
_FRESH = 60.0


class LooksAtTask(Protocol):
    """Reads a wait's task once and decides."""

    def __call__(self, wait: Wait, *, attempts: int = 1) -> PollDecision:
        """Look."""


def remote_state(hook: HasSettings, look: LooksAtTask, record: Record) -> Remote:
    """What the gateway says of a recorded generation; "gone" only after more than one look.

    :param hook: the connection.
    :param look: reads a wait's task once and decides.
    :param record: of the generation.
    :raises RunwayReadError: the gateway would never tell, e.g. because it refuses the key.
    """
    age = time.time() - record.sent_at
    # The connection has just been read: a key that is refused now will be refused again.
    wait = Wait(record.runway_task_id, deadline=float("inf"), seen=age > _FRESH, refusals=1)
    while True:
        decision = look(wait, attempts=READ_ATTEMPTS)
        if isinstance(decision, Finished):
            return remote_of(decision.task)
        if isinstance(decision, GaveUp):
            if decision.error.kind is ErrorKind.TASK_LOST:
                return Remote.GONE
            raise error_of(decision.error)
        if decision.wait.troubles:
            return Remote.UNREADABLE
        shows_late = not hook.settings.gateway.missing_is_gone and age < NOT_VISIBLE_GRACE
        if not decision.wait.unseen_looks or shows_late:
            return Remote.ALIVE
        wait = decision.wait
        time.sleep(decision.after)
