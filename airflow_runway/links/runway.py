"""The links from a task in Airflow's UI: to its generation, and to the page that shows what it has made."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from airflow.providers.common.compat.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey


class RunwayTaskLink(BaseOperatorLink):
    """Where a person can look at the generation: the gateway's portal, or the task at a relay or emulator."""

    name = "Runway task"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address, without any credential.

        Called by the worker after each phase of a task, so also when it has just deferred.

        :param operator: the task that ran.
        :param ti_key: which run of it.
        """
        if url := getattr(operator, "runway_task_url", ""):
            return str(url)
        from airflow.providers.common.compat.sdk import XCom

        # A phase that did not get as far as the id must not erase what an earlier one found.
        return str(XCom.get_value(ti_key=ti_key, key=self.xcom_key) or "")


class RunwayClipsLink(BaseOperatorLink):
    """The page *Clips* of the task instance, also while it waits; none where ``[runway] gallery`` is off."""

    name = "Clips"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address of the page within Airflow's UI.

        :param operator: the task that ran.
        :param ti_key: which run of it.
        """
        from airflow.providers.common.compat.sdk import conf

        if not conf.getboolean("runway", "gallery", fallback=True):
            return ""
        base = str(conf.get("api", "base_url", fallback="") or "").rstrip("/")
        dag_id, run_id, task_id = (
            quote(one, safe="") for one in (ti_key.dag_id, ti_key.run_id, ti_key.task_id)
        )
        index = (
            f"/mapped/{ti_key.map_index}" if ti_key.map_index is not None and ti_key.map_index >= 0 else ""
        )
        return f"{base}/dags/{dag_id}/runs/{run_id}/tasks/{task_id}{index}/plugin/runway-clips"
