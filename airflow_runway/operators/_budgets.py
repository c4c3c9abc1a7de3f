"""Budgets above one generation: room is reserved before a request is sent (decision 23).

Each submission writes its own reservation into the ledgers of what bounds it, and lists them then. See
:mod:`airflow_runway.core.journal.budgets` for what a ledger says.
"""

from __future__ import annotations

import random
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from airflow_runway.core.journal.bounds import millionths
from airflow_runway.core.journal.budgets import (
    Room,
    Standing,
    Word,
    exceeds,
    kind_on,
    reservation_of,
    room_for,
)
from airflow_runway.core.journal.entries import TaskKey
from airflow_runway.core.polling.backoff import backoff
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayBudgetError,
    RunwayConfigurationError,
    RunwayError,
    RunwayNotAcceptedError,
)
from airflow_runway.operators._bounds import bounds_of, ledgers_for
from airflow_runway.operators._no_room import OthersFirstError, as_journal_error, no_room, stood_in_the_way
from airflow_runway.operators._reservations import Reservations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_runway.core.journal.budgets import Bound, Reservation
    from airflow_runway.core.owner import Owner
    from airflow_runway.operators._bounds import Bounds
    from airflow_runway.operators._reservations import Submitted
    from airflow_runway.telemetry import Log

#: Gives what is recorded of a task.
Recorded: TypeAlias = "Callable[[], Iterable[Submitted]]"
#: Seconds that a submission waits, in the worker, for others who are about to be sent.
LONGEST_WAIT: Final = 600.0
#: Seconds of the longest pause in it.
_LONGEST_PAUSE: Final = 20.0
_chance = random.Random()  # noqa: S311 - jitter, not cryptography


