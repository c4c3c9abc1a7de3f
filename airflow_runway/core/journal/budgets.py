"""Bounds on what a task, a run or a day may spend: reservations, and what they come to. Pure.

Who wants to submit writes its own reservation into the *ledger* of each bound, a folder, and only then lists it. Of
two that list, at least one sees the other. So where everybody who finds too much withdraws, what is left never
exceeds the bound; both may withdraw, wait for different times, and try again.

A reservation's file is named ``<moment>-<task>-<submission>-<kind>-<word>-<amount>.json``: one listing tells all.
Its state is that of the word that comes last in this table:

=========  ============================  =================================================================
word       the submission ...            counts as
=========  ============================  =================================================================
reserved   is about to be sent           the price of its kind, as far as it is known
lost       was answered by nobody        the same, for good: it may have been charged
accepted   has a generation              the gateway's own estimate
settled    has ended                     what was charged
withdrawn  was provably not accepted     nothing
=========  ============================  =================================================================

While the price of a kind is not known, an amount is unknown (``x``): the first of a kind goes alone, and everybody
else waits until its price is told. So only the first of a kind can exceed a bound, and is cancelled at once. An
unknown amount that stays, because the answer was lost or the gateway tells no prices, lets nothing more through.

Amounts are millionths of a credit, as whole numbers.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from airflow_runway.core.journal.entries import TaskKey

MILLION: Final = 1_000_000
#: Seconds after which a reservation without a further word is a worker's that died: it may have sent its request.
PENDING: Final = 900.0
#: Stands for an amount that is not known.
_UNKNOWN: Final = "x"
_NAME = re.compile(r"(\d{13})-([0-9a-f]{16})-([0-9a-f]{16})-([0-9a-f]{8})-\d([a-z]+)-(\d{1,15}|x)\.json")


class Word(StrEnum):
    """How far a reservation got: the table of this module, in its order."""

    RESERVED = "reserved"
    LOST = "lost"
    ACCEPTED = "accepted"
    SETTLED = "settled"
    WITHDRAWN = "withdrawn"


#: The order of the table.
_ORDER: Final = {word: number for number, word in enumerate(Word, 1)}


@dataclass(frozen=True, slots=True)
class Reservation:
    """Which submission an amount is kept for."""

    #: Wall clock, milliseconds since the epoch.
    at: int
    #: The task instance, see :func:`task_mark`.
    task: str
    #: The submission, among those of the task instance.
    submission: str
    #: What its price depends on, see :func:`kind_on`.
    kind: str

    @property
    def name(self) -> str:
        """What its files' names begin with."""
        return f"{self.at:013d}-{self.task}-{self.submission}-{self.kind}"

    def file(self, word: Word, amount: int | None) -> str:
        """The name of a file: those of later words sort later, so that a listing in pages never misses both.

        :param word: how far it got.
        :param amount: millionths of a credit; ``None`` = not known.
        """
        return f"{self.name}-{_ORDER[word]}{word}-{_UNKNOWN if amount is None else amount}.json"


def reservation_of(task: TaskKey, sent_at: float, submission: str, kind: str) -> Reservation:
    """The reservation of a submission; the same whenever it is asked for.

    :param task: the task instance.
    :param sent_at: when it is sent, as it is recorded; seconds since the epoch.
    :param submission: what tells it from others of the task instance at that moment.
    :param kind: see :func:`kind_on`.
    """
    return Reservation(int(sent_at * 1000), task_mark(task), _digest([submission]), kind)


def task_mark(task: TaskKey) -> str:
    """A task instance in a file's name.

    :param task: the task instance.
    """
    return _digest([task.dag_id, task.run_id, task.task_id, task.map_index])


def kind_on(gateway: str, route: str, kind: str) -> str:
    """What a price depends on.

    :param gateway: the gateway's name.
    :param route: the route's name.
    :param kind: of the body, see :func:`airflow_runway.core.journal.limits.kind_of`.
    """
    return _digest([gateway, route, kind])[:8]


