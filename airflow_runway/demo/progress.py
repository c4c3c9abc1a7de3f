"""What the demo says while it works: plain lines, one definition of their form."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_LABELS = {
    "check": "check the picture",
    "emulator": "start the emulator",
    "migrating": "Airflow: import, database",
    "starting": "Airflow: components",
    "submit": "submit",
    "wait": "wait (no worker)",
    "save": "save",
    "stop": "stop everything",
}
#: A line per step is news, a line per percent is noise.
_PERCENT_STEP = 20
#: The phases of a demo, in their order.


def progress_line(elapsed: float, phase: str, text: str) -> str:
    """One line of progress.

    :param elapsed: seconds since the start.
    :param phase: a word, e.g. ``wait``.
    :param text: what happens.
    :returns: the line, without control characters or a line end.
    """
    clean = "".join(letter if letter.isprintable() else " " for letter in text)
    return f"{elapsed:6.1f} s  {phase:<8} {clean}".rstrip()


def generation_text(tasks: Sequence[Mapping[str, Any]]) -> str:
    """Where the newest generation stands.

    :param tasks: the emulator's tasks, oldest first.
    :returns: e.g. ``generation RUNNING 40 %``, rounded down to steps of 20; empty when there is none.
    """
    if not tasks:
        return ""
    newest = tasks[-1]
    progress = newest.get("progress")
    if progress is None:
        return f"generation {newest['status']}"
    percent = math.floor(float(progress) * 100 / _PERCENT_STEP) * _PERCENT_STEP
    return f"generation {newest['status']} {percent} %"


def breakdown(seconds: Mapping[str, float], total: float) -> str:
    """The table of times at the end.

    :param seconds: phase to seconds.
    :param total: seconds of everything.
    :returns: some lines.
    """
    rows = [(label, seconds[phase]) for phase, label in _LABELS.items() if phase in seconds]
    width = max(len(label) for label, _ in [*rows, ("total", total)])
    return "\n".join(f"  {label:<{width}}  {value:6.1f} s" for label, value in [*rows, ("total", total)])


class ProgressLines:
    """Prints lines and adds up the time of each phase.

    :param say: takes one line.
    :param clock: seconds, monotonic.
    """

    def __init__(self, say: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._say = say
        self._clock = clock
        self._began = self._phase_began = clock()
        self._phase = ""
        self._last = ""
        #: Seconds per phase.
        self.seconds: dict[str, float] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._began

    def enter(self, phase: str, text: str = "") -> None:
        """End the current phase and begin one.

        :param phase: a word of :data:`_LABELS`; the one that runs already may be named again.
        :param text: printed unless empty.
        """
        now = self._clock()
        if self._phase and phase != self._phase:
            self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + now - self._phase_began
            self._phase_began = now
        self._phase = phase
        if text:
            self.tell(phase, text)

    def tell(self, phase: str, text: str) -> None:
        """Print a line, unless the same was said just before.

        :param phase: the word in front.
        :param text: what happens.
        """
        if phase + text != self._last:
            self._last = phase + text
            self._say(progress_line(self.elapsed, phase, text))

    def finish(self) -> str:
        """End the last phase.

        :returns: the table of times.
        """
        self.enter("")
        self.seconds.pop("", None)
        return breakdown(self.seconds, self.elapsed)
