"""The books of a batch: how many are unfinished, and what they may cost. One step per change, none per item.

What is open counts (decision 17):

- A lost answer is unfinished until it is older than the time-out. It costs the dearest price that the batch knows,
  for ever, also after the item was submitted again.
- A submission under way is reserved at the price of its kind. While the price of a kind is not known, one of it may
  be open, and goes alone: nothing else is under way. So only the first of a kind can exceed the bound.
- A kind of which something was accepted without a price has none to be told: it counts as the dearest price known,
  and nothing while none is. An error that named a generation is no such acceptance: its price counts as lost.

Sums are kept in millionths of a credit, as whole numbers, so that taking away is exact.
"""

from __future__ import annotations

import heapq
from collections import Counter
from typing import TYPE_CHECKING

from airflow_runway.core.journal.item import State
from airflow_runway.core.journal.limits import Limits, StopReason

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_runway.core.journal.item import Item

_MILLION = 1_000_000


class Books:
    """Keeps count while items change. Not for several threads at once.

    :param limits: what bounds the batch.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._items: dict[str, Item] = {}
        #: Submissions under way: key → kind, and the price that is reserved; and those whose intent is recorded.
        self._under_way: dict[str, tuple[str, int]] = {}
        self._intended: set[str] = set()
        self._reserved = 0
        self._known = 0
        self._running = 0
        #: Accepted, and no price told: how many of each kind.
        self._unpriced: Counter[str] = Counter()
        #: Kinds of which something was accepted.
        self._accepted: set[str] = set()
        self._prices: dict[str, int] = {}
        #: Keys of lost answers, those of them that are older than the time-out, and all by time.
        self._lost: dict[str, float] = {}
        self._aged: set[str] = set()
        self._by_age: list[tuple[float, str]] = []
        #: Of each kind: lost answers, and generations that an error named; neither told a price.
        self._price_lost: Counter[str] = Counter()
        self._lost_before = 0
        self._moderated: set[str] = set()
        #: Keys that count as moderated or lost no longer: they are about to be sent again, or have left the list.
        self._not_moderated: set[str] = set()
        self._not_lost: set[str] = set()

    def excuse(self, *, moderated: Iterable[str] = (), lost: Iterable[str] = ()) -> None:
        """Leave items out where it is counted how often something went wrong, until they are sent again.

        :param moderated: keys of moderated items that were changed, or have left the list.
        :param lost: keys of lost answers that are submitted again.
        """
        self._not_moderated, self._not_lost = set(moderated), set(lost)

    def record(self, item: Item) -> None:
        """Take in what is recorded of an item now.

        :param item: as it is written down.
        """
        before = self._items.get(item.key)
        if before is not None:
            self._count(before, -1)
        self._items[item.key] = item
        self._count(item, +1)
        if item.price is not None:
            self._prices[item.kind] = max(self._prices.get(item.kind, 0), _millionths(item.price))
        if item.runway_task_id and not (item.is_named or item.taken_up):
            self._accepted.add(item.kind)

    def _count(self, item: Item, one: int) -> None:
        self._known += one * _millionths(item.credits)
        self._lost_before += one * item.lost
        self._running += one * (item.state is State.RUNNING)
        if item.is_unpriced:
            self._unpriced[item.kind] += one
            if item.taken_up:
                self._price_lost[item.kind] += one
        if item.state is State.MODERATED:
            (self._moderated.add if one > 0 else self._moderated.discard)(item.key)
        if item.state is State.INTENT and item.key not in self._intended:
            self._count_lost(item, one)

    def _count_lost(self, item: Item, one: int) -> None:
        self._price_lost[item.kind] += one
        if one > 0:
            self._lost[item.key] = item.sent_at
            heapq.heappush(self._by_age, (item.sent_at, item.key))
        else:
            del self._lost[item.key]
            self._aged.discard(item.key)

    def start(self, key: str, kind: str) -> None:
        """A submission is under way: its price is reserved.

        :param key: of the item.
        :param kind: what its price depends on.
        """
        reserved = self._price(kind)
        self._under_way[key] = (kind, reserved)
        self._reserved += reserved

    def intend(self, item: Item) -> None:
        """Take in the intent of a submission that is under way.

        :param item: the intent.
        """
        before = self._items.pop(item.key, None)
        if before is not None:
            self._count(before, -1)
        self._intended.add(item.key)
        self._not_moderated.discard(item.key)
        self._not_lost.discard(item.key)
        self.record(item)

    def end(self, key: str) -> bool:
        """A submission is no longer under way; an intent that is still recorded is a lost answer from here on.

        :param key: of the item.
        :returns: whether it made the batch exceed its bound, by a price that nobody could know.
        """
        _, reserved = self._under_way.pop(key)
        self._reserved -= reserved
        item = self._items.get(key)
        if key in self._intended:
            self._intended.discard(key)
            if item is not None and item.state is State.INTENT:
                self._count_lost(item, +1)
        most = self._limits.credits
        if most is None or item is None or item.state is not State.RUNNING:
            return False
        return _millionths(item.estimated or 0.0) > reserved and self._committed() > _millionths(most)

    def stop_reason(self, key: str, kind: str, now: float) -> StopReason | None:
        """Why an item may not be submitted now; ``None`` if it may.

        :param key: of the item: a lost answer of its own does not stand in its way.
        :param kind: what its price depends on.
        :param now: wall clock, seconds since the epoch.
        """
        limits = self._limits
        if limits.moderated and len(self._moderated - self._not_moderated) >= limits.moderated:
            return StopReason.MODERATION
        if limits.lost_answers and len(self._lost.keys() - self._not_lost) >= limits.lost_answers:
            return StopReason.LOST_ANSWERS
        if limits.credits is not None and (reason := self._over_budget(kind, _millionths(limits.credits))):
            return reason
        if limits.in_flight is not None:
            in_flight = self.in_flight(now) - (key in self._lost and key not in self._aged)
            return StopReason.IN_FLIGHT if in_flight >= limits.in_flight else None
        return None

    def _over_budget(self, kind: str, most: int) -> StopReason | None:
        kinds = [one for one, _ in self._under_way.values()]
        if kinds and not all(map(self._is_priced, (kind, *kinds))):
            return StopReason.PRICE_UNKNOWN
        lost = self._lost or self._lost_before or any(self._price_lost.values())
        if not self._is_priced(kind) and (self._price_lost[kind] or (lost and not self._prices)):
            return StopReason.PRICE_LOST
        committed = self._committed()
        if not self._is_priced(kind):
            return StopReason.BUDGET if committed >= most else None
        return StopReason.BUDGET if committed + self._price(kind) > most else None

    def _is_priced(self, kind: str) -> bool:
        """Whether there is nothing more to learn about a price."""
        return kind in self._prices or kind in self._accepted

    def _price(self, kind: str) -> int:
        if kind in self._prices:
            return self._prices[kind]
        return self._dearest() if kind in self._accepted else 0

    def _dearest(self) -> int:
        return max(self._prices.values(), default=0)

    def _committed(self) -> int:
        """Millionths of credits that are spent, or may be."""
        dearest = self._dearest()
        unpriced = sum(
            count * self._prices.get(kind, dearest) for kind, count in self._unpriced.items() if count
        )
        lost = len(self._lost) + self._lost_before
        return self._known + self._reserved + unpriced + lost * dearest

    def committed(self) -> float:
        """Credits that are spent, or may be: what is known, what is reserved, and every lost answer at the dearest
        price known.
        """
        return self._committed() / _MILLION

    def credits(self) -> float:
        """Credits that the task is known to have cost, by charges and estimates."""
        return self._known / _MILLION

    def in_flight(self, now: float) -> int:
        """How many are unfinished: running, under way, or lost a short while ago.

        :param now: wall clock, seconds since the epoch.
        """
        return self._running + len(self._under_way) + self.lost_in_flight(now)

    def lost_in_flight(self, now: float) -> int:
        """How many answers were lost so short a while ago that their generations may still run.

        :param now: wall clock, seconds since the epoch.
        """
        while self._by_age and self._by_age[0][0] + self._limits.timeout <= now:
            sent_at, key = heapq.heappop(self._by_age)
            if self._lost.get(key) == sent_at:
                self._aged.add(key)
        return len(self._lost) - len(self._aged)

    def ages_at(self) -> float | None:
        """Wall clock at which the next lost answer stops counting as unfinished; ``None`` = there is none."""
        fresh = [sent_at for key, sent_at in self._lost.items() if key not in self._aged]
        return min(fresh) + self._limits.timeout if fresh else None


def _millionths(amount: float) -> int:
    return round(amount * _MILLION)
