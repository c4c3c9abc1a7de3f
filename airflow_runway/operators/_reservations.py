"""Reservations of one task instance, as they are written down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_runway.core.journal.bounds import millionths
from airflow_runway.core.journal.budgets import Standing, Word, reservation_of, task_mark
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_runway.core.journal.budgets import Reservation
    from airflow_runway.core.journal.entries import TaskKey
    from airflow_runway.core.journal.record import Record
    from airflow_runway.stores.budgets import Ledgers
    from airflow_runway.telemetry import Log


@dataclass(frozen=True, slots=True)
class Submitted:
    """A submission of this task instance, as it is recorded."""

    sent_at: float
    #: What tells it from others of the moment.
    name: str
    #: What its price depends on; empty where nothing was reserved for it.
    kind: str
    #: Whether nobody knows if it was accepted.
    is_open: bool = False
    #: Credits; ``None`` = not told.
    estimated: float | None = None


def submitted(record: Record) -> Submitted:
    """A task's record of its submission.

    :param record: the record.
    """
    return Submitted(
        record.sent_at, record.fingerprint, record.kind, record.is_open, record.estimated_credits
    )


class Reservations:
    """What one task instance has reserved.

    :param ledgers: of the journal.
    :param task: the task instance.
    :param log: the task's log.
    """

    def __init__(self, ledgers: Ledgers, task: TaskKey, log: Log) -> None:
        self.ledgers, self._task, self._log = ledgers, task, log
        #: What this process has written, by ledger and reservation.
        self._written: dict[tuple[str, Reservation], Standing] = {}
        #: What this task had reserved before, by ledger; nobody else writes of it.
        self._before: dict[str, dict[Reservation, Standing]] = {}

    def write(self, ledger: str, standing: Standing) -> None:
        """Write a new reservation. Anything may be raised.

        :param ledger: the ledger's name.
        :param standing: the reservation.
        """
        self._written[ledger, standing.reservation] = standing
        self.ledgers.write(ledger, standing, self._task)

    def written(self, ledger: str, reservation: Reservation) -> Standing | None:
        """What this process has written of a reservation.

        :param ledger: the ledger's name.
        :param reservation: which.
        """
        return self._written.get((ledger, reservation))

    def learn(self, standings: Iterable[Standing], prices: dict[str, int]) -> None:
        """Read the prices of what others have reserved without knowing them.

        :param standings: of a ledger.
        :param prices: by kind; what is read is added.
        """
        kinds = {one.reservation.kind for one in standings if one.amount is None} - prices.keys()
        prices.update(self.ledgers.prices(sorted(kinds)))

    def standings(self, ledger: str, known: Callable[[], Iterable[Submitted]]) -> list[Standing]:
        """Where a ledger stands, once what earlier workers of this very task left behind says what became of it.

        :param ledger: the ledger's name.
        :param known: gives what is recorded of this task; asked once.
        """
        standings = self.ledgers.standings(ledger)
        if ledger in self._before:
            return standings
        recorded = {
            reservation_of(self._task, one.sent_at, one.name, one.kind): one for one in known() if one.kind
        }
        mine = task_mark(self._task)
        found = []
        for one in standings:
            is_left_behind = one.reservation.task == mine and one.word is Word.RESERVED
            if not is_left_behind or (ledger, one.reservation) in self._written:
                found.append(one)
                continue
            was = recorded.get(one.reservation)
            if was is None:
                # Without an intent on record nothing was sent.
                after = Standing(one.reservation, Word.WITHDRAWN, one.amount)
            elif was.is_open:
                after = Standing(one.reservation, Word.LOST, one.amount)
            else:
                after = Standing(one.reservation, Word.ACCEPTED, _amount(was.estimated, one.amount))
            self.ledgers.follow(ledger, one, after, self._task)
            found.append(after)
        self._keep(ledger, found)
        return found

    def _keep(self, ledger: str, standings: Iterable[Standing]) -> dict[Reservation, Standing]:
        mine = task_mark(self._task)
        before = {one.reservation: one for one in standings if one.reservation.task == mine}
        self._before[ledger] = before
        return before

    def _stands(self, ledger: str, reservation: Reservation) -> Standing | None:
        written = self._written.get((ledger, reservation))
        if written is not None:
            return written
        before = self._before.get(ledger)
        if before is None:
            before = self._keep(ledger, self.ledgers.standings(ledger))
        return before.get(reservation)

    def follow(
        self, ledger: str, reservation: Reservation, word: Word, spent: float | None = None
    ) -> Standing | None:
        """Write down how far a reservation got. What goes wrong is logged.

        :param ledger: the ledger's name.
        :param reservation: which.
        :param word: how far it got.
        :param spent: credits; ``None`` = as much as was reserved.
        :returns: where it stands; ``None`` where that is not known to be written.
        """
        try:
            before = self._stands(ledger, reservation)
            after = Standing(reservation, word, _amount(spent, before.amount if before else None))
            if before is None:
                self.ledgers.write(ledger, after, self._task)
            elif after.follows(before):
                self.ledgers.follow(ledger, before, after, self._task)
            else:
                return before
        except Exception as error:
            self._log.warning("The budget could not be told what became of a request: %s", redact(error))
            return None
        self._written[ledger, reservation] = after
        return after


def _amount(spent: float | None, reserved: int | None) -> int | None:
    return reserved if spent is None else millionths(spent)
