"""The list of a batch as it is pinned by the first try, and after a clear: which item each entry is (decision 14).

Templates are rendered again at every resume (airflow-facts §3), so the list that a later phase sees may be another
one. What is asked for is therefore written down once: for each entry of the list a *key*, in their order.

A key is, in this order: that of a recorded item with the same ``item_key``; that of a recorded item with the same
content (body, and content of the files that it names); where a file cannot be looked at, that of a recorded item in
the same words; else a new one, made of ``item_key``, of the content and a number where it stands in the list several
times, or of the words. An entry that is no JSON object has none.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.journal.item import Item, State

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

#: Bytes of one entry of a pin; the state store takes 65,535.
PIN_CHUNK_BYTES: Final = 48 * 2**10
#: Characters of a fingerprint that are kept.
HASH_LENGTH: Final = 24
#: What keys made of an author's name, and of mere words, begin with.
_NAMED, _WORDED = "k:", "~"
#: Of several items of one content, those are taken first that need no further payment.
_PREFERENCE: Final = (
    State.SUCCEEDED, State.UNSAVED, State.RUNNING, State.INTENT, State.MODERATED, State.GONE, State.POSTPONED,
    State.FAILED,
)  # fmt: skip


def named(item_key: str) -> str:
    """The key of an item that its author named: a digest, since a name may tell what nobody else should read.

    :param item_key: the name.
    """
    return _NAMED + hashlib.sha256(item_key.encode()).hexdigest()[:HASH_LENGTH]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the list as it is now, by its fingerprints."""

    #: Of the request as its author wrote it; empty = it is no request.
    as_written: str
    #: Of the request with its files' content; empty = not known, or a file could not be looked at.
    content: str = ""
    #: :func:`named`; empty = its author gave it no name.
    name: str = ""


@dataclass(frozen=True, slots=True)
class Pinned:
    """An entry of the list as it was pinned."""

    #: Of its item; empty = it was no request.
    key: str
    as_written: str = ""
    #: Empty = it could not be looked at.
    content: str = ""
    #: The generation that is to be made anew, although it ended well, or the request was changed since.
    replaces: str = ""

    @property
    def is_named(self) -> bool:
        """Whether its author gave it a name: then that alone says which item it is."""
        return self.key.startswith(_NAMED)


def pin_of(
    entries: Sequence[Entry], items: Iterable[Item], *, cleared: bool = False, regenerate: bool = False
) -> tuple[Pinned, ...]:
    """Pin a list.

    :param entries: the list.
    :param items: what is recorded.
    :param cleared: whether somebody cleared the task.
    :param regenerate: whether what succeeded is then made anew.
    """
    recorded = {item.key: item for item in items}
    keys = _Keys(recorded)
    found = [keys.by_name(entry) or keys.by_content(entry) for entry in entries]
    # Last: the words of what cannot be looked at must not take what belongs to another entry by content.
    found = [key or keys.by_words(entry) for key, entry in zip(found, entries, strict=True)]
    return tuple(
        Pinned(
            key,
            entry.as_written,
            entry.content,
            _replaced(recorded.get(key), entry, regenerate=regenerate) if cleared else "",
        )
        for key, entry in zip(found, entries, strict=True)
    )


def _replaced(item: Item | None, entry: Entry, *, regenerate: bool) -> str:
    if item is None:
        return ""
    if item.state in {State.SUCCEEDED, State.GONE}:
        return item.runway_task_id if regenerate else ""
    changed = bool(entry.content) and entry.content != item.content
    return item.runway_task_id if item.state is State.MODERATED and changed else ""


