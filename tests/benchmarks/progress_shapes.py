"""Generations as they could be: how long they take, and what progress their server reports."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from airflow_runway.models import RunwayTask, TaskStatus

#: Seconds since the generation started, and its length → progress, or nothing.
ProgressShape = Callable[[float, float], float | None]


@dataclass(frozen=True, slots=True)
class SimulatedGeneration:
    """One generation: queued, running, finished, in seconds since its submission."""

    starts_at: float
    ends_at: float
    progress: ProgressShape

    def at(self, elapsed: float) -> RunwayTask:
        """What a reading shows."""
        if elapsed >= self.ends_at:
            return RunwayTask("t", TaskStatus.SUCCEEDED, output=("https://e/x.mp4",))
        if elapsed < self.starts_at:
            return RunwayTask("t", TaskStatus.PENDING)
        length = self.ends_at - self.starts_at
        return RunwayTask("t", TaskStatus.RUNNING, progress=self.progress(elapsed - self.starts_at, length))


def _lognormal(median: float, spread: float, least: float) -> Callable[[Random], float]:
    return lambda chance: max(least, median * math.exp(chance.gauss(0.0, spread)))


#: name → seconds in the queue, seconds of running. Shapes that we assume; nobody publishes the real ones.
DURATIONS: dict[str, tuple[Callable[[Random], float], Callable[[Random], float]]] = {
    "image, ~12 s": (lambda chance: chance.uniform(0, 2), _lognormal(12, 0.4, 4)),
    "clip, ~45 s": (lambda chance: chance.uniform(0, 5), _lognormal(45, 0.35, 15)),
    "clip, ~150 s": (lambda chance: chance.uniform(0, 10), _lognormal(150, 0.5, 30)),
    "queue + ~60 s": (lambda chance: chance.expovariate(1 / 60), _lognormal(60, 0.35, 15)),
}


def _none(chance: Random) -> ProgressShape:
    return lambda run, length: None


def _linear(chance: Random) -> ProgressShape:
    return lambda run, length: run / length


def _jumpy(chance: Random) -> ProgressShape:
    """Stands still, then jumps: three to eight steps, at times and to heights of their own."""
    steps = sorted(chance.random() for _ in range(chance.randint(3, 8)))
    heights = sorted(min(0.99, max(0.0, step + chance.gauss(0, 0.1))) for step in steps)

    def progress(run: float, length: float) -> float:
        passed = sum(step <= run / length for step in steps)
        return heights[passed - 1] if passed else 0.0

    return progress


def _falling_back(chance: Random) -> ProgressShape:
    """Linear, but somewhere on its way it begins again."""
    broken = chance.uniform(0.2, 0.6)

    def progress(run: float, length: float) -> float:
        share = run / length
        return share / (1 - broken) * 0.9 if share < broken else (share - broken) / (1 - broken)

    return progress


def _slowing(chance: Random) -> ProgressShape:
    """Quick at first, slow at the end: what most progress bars do."""
    bend = chance.uniform(1.5, 2.5)
    return lambda run, length: 1 - (1 - run / length) ** bend


PROGRESS: dict[str, Callable[[Random], ProgressShape]] = {
    "linear": _linear,
    "none": _none,
    "jumpy": _jumpy,
    "falling back": _falling_back,
    "slowing": _slowing,
}


def generations(duration: str, progress: str, count: int, seed: int) -> list[SimulatedGeneration]:
    """The same ones for each seed."""
    chance = Random(f"{seed} {duration} {progress}")
    queue, running = DURATIONS[duration]
    made = []
    for _ in range(count):
        starts_at = queue(chance)
        made.append(SimulatedGeneration(starts_at, starts_at + running(chance), PROGRESS[progress](chance)))
    return made