def _digest(values: list[object]) -> str:
    return hashlib.sha256(json.dumps(values, default=str).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a reservation stands."""

    reservation: Reservation
    word: Word
    #: Millionths of a credit; ``None`` = not known.
    amount: int | None

    def is_pending(self, now: float) -> bool:
        """Whether more is going to be known soon.

        :param now: wall clock, seconds since the epoch.
        """
        return self.word is Word.RESERVED and now - self.reservation.at / 1000 < PENDING

    def follows(self, before: Standing) -> bool:
        """Whether this says more than what was written before.

        :param before: of the same reservation.
        """
        if self.word is before.word:
            return before.amount is None and self.amount is not None
        return _ORDER[self.word] > _ORDER[before.word]

    def value(self, prices: Mapping[str, int]) -> int | None:
        """What it counts as, in millionths of a credit; ``None`` = nobody knows.

        :param prices: the dearest price that was ever told, by kind.
        """
        if self.word is Word.WITHDRAWN:
            return 0
        return prices.get(self.reservation.kind) if self.amount is None else self.amount


def standings_in(names: Iterable[str]) -> list[Standing]:
    """Where all reservations of a ledger stand.

    :param names: of its files.
    :raises ValueError: one of them is none of a ledger.
    """
    found: dict[Reservation, Standing] = {}
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None or match[5] not in set(Word):
            raise ValueError(name)
        reservation = Reservation(int(match[1]), *match.group(2, 3, 4))
        amount = None if match[6] == _UNKNOWN else int(match[6])
        standing = Standing(reservation, Word(match[5]), amount)
        before = found.get(reservation)
        found[reservation] = standing if before is None else _later(before, standing)
    return list(found.values())


def _later(one: Standing, two: Standing) -> Standing:
    """Of two amounts under one word the larger counts, and an unknown one before any."""

    def rank(standing: Standing) -> tuple[int, bool, int]:
        return _ORDER[standing.word], standing.amount is None, standing.amount or 0

    return max(one, two, key=rank)


def prices_with(standings: Iterable[Standing], prices: Mapping[str, int]) -> dict[str, int]:
    """Prices by kind, with those that a ledger itself tells.

    :param standings: of the ledger.
    :param prices: the dearest price that was ever told elsewhere, by kind.
    """
    found = dict(prices)
    for one in standings:
        if one.word is Word.ACCEPTED and one.amount is not None:
            found[one.reservation.kind] = max(one.amount, found.get(one.reservation.kind, 0))
    return found


@dataclass(frozen=True, slots=True)
class Bound:
    """The most that may be spent in a ledger."""

    #: As the author knows it, e.g. ``max_credits_per_run``.
    name: str
    #: Millionths of a credit.
    most: int
    #: Only what this task instance spends counts; empty = all.
    task: str = ""


class Room(StrEnum):
    """Whether a submission may be sent."""

    FITS = "fits"
    #: Somebody else's reservation stands in the way, and may be withdrawn, or its price be told.
    WAIT = "wait"
    #: What others have spent, or may have spent, leaves too little.
    EXCEEDED = "exceeded"
    #: Nobody knows what something may cost that was accepted, or may have been.
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """What a ledger says of a bound."""

    room: Room
    bound: Bound
    #: What others have spent or reserved, in millionths of a credit.
    spent: int = 0
    #: What is in the way.
    others: tuple[Standing, ...] = ()


def room_for(
    standings: Iterable[Standing], own: Standing, bound: Bound, prices: Mapping[str, int], now: float
) -> Finding:
    """Whether there is room for a reservation that is in the ledger already.

    :param standings: of the ledger, listed after one's own reservation was written.
    :param own: one's own.
    :param bound: the bound.
    :param prices: the dearest price that was ever told, by kind.
    :param now: wall clock, seconds since the epoch.
    """
    standings = tuple(standings)
    prices = prices_with(standings, prices)
    others = tuple(
        one
        for one in standings
        if one.reservation != own.reservation
        and bound.task in {"", one.reservation.task}
        and one.word is not Word.WITHDRAWN
    )
    values = {one.reservation: one.value(prices) for one in others}
    pending = {one.reservation for one in others if one.is_pending(now)}
    known = {reservation: value for reservation, value in values.items() if value is not None}
    for_good = sum(value for reservation, value in known.items() if reservation not in pending)
    spent, wanted = sum(known.values()), own.value(prices)
    unknown = values.keys() - known.keys()

    def finding(room: Room, of: Iterable[Standing] = others, so_far: int = spent) -> Finding:
        return Finding(room, bound, so_far, tuple(of))

    # Something costs at least a little: what is spent to the last credit leaves no room for an unknown price.
    if for_good + (1 if wanted is None else wanted) > bound.most:
        return finding(Room.EXCEEDED, (one for one in others if one.reservation not in pending), for_good)
    if unknown - pending:
        return finding(Room.UNKNOWN, (one for one in others if one.reservation in unknown - pending))
    if unknown or spent + (wanted or 0) > bound.most:
        return finding(Room.WAIT)
    return finding(Room.FITS)


def exceeds(standings: Iterable[Standing], own: Standing, bound: Bound, prices: Mapping[str, int]) -> bool:
    """Whether a generation turned out too dear for what others left of a bound.

    :param standings: of the ledger.
    :param own: as it was accepted.
    :param bound: the bound.
    :param prices: the dearest price that was ever told, by kind.
    """
    standings = tuple(standings)
    prices = prices_with(standings, prices)
    others = sum(
        one.value(prices) or 0
        for one in standings
        if one.reservation != own.reservation and bound.task in {"", one.reservation.task}
    )
    return others + (own.value(prices) or 0) > bound.most
