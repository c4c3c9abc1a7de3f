"""Bounds and defaults that several rooms share, each with its unit and its reason."""

from __future__ import annotations

from typing import Final

#: Runway updates a task no more often than this, in seconds (contracts §14).
SHORTEST_INTERVAL: Final = 5.0
#: Seconds between looks at a generation, unless an author says otherwise.
DEFAULT_INTERVAL: Final = 10.0
#: Seconds for which a task stays away from its worker at least, deferred or rescheduled. One that comes back
#: at once can overtake the scheduler's note that it left, and is then failed with "state mismatch"
#: (airflow-facts §3).
SHORTEST_ABSENCE: Final = 10.0
#: Airflow's own time-out of a deferral comes this many seconds after the trigger's deadline: it only catches what
#: the trigger did not.
DEFER_TIMEOUT_MARGIN: Final = 120.0
#: Seconds after a deadline for which a last look may be late, because the gateway bears no more reads; then
#: the event says "not finished", and the worker looks once more.
LAST_LOOK_PATIENCE: Final = 30.0
#: Seconds that a worker which is being stopped may spend on cancelling.
KILL_CLEANUP_TIMEOUT: Final = 3.0
#: Seconds for a request that is only nice to have: the account's figures before and after a submission.
EVIDENCE_TIMEOUT: Final = 5.0
#: Seconds after a POST for which a lost answer is looked for, unless an author says otherwise.
EVIDENCE_WINDOW: Final = 900.0

#: How long a gateway may take to show a task it has accepted, in seconds.
NOT_VISIBLE_GRACE: Final = 300.0

#: Tries of the reading that fetches a result, in the worker.
RESULT_ATTEMPTS: Final = 5
#: Tries of a reading that only decides or finds a link, in the worker.
READ_ATTEMPTS: Final = 3

#: Characters of a ``data:`` URI (contracts §15), and of all those of one request.
LARGEST_INLINE: Final = 5_242_880
#: Bytes of an upload (contracts §15).
SMALLEST_UPLOAD: Final = 512
LARGEST_UPLOAD: Final = 200 * 2**20

#: Bytes of the largest output that is saved unless an author says otherwise.
LARGEST_OUTPUT: Final = 8 * 2**30
