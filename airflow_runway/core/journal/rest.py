"""How long a batch does without a worker, and what brings it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Seconds until a gateway that takes nothing now is asked again, where it does not say; doubled each time.
FIRST_PAUSE: Final = 60.0
LONGEST_PAUSE: Final = 3600.0
#: Ends that are worth a worker, where outputs are to be saved, and the most seconds that one end waits for others.
WORTH_A_WORKER: Final = 50
LINGER: Final = 300.0
#: Where an end makes room for another submission: the share of ``max_in_flight`` that is worth a worker, and the
#: share of the time that the first took for which it waits for the others. See :func:`rest_of`.
SHARE: Final = 0.25


@dataclass(frozen=True, slots=True)
class Rest:
    """What a trigger waits for; see :class:`~airflow_runway.triggers.batch.RunwayBatchTrigger`."""

    resume_at: float | None
    enough: int
    linger: float
    #: Of the time that the first to end took: a shorter ``linger``; 0 = none.
    linger_share: float
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

    Where an end makes room, waiting for more ends leaves that room empty, and not waiting costs a worker start for
    each. Generations of a batch take similar times, say D; of N in flight that are evenly spread, a quarter ends
    within D / 4. So there is a worker for every quarter of N: a place is empty for D / 8 in the mean, an eighth of
    what is inevitable, and a full turn of N costs four worker starts, whatever N and D are. Those that began together
    end together, and need one start. An end that is still alone after D / 4 waits no longer: the others are slower.
    So there is nothing to tune. An end that brings only a file to be saved can wait longer: no place is empty.

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
    enough = 0 if room is None else max(1, int(room * SHARE))
    if saves:
        enough = min(enough or WORTH_A_WORKER, WORTH_A_WORKER)
    return Rest(
        resume_at=resume_at,
        enough=enough,
        linger=LINGER if enough else 0.0,
        linger_share=0.0 if room is None else SHARE,
        pauses=pauses + 1 if asks_again else 0,
    )
