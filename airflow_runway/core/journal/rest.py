"""How long a batch does without a worker, and what brings it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Seconds until a gateway that takes nothing now is asked again, where it does not say; doubled each time.
FIRST_PAUSE: Final = 60.0
LONGEST_PAUSE: Final = 3600.0
#: Ends that are worth a worker, where outputs are to be saved, and seconds that one end waits for others then.
WORTH_A_WORKER: Final = 50
LINGER: Final = 300.0
#: Seconds that one end waits for others where its room is free for another generation: as long as some five workers
#: take to start, so that a room is not empty for long, and a worker does not start for each.
LINGER_FOR_ROOM: Final = 30.0


@dataclass(frozen=True, slots=True)
class Rest:
    """What a trigger waits for; see :class:`~airflow_runway.triggers.batch.RunwayBatchTrigger`."""

    resume_at: float | None
    enough: int
    linger: float
    pauses: int


def rest_of(
    *,
    now: float,
    deadline: float,
    pauses: int,
    asks_again: bool,
    pause: float | None,
    frees_at: float | None,
    room: int | None,
    saves: bool,
) -> Rest:
    """How long to rest.

    :param now: wall clock, seconds since the epoch.
    :param deadline: the batch's.
    :param pauses: how often in a row the gateway has taken nothing before.
    :param asks_again: whether the gateway takes nothing now, and may later.
    :param pause: seconds after which it may, where it said so.
    :param frees_at: wall clock at which a lost answer stops occupying the last room; ``None`` = it does not.
    :param room: how many may be unfinished at once, where more are to be submitted; ``None`` = that waits for nobody.
    :param saves: whether outputs are saved when they have ended.
    """
    resume_at = None
    if asks_again:
        resume_at = min(now + (pause or min(FIRST_PAUSE * 2**pauses, LONGEST_PAUSE)), deadline)
    elif frees_at is not None:
        resume_at = frees_at
    enough, linger = (0, 0.0) if room is None else (max(1, room // 4), LINGER_FOR_ROOM)
    if saves:
        enough, linger = min(enough or WORTH_A_WORKER, WORTH_A_WORKER), linger or LINGER
    return Rest(resume_at, enough, linger, pauses + 1 if asks_again else 0)
