"""Whose money it is: the task instance that spends it and, where Airflow has it, its team. Values, and no Airflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypedDict


class OwnerFacts(TypedDict):
    """An owner in documents: manifests, asset events."""

    dag_id: str
    run_id: str
    task_id: str
    #: ``None`` where the task is not mapped.
    map_index: int | None
    #: ``None`` where Airflow knows no teams, or did not say.
    team_name: str | None


@dataclass(frozen=True, slots=True)
class Owner:
    """A task instance, by Airflow's names for it, and its team."""

    dag_id: str
    run_id: str
    task_id: str
    #: ``None`` where the task is not mapped.
    map_index: int | None = None
    #: Empty where Airflow has no teams (before 3.3), or has not told.
    team_name: str = ""

    @property
    def tags(self) -> dict[str, str]:
        """For statistics and spans: what has few values. A run has a value of its own each time, so it is no tag."""
        named = {"dag_id": self.dag_id, "task_id": self.task_id, "team_name": self.team_name}
        return {name: value for name, value in named.items() if value}

    def as_json(self) -> OwnerFacts:
        """The owner as plain JSON values."""
        return {
            "dag_id": self.dag_id,
            "run_id": self.run_id,
            "task_id": self.task_id,
            "map_index": self.map_index,
            "team_name": self.team_name or None,
        }


def owner_of(task_instance: object) -> Owner | None:
    """The owner in what Airflow gives a task, or its trigger; ``None`` where that is no task instance.

    The team is told by Airflow 3.3 and later, to both, in the tags of its own statistics (airflow-facts §16).

    :param task_instance: a ``RuntimeTaskInstance`` or, to a trigger before 3.3, a ``TaskInstanceDTO``.
    """
    dag_id, run_id, task_id, map_index = (
        getattr(task_instance, name, None) for name in ("dag_id", "run_id", "task_id", "map_index")
    )
    if not isinstance(dag_id, str) or not isinstance(task_id, str):
        return None
    try:
        tags = getattr(task_instance, "stats_tags", None)
    except Exception:
        # It is put together when it is asked for. No wait and no submission fails for want of a tag.
        tags = None
    team = tags.get("team_name") if isinstance(tags, dict) else None
    is_mapped = isinstance(map_index, int) and map_index >= 0
    return Owner(dag_id, str(run_id or ""), task_id, map_index if is_mapped else None, str(team or ""))