class _Keys:
    """Hands out keys, each once."""

    def __init__(self, recorded: Mapping[str, Item]) -> None:
        self._recorded = recorded
        self._claimed: set[str] = set()
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self._of_content: defaultdict[str, deque[str]] = defaultdict(deque)
        self._in_words: defaultdict[str, deque[str]] = defaultdict(deque)
        for item in sorted(recorded.values(), key=lambda item: _PREFERENCE.index(item.state)):
            self._in_words[item.as_written].append(item.key)
            if not item.key.startswith(_NAMED):
                self._of_content[item.content].append(item.key)

    def by_name(self, entry: Entry) -> str:
        if not entry.name:
            return ""
        known = entry.name in self._recorded
        # A batch that was begun without names keeps what it has paid for.
        key = entry.name if known else self._free(self._of_content, entry.content) or entry.name
        self._claimed.add(key)
        return key

    def by_content(self, entry: Entry) -> str:
        return self._taken(self._of_content, entry.content, entry.content)

    def by_words(self, entry: Entry) -> str:
        return self._taken(self._in_words, entry.as_written, _WORDED + entry.as_written)

    def _taken(self, among: Mapping[str, deque[str]], fingerprint: str, stem: str) -> str:
        if not fingerprint:
            return ""
        key = self._free(among, fingerprint)
        while not key or key in self._claimed:
            key = f"{stem}.{self._numbers[stem]}"
            self._numbers[stem] += 1
            key = "" if key in self._recorded else key
        self._claimed.add(key)
        return key

    def _free(self, among: Mapping[str, deque[str]], fingerprint: str) -> str:
        queue = among.get(fingerprint) if fingerprint else None
        while queue:
            key = queue.popleft()
            if key not in self._claimed:
                return key
        return ""


def bodies_of(pin: Sequence[Pinned], entries: Sequence[Entry]) -> dict[int, int]:
    """Which entry of the list, as it is now, is which pinned one: by name, else by words, else by content.

    :param pin: the list as it was pinned.
    :param entries: the list now.
    :returns: place in the pin → place in the list.
    """
    places: defaultdict[tuple[str, str], deque[int]] = defaultdict(deque)
    for place, entry in enumerate(entries):
        for way, value in (("name", entry.name), ("words", entry.as_written), ("content", entry.content)):
            places[way, value].append(place)
    found: dict[int, int] = {}
    used: set[int] = set()
    for way in ("name", "words", "content"):
        for number, pinned in enumerate(pin):
            if number in found or not pinned.key or pinned.is_named != (way == "name"):
                continue
            wanted = {"name": pinned.key, "words": pinned.as_written, "content": pinned.content}[way]
            queue = places[way, wanted] if wanted else deque()
            while queue and queue[0] in used:
                queue.popleft()
            if queue:
                found[number] = queue.popleft()
                used.add(found[number])
    return found


def pin_as_json(pin: Iterable[Pinned]) -> list[list[list[str]]]:
    """A pin as plain JSON values, in entries that fit into the state store.

    :param pin: the list as it was pinned.
    """
    chunks: list[list[list[str]]] = []
    room = 0
    for pinned in pin:
        content = pinned.content
        # Most keys begin with it.
        parts = [
            pinned.key,
            pinned.as_written,
            "" if _begins(pinned.key, content) else content,
            pinned.replaces,
        ]
        while parts and not parts[-1]:
            parts.pop()
        size = len(json.dumps(parts)) + 2
        if size > room:
            chunks.append([])
            room = PIN_CHUNK_BYTES - 2
        chunks[-1].append(parts)
        room -= size
    return chunks


def _begins(key: str, content: str) -> bool:
    return key.rpartition(".")[0] == content


def read_pin(chunks: Iterable[Any]) -> tuple[Pinned, ...]:
    """The pin in stored values.

    :param chunks: what :func:`pin_as_json` gave.
    :raises ValueError: it is none.
    """
    pin = []
    for chunk in chunks:
        if not isinstance(chunk, list):
            raise ValueError("no pin")
        for parts in chunk:
            if (
                not isinstance(parts, list)
                or len(parts) > 4
                or not all(isinstance(one, str) for one in parts)
            ):
                raise ValueError("no pin")
            key, as_written, content, replaces = parts + [""] * (4 - len(parts))
            of_key = "" if key.startswith((_NAMED, _WORDED)) else key.rpartition(".")[0]
            pin.append(Pinned(key, as_written, content or of_key, replaces))
    return tuple(pin)
