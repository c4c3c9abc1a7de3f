"""What an answer means. Airflow's REST API checks none, so that anything may come; only what is clear is an approval.

=========================================================  ==============  =======================================
the answer                                                 ``ending``      chosen
=========================================================  ==============  =======================================
"Use these choices", with a variant of at least one shot   ``chosen``      those; other shots have none
"Use these choices", and every field says none             ``none``        nothing
"Reject all", whatever the fields say                      ``rejected``    nothing
none in time                                               ``silence``     nothing
"Use these choices" without fields, or with words that     ``unusable``    what is clear, if anything is: then it
no field knows                                                             is ``chosen``
=========================================================  ==============  =======================================
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypedDict

from airflow_runway.core.redaction import redact
from airflow_runway.core.review.form import NONE, REJECT, USE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_runway.core.review.shots import Shot, Variant

_NOTE: Final = 1000
_NAME: Final = 200


class Ending(StrEnum):
    """How a review ended; the table of this module."""

    CHOSEN = "chosen"
    NONE = "none"
    REJECTED = "rejected"
    SILENCE = "silence"
    UNUSABLE = "unusable"


class ShotChoice(TypedDict):
    """What was chosen for a shot."""

    #: From 1, in the order in which they were handed in.
    number: int
    label: str
    #: A letter; ``None`` where nothing was chosen.
    variant: str | None
    runway_task_id: str | None
    #: Where the file lies; ``None`` where it is not saved.
    path: str | None
    note: str | None


class Review(TypedDict):
    """A whole review."""

    ending: str
    #: Every shot, in the order in which they were handed in.
    shots: list[ShotChoice]
    #: ``None`` where nobody answered.
    responded_by: str | None
    #: ISO 8601.
    responded_at: str | None


class Chosen(ShotChoice):
    """A shot of which something was chosen, ready to be mapped over."""

    #: With only the chosen file; ``None`` where only an id was handed in.
    manifest: dict[str, Any] | None
    responded_by: str | None
    responded_at: str | None


def review_of(shots: Sequence[Shot], event: object) -> tuple[Review, list[Chosen]]:
    """What an answer means: the whole of it, and what was chosen, in the order of the shots.

    :param shots: as they were shown.
    :param event: what Airflow hands over: the answer, or an error.
    """
    answer: Mapping[str, Any] = event if isinstance(event, Mapping) else {}
    options, fields = answer.get("chosen_options"), answer.get("params_input")
    given: Mapping[str, Any] = fields if isinstance(fields, Mapping) else {}
    user = answer.get("responded_by_user")
    by = (user.get("name") or user.get("id")) if isinstance(user, Mapping) else None
    ending, picked = _decided(shots, options, given, answer, is_answered=by is not None)
    review: Review = {
        "ending": ending.value,
        "shots": [_choice(shot, picked.get(shot.number), given) for shot in shots],
        "responded_by": redact(by, limit=_NAME) if by is not None else None,
        "responded_at": _moment(answer.get("responded_at")),
    }
    chosen: list[Chosen] = [
        {
            **choice,
            "manifest": dict(kept) if (kept := picked[choice["number"]].kept) is not None else None,
            "responded_by": review["responded_by"],
            "responded_at": review["responded_at"],
        }
        for choice in review["shots"]
        if choice["number"] in picked
    ]
    return review, chosen


def _decided(
    shots: Sequence[Shot],
    options: object,
    given: Mapping[str, Any],
    answer: Mapping[str, Any],
    *,
    is_answered: bool,
) -> tuple[Ending, dict[int, Variant]]:
    if answer.get("error_type") == "timeout" or ("error" not in answer and not is_answered):
        return Ending.SILENCE, {}
    if not isinstance(options, list) or not options or "error" in answer:
        return Ending.UNUSABLE, {}
    if REJECT in options:
        return Ending.REJECTED, {}
    if options != [USE]:
        return Ending.UNUSABLE, {}
    words = {shot.number: given.get(shot.field) for shot in shots if shot.variants}
    picked = {
        shot.number: variant
        for shot in shots
        for variant in shot.variants
        if variant.name == words[shot.number]
    }
    if picked:
        return Ending.CHOSEN, picked
    is_clear = bool(words) and all(word == NONE for word in words.values())
    return (Ending.NONE if is_clear else Ending.UNUSABLE), {}


def _choice(shot: Shot, variant: Variant | None, given: Mapping[str, Any]) -> ShotChoice:
    note = given.get(shot.note_field)
    return {
        "number": shot.number,
        "label": shot.label,
        "variant": variant.name if variant else None,
        "runway_task_id": variant.runway_task_id if variant else None,
        "path": (variant.path or None) if variant else None,
        "note": redact(note, limit=_NOTE) if isinstance(note, str) and note.strip() else None,
    }


def _moment(value: object) -> str | None:
    if value is None:
        return None
    iso = getattr(value, "isoformat", None)
    return redact(iso() if callable(iso) else value, limit=60)
