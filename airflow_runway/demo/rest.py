"""A small client of Airflow's REST API, for an Airflow whose every user is an administrator."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import quote


class RestError(RuntimeError):
    """Airflow's REST API refused a request.

    :param message: what was asked and what came back.
    :param status: the HTTP status.
    """

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class AirflowRest:
    """Talks to one api-server.

    :param base_url: e.g. ``http://127.0.0.1:8080``, without a trailing slash.
    :param timeout: seconds for one request.
    :param login: user name and password; ``None`` where everybody is an admin.
    """

    def __init__(self, base_url: str, *, timeout: float = 30.0, login: tuple[str, str] | None = None) -> None:
        self.base_url = base_url
        self._timeout = timeout
        self._login = login
        self._token: str | None = None
        # A proxy of the caller's has no business between two processes of one machine.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def request(self, method: str, path: str, body: Any = None, *, accept: str = "application/json") -> Any:
        """Send one request, with a token that is fetched when first needed.

        :param method: HTTP method.
        :param path: path and query, e.g. ``/api/v2/dags``.
        :param body: sent as JSON unless ``None``.
        :param accept: the media type that is asked for.
        :returns: the decoded JSON answer; ``None`` where there is none.
        :raises RestError: on any status of 400 and above.
        :raises OSError: when nobody listens.
        """
        if self._token is None and path != "/auth/token":
            self._token = self.token()
        headers = {"Accept": accept, "Content-Type": "application/json"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        data = None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(self.base_url + path, data=data, headers=headers, method=method)  # noqa: S310
        try:
            with self._opener.open(call, timeout=self._timeout) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            detail = error.read().decode(errors="replace")[:2000]
            raise RestError(f"{method} {path}: HTTP {error.code} {detail}", error.code) from None
        return json.loads(text) if text else None

    def token(self) -> str:
        """A new token for the user, as ``_token`` in a browser's cookies."""
        if self._login is None:
            return str(self.request("GET", "/auth/token")["access_token"])
        name, password = self._login
        answer = self.request("POST", "/auth/token", {"username": name, "password": password})
        return str(answer["access_token"])

    def trigger_dag(self, dag_id: str, conf: dict[str, Any] | None = None) -> str:
        """Create a run.

        :param dag_id: the DAG.
        :param conf: its conf, which overrides the DAG's params.
        :returns: the run id.
        :raises RestError: 404 while the DAG has not been parsed yet.
        """
        run = self.request("POST", f"{_dag(dag_id)}/dagRuns", {"logical_date": None, "conf": conf or {}})
        return str(run["dag_run_id"])

    def dag_run(self, dag_id: str, run_id: str) -> dict[str, Any]:
        """One run, with its ``state``.

        :param dag_id: the DAG.
        :param run_id: the run.
        :returns: the run as the REST API shows it.
        """
        return dict(self.request("GET", _run(dag_id, run_id)))

    def task_instances(self, dag_id: str, run_id: str) -> list[dict[str, Any]]:
        """The task instances of a run, mapped ones each for itself.

        :param dag_id: the DAG.
        :param run_id: the run.
        :returns: each with ``task_id``, ``map_index``, ``state``, ``try_number`` and more; 1000 at most.
        """
        answer = self.request("GET", f"{_run(dag_id, run_id)}/taskInstances?limit=1000")
        return list(answer["task_instances"])

    def xcom(
        self, dag_id: str, run_id: str, task_id: str, key: str = "return_value", *, map_index: int = -1
    ) -> Any:
        """The value of one XCom.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param task_id: the task that pushed it.
        :param key: its key.
        :param map_index: the index of a mapped task instance.
        :returns: the value.
        :raises RestError: 404 when there is no such XCom.
        """
        path = f"{_task(dag_id, run_id, task_id)}/xcomEntries/{quote(key, safe='')}"
        return self.request("GET", f"{path}?map_index={map_index}&stringify=false")["value"]

    def task_log(
        self, dag_id: str, run_id: str, task_id: str, *, try_number: int = 1, map_index: int = -1
    ) -> list[dict[str, Any]]:
        """The log of one try.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param task_id: the task.
        :param try_number: which try.
        :param map_index: the index of a mapped task instance.
        :returns: records with ``event``, ``level``, ``timestamp`` and, for exceptions, ``error_detail``.
        """
        path = f"{_task(dag_id, run_id, task_id)}/logs/{try_number}?full_content=true&map_index={map_index}"
        content = self.request("GET", path)["content"]
        return [line if isinstance(line, dict) else {"event": str(line)} for line in content]

    def set_state(self, dag_id: str, run_id: str, task_id: str, state: str, *, map_index: int = -1) -> None:
        """Mark a task instance, as a person does in the UI.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param task_id: the task.
        :param state: ``failed``, ``success`` or ``skipped``.
        :param map_index: the index of a mapped task instance; -1 for an ordinary one.
        """
        path = _task(dag_id, run_id, task_id)
        if map_index >= 0:
            path += f"/{map_index}"
        self.request("PATCH", path, {"new_state": state})

    def clear(self, dag_id: str, run_id: str, *task_ids: str, only_failed: bool = False) -> None:
        """Clear tasks of a run, so that they run again.

        :param dag_id: the DAG.
        :param run_id: the run.
        :param task_ids: the tasks; all of the run when none is named.
        :param only_failed: whether others than failed ones are left alone.
        """
        wish: dict[str, Any] = {"dry_run": False, "dag_run_id": run_id, "only_failed": only_failed}
        if task_ids:
            wish["task_ids"] = list(task_ids)
        self.request("POST", f"{_dag(dag_id)}/clearTaskInstances", wish)

    def import_errors(self) -> list[str]:
        """Why DAG files could not be read.

        :returns: one text per broken file, empty when all is well.
        """
        errors = self.request("GET", "/api/v2/importErrors")["import_errors"]
        return [f"{error['filename']}\n{error['stack_trace']}" for error in errors]


def _dag(dag_id: str) -> str:
    return f"/api/v2/dags/{quote(dag_id, safe='')}"


def _run(dag_id: str, run_id: str) -> str:
    return f"{_dag(dag_id)}/dagRuns/{quote(run_id, safe='')}"


def _task(dag_id: str, run_id: str, task_id: str) -> str:
    return f"{_run(dag_id, run_id)}/taskInstances/{quote(task_id, safe='')}"
