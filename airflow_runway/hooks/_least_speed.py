"""A least speed for files on their way: a host that takes or gives a byte a second would hold a worker for ever.

The time that counts is that between asking for bytes and having them; what storage takes for its part does not.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Final

from airflow_runway.exceptions import RunwayConfigurationError

if TYPE_CHECKING:
    from airflow_runway.hooks._deadline import Deadline

#: Bytes per second, unless ``[runway] least_speed`` says something else.
DEFAULT: Final = 10 * 1024
#: Seconds over which it counts.
OVER: Final = 60.0


def configured() -> float:
    """Bytes per second that a download or an upload must make; 0 = none.

    :raises RunwayConfigurationError: ``[runway] least_speed`` is no such number; nothing was sent.
    """
    from airflow.configuration import conf

    text = str(conf.get("runway", "least_speed", fallback="") or "").strip()
    try:
        speed = float(text) if text else float(DEFAULT)
    except ValueError:
        speed = math.nan
    if not 0 <= speed < math.inf:
        raise RunwayConfigurationError(
            f"[runway] least_speed is {text[:40]!r}; it must be a number of bytes per second, or 0 for none. Nothing "
            "was sent."
        )
    return speed


class LeastSpeed:
    """Watches one transfer, by the deadline of its exchange.

    :param deadline: ends the connection.
    :param bytes_per_second: the least; 0 = none.
    :param patience: seconds for what comes behind the last byte.
    """

    def __init__(self, deadline: Deadline, bytes_per_second: float, patience: float = OVER) -> None:
        self._deadline = deadline
        self._patience = patience
        self._is_over = False
        self._wanted = bytes_per_second * OVER
        self._speed = bytes_per_second
        self._left = OVER
        self._moved = 0
        self._began = 0.0

    @property
    def is_too_slow(self) -> bool:
        """Whether it has ended the connection."""
        return self._deadline.expired and not self._is_over and bool(self._began)

    def __str__(self) -> str:
        return f"slower than {self._speed:g} bytes per second ([runway] least_speed) over {OVER:g} s"

    def begin(self) -> None:
        """From now on bytes should move."""
        self._began = time.monotonic()
        self._deadline.set(self._left if self._wanted else math.inf)

    def moved(self, count: int) -> None:
        """Some have; until :meth:`begin` nothing needs to.

        :param count: how many.
        """
        self._deadline.set(math.inf)
        self._left -= time.monotonic() - self._began
        self._moved += count
        if self._moved >= self._wanted:
            self._left, self._moved = OVER, 0

    def end(self) -> None:
        """All have; what follows is an answer, within its own time."""
        self._is_over = True
        self._deadline.set(self._patience)
