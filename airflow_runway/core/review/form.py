"""The question as a person sees it: Markdown with pictures, and a field per shot.

Airflow's form knows no HTML and no pictures beside a field (airflow-facts §11): so the pictures are in the text, and
the fields below have the same numbers. It shows pictures of at most 300 pixels.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.gallery.addresses import file_address, one_file

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_runway.core.review.shots import Shot, Variant

#: The buttons.
USE: Final = "Use these choices"
REJECT: Final = "Reject all"
#: The word of a field for a shot of which nothing is taken.
NONE: Final = "none"

_MARKUP = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$-])")
#: Where a bare address begins to be one: ``http://``, ``www.``, ``mailto:``, ``xmpp:``, ``name@``, ``//``.
_ADDRESS = re.compile(r"https?|ftp|www|mailto|xmpp|@|/(?=/)", re.IGNORECASE)
#: A word joiner, U+2060.
_UNSEEN: Final = "\u2060"
#: Variants beside each other.
_COLUMNS: Final = 3


def plain(text: str) -> str:
    """A stranger's words, of which nothing is markup, nor a link that the approver could follow.

    Airflow's form makes links of bare addresses, escaped or not: a character that is not seen keeps it from that.

    :param text: any.
    """
    return _ADDRESS.sub(f"\\g<0>{_UNSEEN}", _MARKUP.sub(r"\\\1", " ".join(text.split())))


def body_of(shots: Sequence[Shot], base: str, gallery: str, intro: str = "") -> str:
    """The text of the question.

    :param shots: what is asked about.
    :param base: the address below which our pages are; empty = there are none, so that no picture is shown.
    :param gallery: the address of the run's *Gallery*, where clips can be played; empty = there is none.
    :param intro: what the author says first, Markdown.
    """
    known = {
        variant.runway_task_id: one
        for shot in shots
        for variant in shot.variants
        if (one := _cost(variant)) is not None
    }
    parts = [intro] if intro else []
    moving = f" [Watch them move in the gallery]({gallery})." if gallery else ""
    cost = f" They have cost {sum(known.values()):g} credits." if known else ""
    parts.append(f"Choose a variant of each shot below, or *{NONE}*.{cost}{moving}")
    for shot in shots:
        parts.append(f"### {shot.number}. {plain(shot.label)}")
        if shot.prompt and shot.prompt != shot.label:
            parts.append(plain(shot.prompt))
        if not shot.variants:
            parts.append("*There is nothing to choose from: nothing was made, or saved.*")
        rows = (shot.variants[at : at + _COLUMNS] for at in range(0, len(shot.variants), _COLUMNS))
        parts.extend(_table(row, base) for row in rows)
    return "\n\n".join(parts)


def _table(variants: Sequence[Variant], base: str) -> str:
    rows = (
        [f"**{one.name}**" for one in variants],
        [":-:" for _ in variants],
        [_picture(one, base) for one in variants],
        [", ".join(_facts(one)) or plain(one.runway_task_id) for one in variants],
    )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


def _picture(variant: Variant, base: str) -> str:
    """Where our page of its task instance serves it; the file's own place is not for browsers."""
    manifest = variant.manifest or {}
    owner, entry = manifest.get("owner"), variant.entry
    media_type = str(entry.get("media_type") or "")
    kind = "poster" if entry.get("poster") else "output" if media_type.startswith("image/") else ""
    if not base or not isinstance(owner, Mapping) or not kind:
        return "no picture"
    index = owner.get("map_index")
    dag_id, run_id, task_id = (str(owner.get(name)) for name in ("dag_id", "run_id", "task_id"))
    map_index = index if isinstance(index, int) else -1
    files = file_address(base, dag_id, run_id, task_id, map_index, variant.runway_task_id)
    address = one_file(files, variant.index, kind)
    return f"![{variant.name}]({address.replace('(', '%28').replace(')', '%29')})"


def _facts(variant: Variant) -> list[str]:
    entry = variant.entry
    size = f"{entry['width']} x {entry['height']}" if entry.get("width") and entry.get("height") else ""
    duration = entry.get("duration")
    cost = _cost(variant)
    model = (variant.manifest or {}).get("model")
    return [
        one
        for one in (
            size,
            f"{duration:g} s" if isinstance(duration, int | float) else "",
            f"{cost:g} credits" if cost is not None else "",
            plain(model) if isinstance(model, str) else "",
        )
        if one
    ]


def _cost(variant: Variant) -> float | None:
    """Of the generation, where this is its first file."""
    cost = (variant.manifest or {}).get("cost_credits")
    is_told = isinstance(cost, int | float) and not isinstance(cost, bool) and variant.index == 0
    return float(cost) if is_told and cost is not None else None


def fields_of(shots: Sequence[Shot], *, preselected: bool, notes: bool) -> dict[str, dict[str, Any]]:
    """The fields of the form: name → ``{"default", "title", ...}``, as Airflow's ``Param`` takes them.

    :param shots: what is asked about; one without variants has no field.
    :param preselected: whether the first variant of each is chosen to begin with.
    :param notes: whether each has a field for a note.
    """
    fields: dict[str, dict[str, Any]] = {}
    for shot in shots:
        if not shot.variants:
            continue
        words = [*(one.name for one in shot.variants), NONE]
        title = f"{shot.number}. {shot.label}"
        fields[shot.field] = {
            "default": words[0] if preselected else NONE,
            "type": "string",
            "enum": words,
            "title": title,
        }
        if notes:
            fields[shot.note_field] = {
                "default": None,
                "type": ["null", "string"],
                "maxLength": 1000,
                "title": f"{title}: note",
            }
    return fields
