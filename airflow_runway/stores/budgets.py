"""Where reservations are kept: a ledger for each bound in the journal folder, and the prices that were told.

``<journal>/<namespace>/budgets/<ledger>/<reservation>-<word>-<amount>.json``, see
:mod:`airflow_runway.core.journal.budgets`; and ``budgets/prices/<kind>/<amount>.json``. Files are created
exclusively. On object storage, where a listing is paid for by the thousand names, what a later word has made void is
removed, and so is everywhere what was withdrawn; a journal needs no right to do so, and then only lists more.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from airflow_runway.core.journal.budgets import Standing, Word, standings_in
from airflow_runway.core.redaction import redact
from airflow_runway.stores.files import JournalFolderError, TakenError, is_local
from airflow_runway.stores.folder import folder_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_runway.core.journal.budgets import Reservation
    from airflow_runway.core.journal.entries import TaskKey
    from airflow_runway.stores.files import Files

log = logging.getLogger(__name__)

_FOLDER: Final = "budgets"


def of_run(task: TaskKey) -> str:
    """The ledger of a run, which bounds its tasks too.

    :param task: one of its task instances.
    """
    return folder_name(f"run_{task.dag_id}_{task.run_id}")


def of_day(at: float, *, dag_id: str = "", team_name: str = "") -> str:
    """The ledger of a day in UTC, for a Dag or a team.

    :param at: seconds since the epoch.
    :param dag_id: the Dag.
    :param team_name: the team; one of the two.
    """
    day = datetime.fromtimestamp(at, UTC).date().isoformat()
    return folder_name(f"day_{day}_dag_{dag_id}" if dag_id else f"day_{day}_team_{team_name}")


@dataclass(frozen=True, slots=True)
class Ledgers:
    """The ledgers and prices of a journal.

    :param files: of the journal's namespace.
    :param is_dry_run: whether they are read only.
    """

    files: Files
    is_dry_run: bool = False

    def standings(self, ledger: str) -> list[Standing]:
        """Where all reservations of a ledger stand; one listing.

        :param ledger: its name.
        :raises JournalFolderError: it cannot be read now, or holds what is not ours.
        """
        names = [name.rpartition("/")[2] for name in self.files.within(f"{_FOLDER}/{ledger}")]
        try:
            return standings_in(names)
        except ValueError as error:
            raise JournalFolderError(
                f"the journal folder {self.files.url}/{_FOLDER}/{ledger} holds {redact(error, limit=200)!r}, which "
                "is none of its files: take it away"
            ) from None

    def write(self, ledger: str, standing: Standing, task: TaskKey) -> None:
        """Write down how far a reservation got. Anything may be raised where that is not known to have worked.

        :param ledger: its name.
        :param standing: how far.
        :param task: whose it is.
        """
        if self.is_dry_run:
            return
        # Nothing but the name counts, so that writing the same twice is no trouble.
        content = {"version": 1, "task": asdict(task)}
        try:
            self.files.create(self._path(ledger, standing), json.dumps(content, sort_keys=True).encode())
        except TakenError:
            log.debug("The same is written down already.")

    def follow(self, ledger: str, before: Standing, after: Standing, task: TaskKey) -> None:
        """Write down that a reservation got further. Anything may be raised, as by :meth:`write`.

        :param ledger: its name.
        :param before: what was written.
        :param after: what is to be.
        :param task: whose it is.
        """
        if self.is_dry_run:
            return
        # Of a reservation that got further, an earlier file may still be there.
        is_only_file = before.word is Word.RESERVED
        if after.word is Word.WITHDRAWN and is_only_file and self.files.removed(self._path(ledger, before)):
            return
        self.write(ledger, after, task)
        if not is_local(self.files.fs):
            self.files.removed(self._path(ledger, before))

    @staticmethod
    def _path(ledger: str, standing: Standing) -> str:
        return f"{_FOLDER}/{ledger}/{standing.reservation.file(standing.word, standing.amount)}"

    def prices(self, kinds: Iterable[str]) -> dict[str, int]:
        """The dearest price that was ever told, by kind; one listing for each.

        :param kinds: see :func:`airflow_runway.core.journal.budgets.kind_on`.
        :raises JournalFolderError: it cannot be read now.
        """
        found = {}
        for kind in kinds:
            names = (name.rpartition("/")[2] for name in self.files.within(f"{_FOLDER}/prices/{kind}"))
            amounts = [int(name.removesuffix(".json")) for name in names if name[:-5].isdecimal()]
            if amounts:
                found[kind] = max(amounts)
        return found

    def tell_price(self, kind: str, amount: int) -> None:
        """Write down a price. Anything may be raised.

        :param kind: of what.
        :param amount: millionths of a credit.
        """
        if self.is_dry_run:
            return
        try:
            self.files.create(f"{_FOLDER}/prices/{kind}/{amount}.json", b"{}")
        except TakenError:
            log.debug("That price is known.")

    def tasks(self, ledger: str, standings: Iterable[Standing]) -> dict[Reservation, str]:
        """Whose reservations they are, as a person would say it; without those that cannot be read.

        :param ledger: its name.
        :param standings: which.
        """
        paths = {self._path(ledger, one): one.reservation for one in standings}
        try:
            contents = self.files.contents(paths)
        except JournalFolderError:
            return {}
        found = {}
        for path, content in contents.items():
            try:
                task = json.loads(content)["task"]
                found[paths[path]] = redact(f"{task['task_id']} of {task['dag_id']}", limit=120)
            except (KeyError, TypeError, ValueError, RecursionError):
                continue
        return found
