"""When to look again, and when a wait is over: one definition for triggers, sensors and operators.

Pure: a reading or an error, the time and chance come in, a decision comes out. ::

    wait = Wait("t1", deadline=now + 600)
    match after_reading(wait, task, now=now, chance=rng):
        case LookAgain(after, wait): ...   # sleep ``after`` seconds, read, ask again with the new ``wait``
        case Finished(task): ...           # SUCCEEDED with an output, FAILED or CANCELLED
        case GaveUp(error): ...            # deadline, lost, refused: the facts of an error

When the next look comes:

- the first, :func:`first_look`: 5 seconds to 5 seconds plus one interval after the wait began, at random, so
  that a thousand waits which begin together, say when a triggerer starts, are spread over one interval; sooner
  where the generation is known to have run for a while, but still spread over five seconds;
- while nothing is known of the end: one interval later;
- where the server reports progress: where the end is expected, from a half to three intervals later
  (:mod:`airflow_runway.core.polling.progress`);
- THROTTLED: 30 seconds later at least; after trouble: an interval, doubled up to a minute, and never before a
  ``Retry-After`` has passed;
- always varied by a fifth, never less than 5 seconds later, and otherwise at the deadline at the latest.

Waiting hurts nobody, giving up early may lose a clip that was paid for. So passing trouble never ends a wait
before its deadline; only a wait that has *never* had a readable answer ends after ten tries, as a matter of
configuration. Counters and graces are those of contracts §9.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow_runway.core.facts import ErrorFacts, ErrorKind
from airflow_runway.core.limits import DEFAULT_INTERVAL, NOT_VISIBLE_GRACE, SHORTEST_INTERVAL
from airflow_runway.core.models import RunwayTask, TaskStatus
from airflow_runway.core.polling.fates import FATES
from airflow_runway.core.polling.progress import Progress, next_interval, updated

if TYPE_CHECKING:
    from random import Random

    from airflow_runway.core.models import CancelOutcome

#: Longest pause that back-off after trouble reaches, in seconds.
LONGEST_BACK_OFF = 60.0
#: Pause between looks at a THROTTLED task, in seconds, at least.
THROTTLED_INTERVAL = 30.0
#: Share of an interval by which it is varied, so that waits do not fall into step.
JITTER = 0.2

#: The same for a gateway that shows an empty record for accepted and for unknown tasks alike, in seconds.
EMPTY_RECORD_GRACE = 600.0
#: Looks, and seconds between first and last, after which a task that has vanished is lost.
LOOKS_UNTIL_LOST = 3
LOST_GRACE = 30.0
TRIES_BEFORE_FIRST_ANSWER = 10
LOOKS_FOR_OUTPUT = 5


@dataclass(frozen=True, slots=True)
class Wait:
    """What a wait is for, and what it remembers between two looks."""

    runway_task_id: str
    #: Wall clock, seconds since the epoch: survives restarts, unlike a monotonic clock.
    deadline: float
    #: Seconds between looks, before jitter, where nothing is known of the end.
    interval: float = DEFAULT_INTERVAL
    #: How progress has gone, where the server reports any. Begins anew after a deferral or a restart.
    progress: Progress | None = None
    #: Whether the server has ever shown the task.
    seen: bool = False
    #: Wall clock of the first of the present run of looks that did not show the task.
    unseen_since: float | None = None
    unseen_looks: int = 0
    troubles: int = 0
    refusals: int = 0
    looks_without_output: int = 0


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Not over: read once more after a pause."""

    #: Seconds.
    after: float
    wait: Wait


@dataclass(frozen=True, slots=True)
class Finished:
    """The server's last word."""

    task: RunwayTask


@dataclass(frozen=True, slots=True)
class GaveUp:
    """Nothing more to wait for, though the server has not said its last word."""

    error: ErrorFacts


PollDecision = LookAgain | Finished | GaveUp


#: What a look brings: the task, or how the read failed.
Reading = RunwayTask | ErrorFacts


def first_look(
    wait: Wait, *, chance: Random, running_for: float = 0.0, not_before: float = SHORTEST_INTERVAL
) -> float:
    """Seconds from the beginning of a wait to its first look.

    :param wait: the wait.
    :param chance: spreads waits that begin together.
    :param running_for: seconds for which the generation has run already, as far as that is known: its first look
        comes when that of a new one would have come, or soon.
    :param not_before: seconds before which nobody could use what is found.
    """
    latest = SHORTEST_INTERVAL + wait.interval - max(running_for, 0.0)
    return not_before + max(latest - not_before, SHORTEST_INTERVAL) * chance.random()


def after_look(wait: Wait, found: Reading, *, now: float, chance: Random) -> PollDecision:
    """What follows from a look, whatever came of it.

    :param wait: the wait so far.
    :param found: the reading, or how it failed.
    :param now: wall clock, seconds since the epoch.
    :param chance: source of jitter.
    """
    if isinstance(found, RunwayTask):
        return after_reading(wait, found, now=now, chance=chance)
    if found.kind in {ErrorKind.READ, ErrorKind.READ_REFUSED}:
        return after_trouble(wait, found, now=now, chance=chance)
    return GaveUp(found)


