"""The shots of a review, and the variants of each, read from whatever an author hands in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.facts import CoreError, ErrorKind, core_error
from airflow_runway.core.gallery.records import ids_in
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Sequence

#: More in one form nobody looks at with care.
MOST_SHOTS: Final = 50
#: Variants are called A, B, C, ...
MOST_VARIANTS: Final = 26
_LABEL: Final = 80
_PROMPT: Final = 300


@dataclass(frozen=True, slots=True)
class Variant:
    """One picture, clip or sound that may be chosen."""

    #: A letter.
    name: str
    runway_task_id: str
    #: Which of the generation's outputs; empty path: nothing of it is saved.
    index: int = 0
    path: str = ""
    #: ``None`` where only an id was handed in.
    manifest: Mapping[str, Any] | None = None

    @property
    def entry(self) -> Mapping[str, Any]:
        """What the manifest says of the file; empty where there is none."""
        files = self.manifest.get("files") if self.manifest else None
        return next((one for one in files or () if one.get("index") == self.index), {})

    @property
    def kept(self) -> Mapping[str, Any] | None:
        """The manifest, with only this file."""
        return None if self.manifest is None else {**self.manifest, "files": [dict(self.entry)]}


@dataclass(frozen=True, slots=True)
class Shot:
    """What one choice is made for."""

    #: From 1.
    number: int
    label: str
    prompt: str
    variants: tuple[Variant, ...]

    @property
    def field(self) -> str:
        """The name of its field in the form."""
        return f"shot_{self.number:03}"

    @property
    def note_field(self) -> str:
        """The name of the field for a note."""
        return f"{self.field}_note"

    def as_json(self) -> dict[str, Any]:
        """The shot as plain JSON values."""
        return asdict(self)


def read_shots(given: object, labels: object = None, prompts: object = None) -> list[Shot]:
    """The shots that a person is asked about.

    :param given: a list, one entry per shot: a manifest, an id, or a list of such, its variants. Each file of a
        manifest is a variant. What is empty, or failed and so has no file, offers nothing to choose.
    :param labels: as many words, what people call the shots; ``None`` = their numbers.
    :param prompts: as many texts, what was asked for; ``None`` = none.
    :raises CoreError: it is no list, or too long; nobody was asked.
    """
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise _wrong(f"shots is {type(given).__name__}, not a list with one entry per shot")
    entries = list(given)
    if not entries:
        raise _wrong("shots is empty")
    if len(entries) > MOST_SHOTS:
        raise _wrong(f"shots has {len(entries)} entries, and one form takes {MOST_SHOTS}: map the operator")
    called, asked = (
        _texts(name, value, len(entries)) for name, value in (("labels", labels), ("prompts", prompts))
    )
    return [
        Shot(
            number,
            redact(called[number - 1], limit=_LABEL) or f"Shot {number}",
            redact(asked[number - 1], limit=_PROMPT),
            _variants(number, entry),
        )
        for number, entry in enumerate(entries, 1)
    ]


def _texts(name: str, given: object, count: int) -> Sequence[str]:
    if given is None:
        return [""] * count
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise _wrong(f"{name} is {type(given).__name__}, not a list with one text per shot")
    texts = ["" if one is None else str(one) for one in given]
    if len(texts) != count:
        raise _wrong(f"{name} has {len(texts)} entries, and shots has {count}")
    return texts


def _variants(number: int, entry: object) -> tuple[Variant, ...]:
    parts = entry if isinstance(entry, list | tuple) else [entry]
    found = [found for part in parts for found in _files(part)]
    if len(found) > MOST_VARIANTS:
        raise _wrong(f"shot {number} has {len(found)} variants, and a form takes {MOST_VARIANTS}")
    return tuple(Variant(chr(ord("A") + place), *parts) for place, parts in enumerate(found))


def _files(part: object) -> list[tuple[str, int, str, Mapping[str, Any] | None]]:
    """Id, index, path and manifest of each file."""
    if not isinstance(part, Mapping):
        return [(one, 0, "", None) for one in ids_in(part)]
    files = part.get("files")
    if not isinstance(files, list):
        return [(one, 0, "", None) for one in ids_in(part)]
    return [
        (str(part.get("runway_task_id") or ""), file["index"], file["path"], part)
        for file in files
        if isinstance(file, Mapping) and type(file.get("index")) is int and isinstance(file.get("path"), str)
    ]


def shots_from_json(stored: object) -> list[Shot] | None:
    """The shots in a stored value; ``None`` if it holds none.

    :param stored: a list of what :meth:`Shot.as_json` gave.
    """
    try:
        return [
            Shot(
                int(one["number"]),
                str(one["label"]),
                str(one["prompt"]),
                tuple(Variant(**each) for each in one["variants"]),
            )
            for one in stored  # type: ignore[attr-defined]
        ]
    except (TypeError, KeyError, ValueError):
        return None


def _wrong(what: str) -> CoreError:
    return core_error(ErrorKind.CONFIGURATION, f"{what}. Nobody was asked; correct it, then clear this task.")
