"""Many generations as one task: what is written down of each, what comes next for it, and when to stop. Pure.

An item of a batch is known by its *key*: the fingerprint of its request (content of files included), and a number
where the same request stands in the list several times. So the list may be reordered, shortened or extended between
tries: what was paid for is found again, and only what is new is submitted.

What another try (a retry, or a clear) does about an item:

=====================  ============  =================================================================
recorded               policy        another try
=====================  ============  =================================================================
nothing                any           submits
intent                 fail          leaves it to a person: an answer was lost, it may be paid for
intent                 resubmit      submits
postponed              any           submits, as this try would have done
running                any           waits for it
succeeded              any           keeps it
unsaved                any           saves it: it is paid for, and its files are not stored yet
failed                 any           submits again; costs again
moderated              any           leaves it: the same input would be refused again, and that is counted
=====================  ============  =================================================================

"Failed" covers whatever else went wrong: refused, cancelled, lost, timed out, over the budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Items in one entry of the state store. An item has 2,000 bytes at the very most; an entry may have 65,535.
ITEMS_PER_CHUNK: Final = 25
#: Characters of an item's note.
_NOTE: Final = 200
#: Ids of earlier generations that an item keeps.
PREVIOUS_KEPT: Final = 5


class State(StrEnum):
    """How far an item got."""

    #: About to be sent, or sent and never answered.
    INTENT = "intent"
    #: Not taken, and not because of the item: a limit, no connection. It is sent again within the same try.
    POSTPONED = "postponed"
    #: Accepted, and not known to have ended.
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    #: Succeeded, and could not be stored yet.
    UNSAVED = "unsaved"
    #: FAILED because of what was asked for.
    MODERATED = "moderated"
    #: Anything else that went wrong, with or without a generation.
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Item:
    """What is known of one item. No prompt, key or URL: it is visible in UI and database."""

    key: str
    state: State
    #: Fingerprint of the request as its author wrote it, by which a later phase of the same try knows it again.
    as_written: str
    #: Wall clock of the POST, seconds since the epoch.
    sent_at: float = 0.0
    runway_task_id: str = ""
    #: The most it may cost, and what it did cost, in credits.
    estimated: float | None = None
    charged: float | None = None
    #: Random text in the callback URL, by which a lost answer can be recognised.
    token: str = ""
    #: What earlier generations of this item were charged, in credits.
    spent: float = 0.0
    #: Whether another try of the same thing may do better.
    may_pass: bool = False
    #: What went wrong, in our own words.
    note: str = ""
    #: Ids of earlier generations of this item.
    previous: tuple[str, ...] = ()

    @property
    def credits(self) -> float:
        """What it counts against a budget: what was charged, else the estimate."""
        price = self.estimated if self.charged is None else self.charged
        return self.spent + (price or 0.0)

    def ended(
        self, state: State, *, note: str = "", may_pass: bool = False, charged: float | None = None
    ) -> Item:
        """The item after its end.

        :param state: how it ended.
        :param note: what went wrong.
        :param may_pass: whether another try may do better.
        :param charged: credits, where the gateway tells.
        """
        charged = self.charged if charged is None else charged
        return replace(self, state=state, note=redact(note, limit=_NOTE), may_pass=may_pass, charged=charged)

    def as_json(self) -> dict[str, Any]:
        """The item as plain JSON values, without what is as it always is."""
        value = {name: part for name, part in asdict(self).items() if part != _DEFAULTS[name]}
        if self.previous:
            value["previous"] = list(self.previous)
        return {**value, "state": self.state.value}


_DEFAULTS: Final = {field.name: field.default for field in fields(Item)}


def read_item(value: Any) -> Item:
    """The item in a stored value.

    :param value: what :meth:`Item.as_json` gave, maybe in another version.
    :raises ValueError: if it is none.
    """
    if not isinstance(value, Mapping):
        raise ValueError("no item")
    try:
        known = {name: part for name, part in value.items() if name in _DEFAULTS}
        known["state"] = State(known["state"])
        known["previous"] = tuple(str(one) for one in known.get("previous", ()))
        return Item(**known)
    except (KeyError, TypeError) as error:
        raise ValueError("no item") from error


def intent(earlier: Item | None, *, key: str, as_written: str, now: float) -> Item:
    """What is written down before an item is sent.

    :param earlier: what is recorded of it.
    :param key: see :mod:`airflow_runway.core.journal.batch`.
    :param as_written: fingerprint of the request as its author wrote it.
    :param now: wall clock, seconds since the epoch.
    """
    if earlier is None:
        return Item(key, State.INTENT, as_written, sent_at=now)
    previous = tuple(filter(None, (*earlier.previous, earlier.runway_task_id)))[-PREVIOUS_KEPT:]
    return Item(key, State.INTENT, as_written, sent_at=now, spent=earlier.credits, previous=previous)


def begins_anew(item: Item | None, *, resubmit: bool) -> bool:
    """Whether another try submits an item: the table of this module.

    :param item: what is recorded; ``None`` = nothing.
    :param resubmit: the policy for lost answers.
    """
    if item is None or item.state in {State.FAILED, State.POSTPONED}:
        return True
    return item.state is State.INTENT and resubmit


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds a batch."""

    #: Generations that may be unfinished at the same time; ``None`` = any number.
    in_flight: int | None = None
    #: Credits of the whole batch; ``None`` = any number.
    credits: float | None = None
    #: Moderated items after which nothing more is submitted; 0 = any number.
    moderated: int = 5

    def stop_reason(self, items: Iterable[Item], starting: int) -> StopReason | None:
        """Why nothing may be submitted now; ``None`` if something may.

        :param items: the items of the batch, as far as they are known.
        :param starting: submissions under way.
        """
        items = list(items)
        moderated = sum(item.state is State.MODERATED for item in items)
        if self.moderated and moderated >= self.moderated:
            return StopReason.MODERATION
        if self.credits is not None and (reason := self._over_budget(items, self.credits, starting)):
            return reason
        running = sum(item.state is State.RUNNING for item in items)
        if self.in_flight is not None and running + starting >= self.in_flight:
            return StopReason.IN_FLIGHT
        return None

    @staticmethod
    def _over_budget(items: Sequence[Item], most: float, starting: int) -> StopReason | None:
        prices = [price for item in items for price in (item.charged, item.estimated) if price is not None]
        if not prices:
            # The first one tells the price of the others, unless the gateway tells none at all.
            told_nothing = any(item.runway_task_id for item in items)
            return StopReason.PRICE_UNKNOWN if starting and not told_nothing else None
        committed = sum(item.credits for item in items) + max(prices) * (starting + 1)
        return StopReason.BUDGET if committed > most else None


class StopReason(StrEnum):
    """Why nothing is submitted now."""

    IN_FLIGHT = "as many as allowed are unfinished"
    PRICE_UNKNOWN = "the price is not known yet"
    BUDGET = "max_credits would be exceeded"
    MODERATION = "too many were moderated"
    DEADLINE = "the deadline has passed"
    STOPPED = "the task is being stopped"

    @property
    def is_final(self) -> bool:
        """Whether waiting does not help."""
        return self not in {StopReason.IN_FLIGHT, StopReason.PRICE_UNKNOWN}
