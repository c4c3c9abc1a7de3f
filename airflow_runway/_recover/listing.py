"""What is open: out of the journals, with what the gateway says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_runway._recover.saying import clean, clock, credits_told
from airflow_runway.core.journal.accounts import AccountMatch
from airflow_runway.core.journal.recovery import Standing, open_in
from airflow_runway.core.models import TaskStatus
from airflow_runway.exceptions import RunwayError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_runway._recover.journals import Kept
    from airflow_runway.core.journal.entries import TaskKey
    from airflow_runway.core.journal.record import Record
    from airflow_runway.core.journal.recovery import Open, States
    from airflow_runway.hooks.runway import RunwayHook

#: What is said of a generation that was not, or could not be, read.
UNREAD, ELSEWHERE, NO_ANSWER, UNKNOWN = "not read", "on another account", "could not be read", "not known"


@dataclass(frozen=True, slots=True)
class Found:
    """Something open."""

    task: TaskKey
    states: States
    open: Open
    #: The gateway's word, or why there is none; empty where there is no id.
    reading: str
    is_batch: bool = False

    def as_json(self) -> dict[str, Any]:
        """The same for machines; of foreign text only what can be printed."""
        record, task = self.open.record, self.task
        return {
            "standing": self.open.standing.value,
            "dag_id": clean(task.dag_id),
            "run_id": clean(task.run_id),
            "task_id": clean(task.task_id),
            "map_index": task.map_index,
            "task_state": self.states.task,
            "run_state": self.states.run,
            "intent": self.open.handle,
            "runway_task_id": clean(record.runway_task_id),
            "gateway": clean(record.gateway),
            "route": clean(record.route),
            "sent_at": record.sent_at,
            "estimated_credits": record.estimated_credits,
            "charged_credits": record.charged_credits,
            "reading": self.reading,
            "is_batch": self.is_batch,
        }

    def lines(self) -> tuple[str, str]:
        """The same for people: what counts, then where it comes from."""
        record = self.open.record
        name = clean(record.runway_task_id) or f"intent {self.open.handle}"
        cost = credits_told(record)
        first = f"  {self.open.standing:<15}  {cost:<22}  {name}  {self.reading}".rstrip()
        index = "" if self.task.map_index is None else f"[{self.task.map_index}]"
        where = [f"{clean(self.task.task_id)}{index}, {self.states.task or 'state unknown'}"]
        if record.runway_task_id and self.open.standing is not Standing.ALONE:
            where.append(f"intent {self.open.handle}")
        where.append(f"{clean(record.route)} {clock(record.sent_at)}")
        return first, f"    {'; '.join(where)}"


def found_in(
    kept: Iterable[Kept], hook: RunwayHook | None, trouble: Callable[[str], None]
) -> Iterator[Found]:
    """What of it is open. Generations are read, each once: that is free.

    :param kept: what is kept of task instances.
    :param hook: the connection; ``None`` = nothing is read.
    :param trouble: is told once why something could not be read.
    """
    for one in kept:
        for item in open_in(one.history, one.states, is_batch=one.is_batch):
            reading = _reading(item.record, hook, trouble)
            if item.standing is not Standing.ALONE or reading not in _SETTLED:
                yield Found(one.task, one.states, item, reading, is_batch=one.is_batch)


#: Readings after which nothing is left of a generation that was accepted.
_SETTLED = frozenset({*(status.value for status in TaskStatus if status.is_final), UNKNOWN})


def _reading(record: Record, hook: RunwayHook | None, trouble: Callable[[str], None]) -> str:
    if not record.runway_task_id:
        return ""
    if hook is None:
        return UNREAD
    if record.gateway not in {"", hook.settings.gateway.name}:
        return ELSEWHERE
    account = hook.account.compared_with(record.account)
    try:
        task = hook.get_task(record.runway_task_id)
    except RunwayError as error:
        trouble(error.message)
        return NO_ANSWER
    if task.status.is_sighting:
        return task.status.value
    return UNKNOWN if account is AccountMatch.SAME else ELSEWHERE
