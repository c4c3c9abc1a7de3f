"""What a person is told where a budget lets nothing more through: who spent what, and what to do."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from airflow_runway.core.journal.bounds import as_credits
from airflow_runway.core.journal.budgets import Room, Word
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayError, RunwayJournalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from airflow_runway.core.journal.budgets import Finding, Reservation, Standing


class OthersFirstError(Exception):
    """Somebody else's reservation stands in the way for now."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.bound.name)
        self.finding = finding


#: Tasks that a message names.
_NAMED: Final = 5


def no_room(
    finding: Finding, own: Standing, prices: Mapping[str, int], whose: Mapping[Reservation, str]
) -> str:
    """Why a request was not sent.

    :param finding: what the ledger says.
    :param own: what was wanted.
    :param prices: the dearest price that was ever told, by kind.
    :param whose: whose the reservations are that are in the way.
    """
    bound = f"{finding.bound.name}={as_credits(finding.bound.most)}"
    wanted = own.value(prices)
    if finding.room is Room.UNKNOWN:
        return (
            f"{bound} cannot be kept: nobody knows what {len(finding.others)} earlier submissions cost. Nothing was "
            f"sent. They are of {_by_task(finding, prices, whose)}: an answer was lost, or the gateway tells no "
            "prices. Settle lost answers with `airflow-runway recover`; where no prices are told, set max_credits, "
            "which is then reserved for each. Clear this task after that."
        )
    this = (
        "and this request's price is not known yet" if wanted is None else f"this needs {as_credits(wanted)}"
    )
    return (
        f"{bound} leaves no room: {as_credits(finding.spent)} credits are spent or reserved, {this}. Nothing was "
        f"sent, and nothing was charged. Spent by: {_by_task(finding, prices, whose) or 'nobody yet'}. Raise the "
        "bound, then clear this task."
    )


def _by_task(finding: Finding, prices: Mapping[str, int], whose: Mapping[Reservation, str]) -> str:
    spent: Counter[str] = Counter()
    count: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    for one in finding.others:
        name = whose.get(one.reservation, "(unreadable)")
        spent[name] += one.value(prices) or 0
        count[name] += 1
        lost[name] += one.word in {Word.LOST, Word.RESERVED}
    told = []
    for name, amount in spent.most_common(_NAMED):
        unanswered = f", {lost[name]} of them without an answer" if lost[name] else ""
        told.append(f"{name} {as_credits(amount)} for {count[name]}{unanswered}")
    more = len(spent) - len(told)
    return ", ".join([*told, *([f"{more} tasks more"] if more else [])])


def stood_in_the_way(finding: Finding) -> str:
    """Why a request was not sent although there may be room.

    :param finding: what the ledger says.
    """
    return (
        f"{finding.bound.name}={as_credits(finding.bound.most)}: others were about to be sent all the time, for "
        "minutes, so that nobody knew whether there is room. Nothing was sent, and nothing was charged. A retry "
        "tries again."
    )


@contextmanager
def as_journal_error() -> Iterator[None]:
    """Make anything that goes wrong with the ledgers an error of ours.

    :raises RunwayJournalError: they could not be read or written.
    """
    try:
        yield
    except (RunwayError, OthersFirstError):
        raise
    except Exception as error:
        raise _could_not(error) from error


def _could_not(error: Exception) -> RunwayJournalError:
    return RunwayJournalError(
        f"The budget's ledgers could not be read or written ({type(error).__name__}: {redact(error, limit=200)}). "
        "Nothing was sent, and nothing was charged. A retry tries again.",
        summary="The budget's ledgers cannot be used",
    )
