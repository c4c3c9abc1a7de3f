"""What is written down of one item of a batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Final

from airflow_runway.core.journal.record import read_id, read_number
from airflow_runway.core.redaction import redact

#: Items in one entry of the state store. An item has 2,600 bytes at the very most; an entry may have 65,535.
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
    #: Succeeded, and was no longer there when it was to be stored. It was paid for.
    GONE = "gone"
    #: FAILED because of what was asked for.
    MODERATED = "moderated"
    #: Anything else that went wrong, with or without a generation.
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Item:
    """What is known of one item. No key or URL, and no prompt unasked: it is visible in UI and database."""

    key: str
    state: State
    #: Fingerprint of the request as its author wrote it, by which a later phase of the same try knows it again.
    as_written: str
    #: Wall clock of the POST, seconds since the epoch.
    sent_at: float = 0.0
    #: Of the generation. In an intent: the id that stood in an answer which was an error.
    runway_task_id: str = ""
    #: The most it may cost, and what it did cost, in credits; ``None`` where the gateway does not tell.
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
    #: Fingerprint of the request with its files' content.
    content: str = ""
    #: What its price depends on, see :func:`airflow_runway.core.journal.limits.kind_of`.
    kind: str = ""
    #: The number of the try that sent it, from 1; 0 = written by 0.1.0.
    sent_in: int = 0
    #: Earlier submissions of this item whose answer, or price, was lost. Each may have been charged, for ever.
    lost: int = 0
    #: The highest price that was told for an earlier generation of this item, in credits.
    dearest: float | None = None
    #: Of an id that stood in an error: whether that was a refusal, but for the id. It stays when the id is taken up.
    refused: bool = False
    #: Whether its id was taken up from an error, which tells no price.
    taken_up: bool = False
    #: Its place in the list when it was last sent, from 0; -1 = not known.
    number: int = -1
    #: What its author lets people call it, see :mod:`airflow_runway.core.gallery.labels`.
    label: str = ""

    @property
    def is_unpriced(self) -> bool:
        """Whether a generation is there, or was, whose price was neither told nor charged."""
        return (
            bool(self.runway_task_id)
            and not self.is_named
            and self.estimated is None
            and self.charged is None
        )

    @property
    def is_named(self) -> bool:
        """Whether it was answered by an error that holds an id, and nobody knows yet what is behind that."""
        return self.state is State.INTENT and bool(self.runway_task_id)

    @property
    def is_doubtful(self) -> bool:
        """Whether only a refusal has named its id, so that the generation may be another task's."""
        return self.is_named or (self.refused and bool(self.runway_task_id))

    def unnamed(self, why: str) -> Item:
        """The item without the id that an error named: a refusal it was then, or else a lost answer.

        :param why: what is wrong with the id.
        """
        note = f"The answer was an error that named Runway task {self.runway_task_id}, which {why}."
        item = replace(self, runway_task_id="", refused=False)
        return item.ended(State.FAILED if self.refused else State.INTENT, note=note)

    @property
    def credits(self) -> float:
        """What it is known to have cost: what was charged, else the estimate, and what came before."""
        price = self.estimated if self.charged is None else self.charged
        return self.spent + (price or 0.0)

    @property
    def price(self) -> float | None:
        """The highest price that was ever told for it, in credits."""
        return max(
            (one for one in (self.charged, self.estimated, self.dearest) if one is not None), default=None
        )

    @property
    def was_paid_for(self) -> bool:
        """Whether a generation was, or may have been, charged for it."""
        return bool(self.runway_task_id or self.previous or self.lost) or self.state is State.INTENT

    def ended(
        self, state: State, *, note: str = "", may_pass: bool = False, charged: float | None = None
    ) -> Item:
        """The item after its end.

        :param state: how it ended.
        :param note: what went wrong.
        :param may_pass: whether another try may do better.
        :param charged: credits, where the gateway tells.
        """
        return replace(
            self,
            state=state,
            note=redact(note, limit=_NOTE),
            may_pass=may_pass,
            charged=self.charged if charged is None else charged,
            # Whatever becomes of an id that an error named, its price was not told.
            taken_up=self.taken_up or (self.is_named and state is not State.INTENT),
        )

    def as_json(self) -> dict[str, Any]:
        """The item as plain JSON values, without what is as it always is."""
        value = {name: part for name, part in asdict(self).items() if part != _DEFAULTS[name]}
        if self.previous:
            value["previous"] = list(self.previous)
        return {**value, "state": self.state.value}


_DEFAULTS: Final = {field.name: field.default for field in fields(Item)}
#: What an amount or a count in a stored value must be, so that sums can be made of it.
_NUMBERS: Final = {"sent_at", "estimated", "charged", "spent", "sent_in", "lost", "dearest", "number"}


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
        known["previous"] = tuple(map(read_id, known.get("previous", ())))
        # 0.1.0 knew no other keys than those by content.
        known.setdefault("content", known["key"].rpartition(".")[0])
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("no item") from error
    for name in _NUMBERS & set(known):
        if known[name] is not None:
            read_number(known[name])
    known["runway_task_id"] = read_id(known.get("runway_task_id"))
    try:
        return Item(**known)
    except TypeError as error:
        raise ValueError("no item") from error


def intent(
    earlier: Item | None,
    *,
    key: str,
    as_written: str,
    now: float,
    content: str = "",
    kind: str = "",
    sent_in: int = 0,
) -> Item:
    """What is written down before an item is sent. What came before is carried on: nothing of it was free.

    :param earlier: what is recorded of it.
    :param key: see :mod:`airflow_runway.core.journal.pin`.
    :param as_written: fingerprint of the request as its author wrote it.
    :param now: wall clock, seconds since the epoch.
    :param content: fingerprint of the request with its files' content.
    :param kind: what its price depends on.
    :param sent_in: the number of this try.
    """
    new = Item(key, State.INTENT, as_written, sent_at=now, content=content, kind=kind, sent_in=sent_in)
    if earlier is None:
        return new
    return replace(
        new,
        spent=earlier.credits,
        previous=tuple(filter(None, (*earlier.previous, earlier.runway_task_id)))[-PREVIOUS_KEPT:],
        lost=earlier.lost + (earlier.state is State.INTENT or (earlier.taken_up and earlier.is_unpriced)),
        dearest=earlier.price,
    )
