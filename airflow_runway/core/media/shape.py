"""The shape of a request: enough to recognise it by, and nothing that should not be seen by everybody.

A dry run shows it in a log and in XCom, which all who may look at a Dag can read. So words (prompts) become a number
of characters, media a short description without signature or content, and only numbers, flags and a few fields whose
values are choices are shown as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.media.checks import shown
from airflow_runway.core.media.references import Reference, Source, inline_of, references_in
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from airflow_runway.core.media.references import Place

#: Fields whose text is a choice out of a few, by the last step of their name.
_CHOICES: Final = frozenset({"model", "ratio", "resolution", "position", "type"})
#: Fields that are shown, and characters of a choice and of a field's name.
MOST_FIELDS: Final = 40
_LONGEST_CHOICE, _LONGEST_NAME = 40, 80

#: Field, in words → its value, or what is there.
Shape = dict[str, str | int | float | bool | None]


def shape_of(body: Mapping[str, Any], files: Mapping[Place, str]) -> Shape:
    """The shape of a request.

    :param body: as its author wrote it.
    :param files: what is known of files in storage, by place, e.g. ``image/png, 20480 bytes``.
    """
    media = {reference.place: reference for reference in references_in(body)}
    shape: Shape = {}
    left_out = 0
    for place, value in _leaves(body, ()):
        reference = media.get(place)
        if len(shape) >= MOST_FIELDS:
            left_out += 1
        elif reference is not None and reference.source is not Source.NONE:
            shape[_name(place)] = described(reference, files.get(place, ""))
        else:
            shape[_name(place)] = _value(place, value)
    if left_out:
        shape["..."] = f"{left_out} more"
    return shape


def described(reference: Reference, file: str = "") -> str:
    """A media reference as everybody may see it.

    :param reference: as the author wrote it.
    :param file: what is known of the file, where it lies in storage.
    """
    inline = inline_of(reference.uri) if reference.source is Source.INLINE else None
    if inline is not None:
        file = f"{redact(inline.media_type, limit=40)}, {len(inline.content)} bytes"
    return ", ".join(filter(None, (shown(reference), file)))


def _leaves(value: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inside in value.items():
            yield from _leaves(inside, (*place, str(name)))
    elif isinstance(value, list | tuple) and value:
        for number, item in enumerate(value):
            yield from _leaves(item, (*place, number))
    else:
        yield place, value


def _name(place: Place) -> str:
    return redact(Reference("", "", place).field, limit=_LONGEST_NAME)


def _value(place: Place, value: Any) -> str | int | float | bool | None:
    if value is None or isinstance(value, bool | int | float):
        return value
    if not isinstance(value, str):
        return f"empty {type(value).__name__}" if not value else type(value).__name__
    # No choice has a blank: what has one is somebody's words in a field of that name.
    if place and place[-1] in _CHOICES and not any(map(str.isspace, value)):
        return redact(value, limit=_LONGEST_CHOICE)
    return f"text, {len(value)} characters"
