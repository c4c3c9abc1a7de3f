"""Where a task saves, noted in Airflow's task state store: what it rendered is kept for some runs only."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow_runway.core.gallery.landing import NOTE_KEY, note_of
from airflow_runway.stores.history import kept_for_good

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

log = logging.getLogger(__name__)


def note_landing(context: Context, destination: str, file_name: str, runway_task_ids: Sequence[str]) -> None:
    """Note where a task saves, for the page *Gallery*. Does nothing before Airflow 3.3, and trouble is no trouble.

    :param context: of the task that runs.
    :param destination: the folder.
    :param file_name: the pattern of its names.
    :param runway_task_ids: the generations, where they are known.
    """
    store: Any = context.get("task_state_store")
    if store is None:
        return
    try:
        store.set(NOTE_KEY, note_of(destination, file_name, runway_task_ids), **kept_for_good())
    except Exception as error:
        log.warning(
            "Where this task saves could not be noted (%s); its page shows pictures only as long as Airflow keeps "
            "its rendered fields.",
            type(error).__name__,
        )
