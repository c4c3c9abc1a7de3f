"""How long to wait before the next of several tries."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


def backoff(tries: int, *, chance: Random, longest: float = 30.0) -> float:
    """Seconds until the next try: anything from nothing up to a bound that doubles, 1, 2, 4, ... seconds.

    :param tries: how many have failed, from 1.
    :param chance: spreads those who failed together.
    :param longest: the highest bound, in seconds.
    """
    return chance.uniform(0.0, min(2.0 ** min(max(tries, 1) - 1, 16), longest))