class Budget:
    """Keeps the submissions of one task instance within what bounds them. Without a bound nothing is read or written.

    :param owner: the task instance, and its team.
    :param gateway: the gateway's name.
    :param per_task: credits over all tries; ``None`` = no bound.
    :param per_run: credits of the run; the configuration may have a lower bound.
    :param per_generation: credits above which a generation is cancelled at once: so much is reserved for one whose
        price is not known.
    :param pause: waits for some seconds; may raise where the task is told to stop.
    :param is_dry_run: whether nothing is written, and nobody waited for.
    :param log: the task's log.
    """

    def __init__(
        self,
        owner: Owner,
        gateway: str,
        *,
        per_task: float | None = None,
        per_run: float | None = None,
        per_generation: float | None = None,
        pause: Callable[[float], None],
        is_dry_run: bool = False,
        log: Log,
    ) -> None:
        task = TaskKey(owner.dag_id, owner.run_id, owner.task_id, owner.map_index)
        self._task, self._gateway, self._most = task, gateway, per_generation
        self._pause, self._is_dry_run, self._log = pause, is_dry_run, log
        self._bounds: Bounds | None = None
        self._reservations: Reservations | None = None
        self._trouble: RunwayConfigurationError | None = None
        #: What was reserved at a price that somebody had told.
        self._priced: set[Reservation] = set()
        try:
            self._bounds = bounds_of(task, owner.team_name, per_task=per_task, per_run=per_run)
            ledgers = ledgers_for(self._bounds, is_dry_run=is_dry_run)
        except RunwayConfigurationError as error:
            # A generation that is there already is waited for all the same.
            self._trouble = error
        else:
            self._reservations = Reservations(ledgers, task, log) if ledgers else None

    def check(self) -> None:
        """Make sure that the bounds can be kept.

        :raises RunwayConfigurationError: they cannot; nothing was sent.
        """
        if self._trouble is not None:
            raise self._trouble
        if self._reservations is not None and not self._is_dry_run:
            with as_journal_error():
                self._reservations.ledgers.files.prove()

    def kind(self, route: str, kind: str) -> str:
        """What the price of a request depends on; empty without a bound.

        :param route: the route's name.
        :param kind: of its body, see :func:`airflow_runway.core.journal.limits.kind_of`.
        """
        return kind_on(self._gateway, route, kind) if self._reservations is not None else ""

    def _by_ledger(self, reservation: Reservation) -> dict[str, list[Bound]]:
        return self._bounds.by_ledger(reservation.at / 1000) if self._bounds is not None else {}

    def reserve(
        self,
        name: str,
        kind: str,
        known: Recorded = tuple,
        *,
        longest: float = LONGEST_WAIT,
    ) -> float:
        """Reserve room for a submission, waiting for others who are about to be sent.

        :param name: of the submission; with its moment it tells it from others of this task.
        :param kind: see :meth:`kind`.
        :param known: gives what is recorded of this task.
        :param longest: seconds to wait at most.
        :returns: the moment that is to be recorded for it; seconds since the epoch.
        :raises RunwayBudgetError: there is no room; nothing was sent.
        :raises RunwayNotAcceptedError: others stood in the way for too long; nothing was sent.
        :raises RunwayJournalError: a ledger could not be read or written; nothing was sent.
        """
        began, attempts = time.time(), 0
        while True:
            try:
                return self.try_to_reserve(name, kind, known, looks_first=attempts > 0)
            except OthersFirstError as error:
                if self._is_dry_run:
                    return time.time()
                if time.time() - began > longest:
                    raise RunwayNotAcceptedError(stood_in_the_way(error.finding)) from None
                if not attempts:
                    self._log.info("Waiting for room in %s: others are about to be sent.", error)
            attempts += 1
            self._pause(backoff(attempts, longest=_LONGEST_PAUSE, chance=_chance))

    def try_to_reserve(
        self,
        name: str,
        kind: str,
        known: Recorded = tuple,
        *,
        looks_first: bool = False,
    ) -> float:
        """Reserve room for a submission, or say at once that there is none; see :meth:`reserve`.

        :param looks_first: whether nothing is written where others stand in the way already.
        :raises OthersFirstError: others stand in the way for now; nothing is reserved.
        """
        now = time.time()
        if self._reservations is None:
            return now
        own = reservation_of(self._task, now, name, kind)
        try:
            with as_journal_error():
                self._reserve(self._reservations, own, known, looks_first=looks_first)
        except BaseException:
            self._withdraw(own)
            raise
        return now

    def _reserve(
        self,
        reservations: Reservations,
        own: Reservation,
        known: Recorded,
        *,
        looks_first: bool,
    ) -> None:
        prices = reservations.ledgers.prices([own.kind])
        most = None if self._most is None else millionths(self._most)
        standing = Standing(own, Word.RESERVED, prices.get(own.kind, most))
        if own.kind in prices:
            self._priced.add(own)
        if looks_first:
            self._judge(reservations, standing, prices, known)
        for ledger in self._by_ledger(own):
            reservations.write(ledger, standing)
        self._judge(reservations, standing, prices, known)

    def _judge(
        self,
        reservations: Reservations,
        own: Standing,
        prices: dict[str, int],
        known: Recorded,
    ) -> None:
        waits = None
        for ledger, bounds in self._by_ledger(own.reservation).items():
            standings = reservations.standings(ledger, known)
            reservations.learn(standings, prices)
            for bound in bounds:
                finding = room_for(standings, own, bound, prices, time.time())
                if finding.room is Room.WAIT:
                    waits = finding
                elif finding.room is not Room.FITS:
                    whose = reservations.ledgers.tasks(ledger, finding.others)
                    raise RunwayBudgetError(no_room(finding, own, prices, whose))
        if waits is not None:
            raise OthersFirstError(waits)

    @contextmanager
    def kept_for(self, submitted: Submitted) -> Iterator[None]:
        """A block that records and sends a request: what is reserved is withdrawn where that provably failed.

        :param submitted: the submission.
        """
        try:
            yield
        except RunwayAmbiguousSubmissionError:
            self._note(submitted, Word.LOST)
            raise
        except RunwayError:
            # Refused by the gateway, or not sent at all: neither is charged.
            self._withdraw(self._reservation_of(submitted))
            raise

    def _reservation_of(self, submitted: Submitted) -> Reservation:
        return reservation_of(self._task, submitted.sent_at, submitted.name, submitted.kind)

    def _withdraw(self, reservation: Reservation) -> None:
        if self._reservations is None:
            return
        for ledger in self._by_ledger(reservation):
            if self._reservations.written(ledger, reservation):
                self._reservations.follow(ledger, reservation, Word.WITHDRAWN)

    def settled(self, submitted: Submitted, charged: float) -> None:
        """Note what a generation was charged. Trouble is logged.

        :param submitted: its submission.
        :param charged: credits.
        """
        self._note(submitted, Word.SETTLED, charged)

    def _note(self, submitted: Submitted, word: Word, spent: float | None = None) -> None:
        if self._reservations is not None and submitted.kind:
            reservation = self._reservation_of(submitted)
            for ledger in self._by_ledger(reservation):
                self._reservations.follow(ledger, reservation, word, spent)

    def accepted(self, submitted: Submitted) -> Bound | None:
        """Note what a generation may cost, by the gateway's own estimate. Trouble is logged.

        :param submitted: its submission.
        :returns: a bound that it exceeds, being dearer than what was reserved; ``None`` = none.
        """
        if self._reservations is None or not submitted.kind:
            return None
        reservation, exceeded = self._reservation_of(submitted), None
        for ledger, bounds in self._by_ledger(reservation).items():
            before = self._reservations.written(ledger, reservation)
            after = self._reservations.follow(ledger, reservation, Word.ACCEPTED, submitted.estimated)
            if after is None or after.word is not Word.ACCEPTED or after.amount is None:
                continue
            is_dearer = before is None or before.amount is None or after.amount > before.amount
            if is_dearer or reservation not in self._priced:
                self._tell_price(self._reservations, reservation.kind, after.amount)
            if is_dearer and exceeded is None:
                exceeded = self._exceeded(self._reservations, ledger, after, bounds)
        return exceeded

    def _tell_price(self, reservations: Reservations, kind: str, amount: int) -> None:
        try:
            reservations.ledgers.tell_price(kind, amount)
        except Exception as error:
            self._log.warning("A price could not be noted: %s", redact(error))

    def _exceeded(
        self, reservations: Reservations, ledger: str, own: Standing, bounds: list[Bound]
    ) -> Bound | None:
        try:
            standings, prices = reservations.ledgers.standings(ledger), dict[str, int]()
            reservations.learn(standings, prices)
        except Exception as error:
            self._log.warning("What others have spent could not be read: %s", redact(error))
            return None
        return next((bound for bound in bounds if exceeds(standings, own, bound, prices)), None)
