"""When a generation will be finished, judged by the progress that the server reports: pure.

Progress is a hint and not a promise. It may be missing, jump, stand still or fall back (the server starts the
generation again). So a course remembers not only when the end is expected, but also by how much it was wrong
so far, and the next look is moved only as far as it deserves trust. Constants were chosen by simulation
(tests/benchmarks).
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
class Course:
    """How progress has gone since it was first seen, or since it last fell back."""

    #: Wall clock and progress (0 to 1) of the first reading.
    began_at: float
    began_with: float
    #: The same of the last reading.
    at: float
    progress: float
    #: Seconds from the last reading to the expected end; ``None`` while nothing has moved.
    left: float | None = None
    #: Seconds by which that may be wrong.
    doubt: float = 0.0


def followed(course: Course | None, progress: float | None, now: float) -> Course | None:
    """The course after one more reading.

    :param course: the course so far.
    :param progress: what the reading says, 0 to 1; ``None`` where it says nothing.
    :param now: wall clock, seconds since the epoch.
    """
    if progress is None:
        return course
    if course is None or progress < course.progress or now <= course.at:
        return Course(now, progress, now, progress)
    gained, took = progress - course.began_with, now - course.began_at
    if gained <= 0:
        return replace(course, at=now)
    # The whole course counts, not the last step: standing still makes the end later by itself.
    left = (1.0 - progress) * took / gained
    if course.left is None:
        doubt = FIRST_DOUBT * left
    else:
        error = abs(now + left - (course.at + course.left))
        doubt = course.doubt + DAMPING * (error - course.doubt)
    if progress == course.progress:
        # It goes by jumps, and the next may be the last.
        doubt = max(doubt, left)
    return replace(course, at=now, progress=progress, left=left, doubt=doubt)


def pause(course: Course | None, interval: float) -> float:
    """Seconds until the next look, before jitter and before the bounds of the API.

    :param course: the course, followed up to the last reading.
    :param interval: what the author asked for: taken as it is where nothing is known or believed, else the
        result is from a half to three times of it.
    """
    if course is None or course.left is None:
        return interval
    surely_left = course.left - course.doubt
    if surely_left > interval:
        return min(surely_left, LONGEST_STRETCH * interval)
    if course.doubt > interval:
        return interval
    return min(max(course.left + BEHIND, SHORTEST_STRETCH * interval), LONGEST_STRETCH * interval)
