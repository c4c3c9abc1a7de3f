"""As much of Airflow's REST API as ``recover`` asks for, over one address and with one token."""

from __future__ import annotations

import http.client
import json
import os
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlencode, urlsplit

from airflow_runway._recover.arguments import TOKEN_VARIABLE
from airflow_runway._recover.errors import NotAskedError, RefusedError
from airflow_runway.core.journal.recovery import States
from airflow_runway.core.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from airflow_runway.core.journal.entries import TaskKey

_TIMEOUT: Final = 30.0
_LARGEST: Final = 64 * 2**20
#: Entries of a page; Airflow's own bound is 100.
_PAGE: Final = 100


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """A token goes to the address that was given, and nowhere else."""

    def redirect_request(self, *_: Any) -> None:
        return None


class NotThereError(RefusedError):
    """Airflow answered 404."""


def token_from(file: Path | None) -> str:
    """The token for the REST API.

    :param file: that holds it; ``None`` = the environment does.
    :raises NotAskedError: there is none.
    """
    try:
        token = (os.environ.get(TOKEN_VARIABLE, "") if file is None else file.read_text()).strip()
    except (OSError, ValueError) as error:
        raise NotAskedError(f"The token file cannot be read: {type(error).__name__}.") from None
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        where = TOKEN_VARIABLE if file is None else "the token file"
        raise NotAskedError(
            f"--airflow needs a token, and {where} holds none. POST /auth/token of that Airflow gives one."
        )
    return token


class AirflowApi:
    """Talks to one api-server; also tells states, for records that are kept elsewhere.

    :param url: its address, with its path where it has one.
    :param token: a bearer token.
    :raises NotAskedError: it is no address.
    """

    def __init__(self, url: str, token: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username or parts.query:
            raise NotAskedError("--airflow is no address such as https://airflow.example.com.")
        self._base, self._token = url.rstrip("/"), token
        #: The address, for messages.
        self.origin = f"{parts.scheme}://{parts.netloc}"
        #: Whether the token travels readably, beyond this machine.
        self.is_readable = parts.scheme == "http" and parts.hostname not in {"127.0.0.1", "::1", "localhost"}
        self._opener = urllib.request.build_opener(_NoRedirects)

    def states(self, task: TaskKey) -> States:
        """The states of a task instance and of its run; what it does not know is not known.

        :param task: the task instance.
        :raises RefusedError: no usable answer.
        """
        path = task_path(task) + ("" if task.map_index is None else f"/{task.map_index}")
        return States(self._state(path), self._state(run_path(task.dag_id, task.run_id)))

    def _state(self, path: str) -> str | None:
        try:
            found = self.get(path)
        except NotThereError:
            return None
        state = found.get("state") if isinstance(found, dict) else None
        return "none" if state is None else str(state)

    def get(self, path: str, **query: object) -> Any:
        """Read something.

        :param path: below ``/api/v2``.
        :param query: of the address.
        :raises NotThereError: 404.
        :raises RefusedError: no usable answer.
        """
        return self._ask("GET", path + (f"?{urlencode(query)}" if query else ""))

    def pages(self, path: str, member: str, **query: object) -> Iterator[dict[str, Any]]:
        """Read a collection, page by page.

        :param path: below ``/api/v2``.
        :param member: of the answers, which holds the entries.
        :param query: of the address.
        :raises RefusedError: see :meth:`get`.
        """
        offset = 0
        while True:
            answer = self.get(path, **query, limit=_PAGE, offset=offset)
            answer = answer if isinstance(answer, dict) else {}
            entries, total = answer.get(member), answer.get("total_entries") or 0
            is_list = isinstance(entries, list) and isinstance(total, int)
            if entries is None or not is_list or not all(isinstance(one, dict) for one in entries):
                raise RefusedError(f"{self.origin} gives an answer that is none of Airflow's.")
            yield from entries
            offset += len(entries)
            if not entries or offset >= total:
                return

    def put(self, path: str, value: Any, **query: object) -> None:
        """Write an entry of the state store, which then does not expire.

        :param path: below ``/api/v2``.
        :param value: plain JSON.
        :param query: of the address.
        :raises RefusedError: see :meth:`get`.
        """
        self._ask("PUT", f"{path}?{urlencode(query)}", {"value": value, "expires_at": None})

    def delete(self, path: str, **query: object) -> None:
        """Delete an entry of the state store.

        :param path: below ``/api/v2``.
        :param query: of the address.
        :raises RefusedError: see :meth:`get`.
        """
        self._ask("DELETE", f"{path}?{urlencode(query)}")

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self._token}"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        data = None if body is None else json.dumps(body).encode()
        call = urllib.request.Request(  # noqa: S310 - the scheme is checked
            f"{self._base}/api/v2/{path}", data=data, headers=headers, method=method
        )
        try:
            with self._opener.open(call, timeout=_TIMEOUT) as answer:
                text = answer.read(_LARGEST)
            return json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            raise self._refusal(error.code) from None
        except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
            why = redact(error, limit=120, secret=self._token)
            raise RefusedError(
                f"{self.origin} gives no usable answer ({type(error).__name__}: {why})."
            ) from None

    def _refusal(self, status: int) -> RefusedError:
        if status == http.HTTPStatus.NOT_FOUND:
            return NotThereError(f"{self.origin} answers 404.")
        why = {
            401: ": is the token one of this Airflow's, and still good?",
            403: ": its user may not do that",
        }
        return RefusedError(f"{self.origin} answers {status}{why.get(status, '')}.")


def run_path(dag_id: str, run_id: str) -> str:
    """The path of a run.

    :param dag_id: its Dag; ``~`` = any.
    :param run_id: the run; ``~`` = any.
    """
    return f"dags/{quote(dag_id, safe='~')}/dagRuns/{quote(run_id, safe='~')}"


def task_path(task: TaskKey) -> str:
    """The path of a task instance, without its index.

    :param task: the task instance.
    """
    return f"{run_path(task.dag_id, task.run_id)}/taskInstances/{quote(task.task_id, safe='')}"
