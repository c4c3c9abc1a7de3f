"""When a generation will be finished, judged by the progress that the server reports.

What a server reports is a hint and not a promise. It may be missing, jump, stand still or fall back (the server
starts the generation again). So :class:`Progress` remembers not only when the end is expected, but also by how much
that was wrong so far, and the next look is moved only as far as it can be trusted. Constants were chosen by
simulation (tests/benchmarks).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

#: However far the end seems to be: the next look comes no more than this many intervals later.
LONGEST_STRETCH = 3.0
#: Nor earlier than this share of an interval.
SHORTEST_STRETCH = 0.5
#: Seconds by which a look aims behind the expected end: a look just before it is wasted.
BEHIND = 0.5
#: Doubt about the first expectation, as a share of the time that seems to be left.
FIRST_DOUBT = 0.3
#: How much of the latest error goes into the doubt; the rest is what was doubted before.
DAMPING = 0.5


@dataclass(frozen=True, slots=True)
class Progress:
    """How a generation has come on since its progress was first seen, or since it last fell back."""

    #: Wall clock and progress (0 to 1) of the first reading.
    began_at: float
    began_with: float
    #: The same of the last reading.
    at: float
    fraction: float
    #: Seconds from the last reading to the expected end; ``None`` while nothing has moved.
    left: float | None = None
    #: Seconds by which that may be wrong.
    doubt: float = 0.0


def updated(known: Progress | None, fraction: float | None, now: float) -> Progress | None:
    """What is known after one more reading.

    :param known: what was known so far.
    :param fraction: what the reading says, 0 to 1; ``None`` where it says nothing.
    :param now: wall clock, seconds since the epoch.
    """
    if fraction is None:
        return known
    if known is None or fraction < known.fraction or now <= known.at:
        return Progress(now, fraction, now, fraction)
    gained, took = fraction - known.began_with, now - known.began_at
    if gained <= 0:
        return replace(known, at=now)
    # All of it counts, not the last step: standing still makes the end later by itself.
    left = (1.0 - fraction) * took / gained
    if known.left is None:
        doubt = FIRST_DOUBT * left
    else:
        error = abs(now + left - (known.at + known.left))
        doubt = known.doubt + DAMPING * (error - known.doubt)
    if fraction == known.fraction:
        # It goes by jumps, and the next may be the last.
        doubt = max(doubt, left)
    return replace(known, at=now, fraction=fraction, left=left, doubt=doubt)


def next_interval(known: Progress | None, interval: float) -> float:
    """Seconds until the next look, before jitter and before the bounds of the API.

    :param known: up to the last reading.
    :param interval: what the author asked for: taken as it is where nothing is known or believed, else the
        result is from a half to three times of it.
    """
    if known is None or known.left is None:
        return interval
    surely_left = known.left - known.doubt
    if surely_left > interval:
        return min(surely_left, LONGEST_STRETCH * interval)
    if known.doubt > interval:
        return interval
    return min(max(known.left + BEHIND, SHORTEST_STRETCH * interval), LONGEST_STRETCH * interval)
