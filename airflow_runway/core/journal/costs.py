"""What one source, a record of the journal or a manifest, says of what a generation cost. Pure.

Summed up in :mod:`airflow_runway.core.journal.cost_sums`. An unknown price is ``None``, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow_runway.core.journal.item import State
from airflow_runway.core.journal.record import read_id, read_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.core.journal.entries import TaskKey
    from airflow_runway.core.journal.record import Record

MANIFEST_VERSION = 1


@dataclass(frozen=True, slots=True)
class Cost:
    """What one source says of a generation, of a lost answer, or of several generations together."""

    #: Runway task ids: one; several, whose price is known only together; none, where an answer was lost.
    ids: tuple[str, ...] = ()
    #: Of a lost answer without an id: what tells it from others.
    lost: tuple[str, ...] = ()
    #: Whether nobody knows if it was accepted.
    is_open: bool = False
    #: Credits; ``None`` where nobody was told.
    charged: float | None = None
    #: The most it may cost, in credits; ``None`` where nobody was told.
    estimated: float | None = None
    gateway: str = ""
    #: ``scheme://host[:port]`` of the Base URL; empty where the source does not say.
    origin: str = ""
    dag_id: str = ""
    run_id: str = ""
    team_name: str = ""
    route: str = ""
    model: str = ""
    #: Wall clock of the POST, seconds since the epoch; in a manifest of files, of the saving. ``None`` if unknown.
    at: float | None = None
    #: Whether the source is the task that spent: one that only saved, or to which an error named the id, is not.
    is_spender: bool = True


def cost_of(record: Record, task: TaskKey) -> Cost:
    """What a record of the journal says.

    :param record: of a submission that was not forgotten.
    :param task: whose record it is.
    """
    named = (record.runway_task_id,) if record.runway_task_id else ()
    lost = (
        task.dag_id, task.run_id, task.task_id, str(task.map_index), repr(record.sent_at), record.fingerprint,
    )  # fmt: skip
    return Cost(
        ids=named,
        lost=() if named else lost,
        is_open=record.is_open,
        charged=record.charged_credits,
        estimated=record.estimated_credits,
        gateway=record.gateway,
        origin=record.account.origin if record.account else "",
        dag_id=task.dag_id,
        run_id=task.run_id,
        team_name=record.team_name,
        route=record.route,
        model=record.model,
        at=record.sent_at,
        is_spender=not record.is_doubtful,
    )


def costs_in(document: Any, source: str) -> list[Cost]:
    """What a manifest says: of a generation's files (:mod:`airflow_runway.core.saving.manifest`), or a batch's line.

    :param document: as it was stored, maybe by another version, or by a person.
    :param source: what tells it from other documents.
    :raises ValueError: it is no manifest, or one of a later version.
    """
    if not isinstance(document, dict):
        raise ValueError("it is no manifest")
    if "manifest_version" in document:
        if document["manifest_version"] != MANIFEST_VERSION:
            raise ValueError("it is of a later version")
        runway_task_id = read_id(document.get("runway_task_id"))
        if not runway_task_id:
            raise ValueError("it names no Runway task")
        known = _known(document, at=_time(document.get("saved_at")))
        return [
            replace(
                known, ids=(runway_task_id,), charged=_credits(document, "cost_credits"), is_spender=False
            )
        ]
    if "index" in document and "state" in document:
        return _costs_of_line(document, source)
    raise ValueError("it is no manifest")


def _costs_of_line(line: Mapping[str, Any], source: str) -> list[Cost]:
    known = _known(line, at=_time(line.get("sent_at")))
    runway_task_id, place = read_id(line.get("runway_task_id")), str(line["index"])
    is_open = line["state"] == State.INTENT.value
    found = []
    if runway_task_id or is_open:
        found.append(
            replace(
                known,
                ids=(runway_task_id,) if runway_task_id else (),
                lost=() if runway_task_id else (source, place),
                is_open=is_open,
                charged=_credits(line, "cost_credits"),
                estimated=_credits(line, "estimated_credits"),
                is_spender=not is_open,
            )
        )
    earlier = line.get("earlier_ids") or []
    if not isinstance(earlier, list):
        raise ValueError("earlier_ids is no list")
    ids = tuple(dict.fromkeys(filter(None, map(read_id, earlier))))
    if ids:
        # An item keeps one sum, in which a price that nobody told is 0.
        found.append(replace(known, ids=ids, estimated=_credits(line, "earlier_credits") or None))
    lost = line.get("earlier_lost_answers") or 0
    if isinstance(lost, bool) or not isinstance(lost, int) or not 0 <= lost <= _MOST_LOST:
        raise ValueError("earlier_lost_answers is no such number")
    found += [replace(known, lost=(source, place, str(one)), is_open=True) for one in range(lost)]
    return found


#: Lost answers of one item of a batch that are believed.
_MOST_LOST = 1000


def _known(document: Mapping[str, Any], *, at: float | None) -> Cost:
    owner = document.get("owner") or {}
    if not isinstance(owner, dict):
        raise ValueError("owner is no object")
    return Cost(
        gateway=_text(document, "gateway"),
        dag_id=_text(owner, "dag_id"),
        run_id=_text(owner, "run_id"),
        team_name=_text(owner, "team_name"),
        route=_text(document, "route"),
        model=_text(document, "model"),
        at=at,
    )


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if value is not None and not isinstance(value, str):
        raise ValueError(f"{name} is no text")
    return value or ""


def _credits(document: Mapping[str, Any], name: str) -> float | None:
    value = document.get(name)
    if value is None:
        return None
    if read_number(value) < 0:
        raise ValueError(f"{name} is less than nothing")
    return float(value)


def _time(value: object) -> float | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError("a time is no text")
    moment = datetime.fromisoformat(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
