"""What Airflow has written down of a task instance, as far as the gallery needs it. Plain values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from datetime import datetime

#: What begins the names of our keys in Airflow's task state store, and of our XComs.
OWN_KEYS: Final = "runway_"
#: The XComs that are looked at: ids to show, never places to read from. XCom can be edited by hand.
ID_KEY: Final = "runway_task_id"
LINK_KEY: Final = "_link_RunwayTaskLink"
CLIPS_KEY: Final = "_link_RunwayClipsLink"
RESULT_KEY: Final = "return_value"
#: No id of a gateway is longer.
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,199}")


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task instance."""

    dag_id: str
    run_id: str
    task_id: str
    #: -1 where the task is not mapped.
    map_index: int
    #: Airflow's word; empty where it has none yet.
    state: str
    #: The operator's class name.
    operator: str = ""
    #: What ``map_index_template`` came to; empty where there is none.
    label: str = ""
    #: Rendered template fields; ``None`` where Airflow keeps them no longer, or not yet.
    rendered: Mapping[str, Any] | None = None
    #: Our entries in the task state store, by key.
    notes: Mapping[str, Any] = field(default_factory=dict)
    #: Our XComs, by key.
    xcoms: Mapping[str, Any] = field(default_factory=dict)
    started: datetime | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it is a task of this provider, or of a class made of one."""
        return (
            self.operator.startswith("Runway")
            or bool(self.notes)
            or bool({ID_KEY, LINK_KEY, CLIPS_KEY} & set(self.xcoms))
        )

    @property
    def url(self) -> str:
        """The portal's page of its generation; empty where none is known, or where it is none."""
        found = self.xcoms.get(LINK_KEY)
        return found if isinstance(found, str) and found.startswith(("https://", "http://")) else ""


def ids_in(value: object) -> tuple[str, ...]:
    """The Runway task ids in a rendered field or an XCom: an id, a finished task, a manifest, or a list of such.

    :param value: anything.
    """
    if isinstance(value, Mapping):
        return ids_in(value.get("id") or value.get("runway_task_id"))
    if isinstance(value, str):
        return (value,) if _ID.fullmatch(value) else ()
    if isinstance(value, list | tuple):
        return tuple(dict.fromkeys(one for each in value for one in ids_in(each)))
    return ()
