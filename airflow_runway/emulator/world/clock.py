"""The clock that drives the emulated world when no test moves it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

#: A day in seconds.
DAY = 24 * 3600.0


def steady_clock() -> Callable[[], float]:
    """A clock that shows epoch seconds and is not moved when the machine's clock is set."""
    offset = time.time() - time.monotonic()
    return lambda: offset + time.monotonic()
