"""What bounds a batch, and what the price of an item depends on."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Fields of a body that a price depends on (contracts §17).
PRICED_BY: Final = ("model", "duration", "ratio")


class StopReason(StrEnum):
    """Why nothing is submitted now."""

    IN_FLIGHT = "as many as allowed are unfinished"
    PRICE_UNKNOWN = "the price is not known yet"
    BUDGET = "max_credits would be exceeded"
    #: The answer that would have told the price was lost, and it may have been charged.
    PRICE_LOST = "the answer that would have told the price was lost"
    LOST_ANSWERS = "too many answers were lost"
    MODERATION = "too many were moderated"
    DEADLINE = "the deadline has passed"
    STOPPED = "the task is being stopped"

    @property
    def is_final(self) -> bool:
        """Whether waiting does not help."""
        return self not in {StopReason.IN_FLIGHT, StopReason.PRICE_UNKNOWN}


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a batch."""

    #: Generations that may be unfinished at the same time; ``None`` = any number.
    in_flight: int | None = None
    #: Credits of the whole batch; ``None`` = any number.
    credits: float | None = None
    #: Moderated items after which nothing more is submitted; 0 = any number.
    moderated: int = 5
    #: Lost answers after which nothing more is submitted; 0 = any number.
    lost_answers: int = 3
    #: Seconds after which a lost answer no longer counts as unfinished.
    timeout: float = 86_400.0


def kind_of(body: Mapping[str, object]) -> str:
    """What the price of a request depends on, as a short digest.

    :param body: the JSON body.
    """
    fields = [body.get(name) for name in PRICED_BY]
    return hashlib.sha256(json.dumps(fields, default=str).encode()).hexdigest()[:8]
