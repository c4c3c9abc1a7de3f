"""The link from a task in Airflow's UI to its generation."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
