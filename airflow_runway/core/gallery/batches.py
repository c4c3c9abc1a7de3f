"""A batch as its task has written it down: its items while it runs, and how far it is."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.journal.header import Header, read_header
from airflow_runway.core.journal.item import Item, read_item
from airflow_runway.core.journal.pin import read_pin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Keys of a batch's entries in the task state store begin so.
BATCH_KEY: Final = "runway_batch"


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """What is recorded of a batch."""

    #: In the order of the list.
    items: tuple[Item, ...]
    #: How long the list is; 0 = not known.
    total: int

    @property
    def states(self) -> Counter[str]:
        """How many items are in which state; ``to come`` for those of which nothing is recorded."""
        states = Counter(item.state.value for item in self.items)
        if self.total > len(self.items):
            states["to come"] = self.total - len(self.items)
        return states

    @property
    def credits(self) -> float:
        """What they are known to have cost."""
        return sum(item.credits for item in self.items)


def batch_of(notes: Mapping[str, Any]) -> BatchRecord | None:
    """The batch in a task instance's notes; ``None`` where there is none, or none that can be read.

    :param notes: its entries in the task state store, by key.
    """
    try:
        header = read_header(notes.get(BATCH_KEY))
    except ValueError:
        return None
    places = _places(notes, header)
    items = [replace(item, number=places.get(item.key, item.number)) for item in _items(notes)]
    # Requests that have left the list come last.
    items.sort(key=lambda item: (item.key not in places and bool(places), item.number))
    return BatchRecord(tuple(items), header.pinned)


def _items(notes: Mapping[str, Any]) -> Iterator[Item]:
    """What cannot be read is passed over."""
    for key in sorted(notes):
        value = notes[key]
        if not (key.startswith(f"{BATCH_KEY}_") and key.removeprefix(f"{BATCH_KEY}_").isdigit()):
            continue
        for each in value if isinstance(value, list) else ():
            try:
                yield read_item(each)
            except ValueError:
                continue


def _places(notes: Mapping[str, Any], header: Header) -> dict[str, int]:
    """The place of each item in the list, by its key: a clear may have pinned another list since it was sent."""
    chunks = [
        notes.get(f"{BATCH_KEY}_pin_{header.pin_place}_{number:04d}") for number in range(header.pin_chunks)
    ]
    try:
        return {pinned.key: place for place, pinned in enumerate(read_pin(chunks)) if pinned.key}
    except ValueError:
        return {}