def after_reading(wait: Wait, task: RunwayTask, *, now: float, chance: Random) -> PollDecision:
    """What follows from a reading.

    :param wait: the wait so far.
    :param task: what the server shows.
    :param now: wall clock, seconds since the epoch.
    :param chance: source of jitter.
    """
    if task.status.is_final:
        return Finished(task)
    if not task.status.is_sighting:
        return _after_not_seeing(wait, task, now=now, chance=chance)
    missing = wait.looks_without_output + 1 if task.status is TaskStatus.OUTPUT_MISSING else 0
    if missing > LOOKS_FOR_OUTPUT:
        return GaveUp(
            ErrorFacts(
                ErrorKind.OUTPUT_MISSING,
                f"Runway task {task.id} is reported as finished, but {missing} readings showed no output. It "
                "was most likely charged: give this id to the gateway's support.",
                task=task,
                summary=f"Runway task {task.id} has finished without output",
            )
        )
    wait = replace(
        wait,
        progress=updated(wait.progress, task.progress, now),
        seen=True,
        unseen_since=None,
        unseen_looks=0,
        troubles=0,
        refusals=0,
        looks_without_output=missing,
    )
    if task.status is TaskStatus.THROTTLED:
        interval = max(wait.interval, THROTTLED_INTERVAL)
    else:
        interval = next_interval(wait.progress, wait.interval)
    return _again(wait, interval, now=now, chance=chance, task=task)


def _after_not_seeing(wait: Wait, task: RunwayTask, *, now: float, chance: Random) -> PollDecision:
    since = now if wait.unseen_since is None else wait.unseen_since
    wait = replace(wait, unseen_since=since, unseen_looks=wait.unseen_looks + 1, troubles=0, refusals=0)
    vanished = wait.unseen_looks >= LOOKS_UNTIL_LOST and now - since >= LOST_GRACE
    if task.status is TaskStatus.GONE:
        lost = wait.seen or vanished
    else:
        grace = EMPTY_RECORD_GRACE if task.is_empty_record else NOT_VISIBLE_GRACE
        lost = vanished if wait.seen else now - since >= grace
    if not lost:
        return _again(wait, wait.interval, now=now, chance=chance, task=task)
    reason = (
        "was known and no longer is: it was cancelled or deleted"
        if wait.seen
        else f"is not known to the server, after {wait.unseen_looks} readings in {now - since:.0f} s: the id "
        "is wrong, belongs to another account or gateway, or the gateway lost it"
    )
    return GaveUp(
        ErrorFacts(
            ErrorKind.TASK_LOST,
            f"Runway task {task.id} {reason}. It may have been charged; the gateway's request history tells.",
            task=task,
            summary=f"Runway task {task.id} is not known {'any more' if wait.seen else 'to the server'}",
        )
    )


def after_trouble(wait: Wait, error: ErrorFacts, *, now: float, chance: Random) -> PollDecision:
    """What follows from a read that failed.

    :param wait: the wait so far.
    :param error: how it failed.
    :param now: wall clock, seconds since the epoch.
    :param chance: source of jitter.
    """
    if error.kind is ErrorKind.READ_REFUSED:
        # One more look, over a connection that has been read anew: somebody may have changed the key.
        if wait.refusals or not error.key_refused:
            return GaveUp(error)
        wait = replace(wait, refusals=wait.refusals + 1)
    wait = replace(wait, troubles=wait.troubles + 1)
    if not wait.seen and wait.troubles >= TRIES_BEFORE_FIRST_ANSWER and wait.unseen_since is None:
        return GaveUp(
            ErrorFacts(
                ErrorKind.READ_REFUSED,
                f"Runway task {wait.runway_task_id} could not be read even once in {wait.troubles} tries; "
                f"the last said: {error} Check gateway and Base URL of the connection, then clear this task: "
                "it resumes with the same id.",
                summary=f"Runway task {wait.runway_task_id} could not be read even once",
                next_step="Check the connection, then clear this task",
            )
        )
    back_off = min(wait.interval * 2 ** min(wait.troubles - 1, 8), LONGEST_BACK_OFF)
    asked = error.retry_after or 0.0
    return _again(wait, max(back_off, asked), now=now, chance=chance, least=asked, trouble=error)


def _again(
    wait: Wait,
    interval: float,
    *,
    now: float,
    chance: Random,
    least: float = 0.0,
    task: RunwayTask | None = None,
    trouble: ErrorFacts | None = None,
) -> PollDecision:
    if now >= wait.deadline:
        return GaveUp(timed_out(wait, task=task, trouble=trouble))
    after = max(interval * chance.uniform(1 - JITTER, 1 + JITTER), least, SHORTEST_INTERVAL)
    # The last look falls on the deadline, not before it: what finished in time is found in time.
    return LookAgain(min(after, max(wait.deadline - now, 0.1)), wait)


def timed_out(
    wait: Wait,
    *,
    task: RunwayTask | None = None,
    trouble: ErrorFacts | None = None,
    cancelled: CancelOutcome | None = None,
) -> ErrorFacts:
    """The error of a deadline that passed.

    :param wait: the wait.
    :param task: the last reading, if any.
    :param trouble: the last failure to read, if that is how it ended.
    :param cancelled: what came of cancelling it; ``None`` if that was not tried.
    """
    fate = FATES[cancelled]
    deadline = datetime.fromtimestamp(wait.deadline, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    last = f" The last reading said {task.raw_status or task.status}." if task else ""
    last += f" The last read failed: {trouble}" if trouble else ""
    return ErrorFacts(
        ErrorKind.TASK_TIMEOUT,
        f"Runway task {wait.runway_task_id} had not finished by {deadline}.{last} {fate.told}",
        task=task,
        runway_task_id=wait.runway_task_id,
        summary=f"Runway task {wait.runway_task_id} missed its deadline",
        next_step=fate.next_step,
    )
