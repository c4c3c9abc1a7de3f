"""The journal folder: ``[runway] journal`` in Airflow's configuration, with a folder for each task instance.

``<journal>/<namespace>/<dag>/<run>/<task>/<index>/0001-intent.json`` and so on, see
:mod:`airflow_runway.core.journal.entries` for what the files say.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any, Final

from airflow_runway.core.journal.entries import Entry, TaskKey, number_in, read_entry, task_in
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.stores.files import Files, JournalFolderError, is_local

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context, ObjectStoragePath

#: Characters of a folder's name that mean nothing else anywhere, and how many of them are kept.
_ODD = re.compile(r"[^A-Za-z0-9._=-]")
_PART_LENGTH: Final = 120
#: Stands for a namespace or an index that is not there.
_NONE: Final = "-"


def configured_journal() -> Journal | None:
    """The journal that Airflow's configuration names; ``None`` where it names none.

    :raises RunwayConfigurationError: the configuration is wrong; nothing was sent.
    """
    from airflow.configuration import conf

    url = str(conf.get("runway", "journal", fallback="") or "").strip()
    if not url:
        return None
    namespace = str(conf.get("runway", "journal_namespace", fallback="") or "").strip()
    root, told = _root_at(url), redact(url, limit=200)
    if not namespace and not is_local(root.fs):
        raise RunwayConfigurationError(
            f"[runway] journal is {told}, on object storage, and [runway] journal_namespace is empty. Nothing was "
            'sent. Give each Airflow a namespace of its own, e.g. "production": Dags and runs of the same name must '
            "never meet."
        )
    part = folder_name(namespace) if namespace else _NONE
    return Journal(
        Files(
            root.fs,
            "/".join((str(root.path).rstrip("/"), part)),
            "/".join((told.rstrip("/"), part)),
            is_unsafe=conf.getboolean("runway", "journal_unsafe", fallback=False),
        )
    )


def folder_of(context: Context) -> TaskFolder | None:
    """The folder of the task instance that runs; ``None`` where no journal is configured.

    :param context: of the task that runs.
    :raises RunwayConfigurationError: the configuration is wrong; nothing was sent.
    """
    journal = configured_journal()
    if journal is None:
        return None
    return journal.of(task_of(context))


def task_of(context: Context) -> TaskKey:
    """The task instance that runs.

    :param context: of the task that runs.
    """
    ti = context["ti"]
    map_index = getattr(ti, "map_index", None)
    is_mapped = map_index is not None and map_index >= 0
    return TaskKey(ti.dag_id, ti.run_id, ti.task_id, map_index if is_mapped else None)


def _root_at(url: str) -> ObjectStoragePath:
    from airflow.sdk import ObjectStoragePath

    try:
        root = ObjectStoragePath(url)
        assert root.fs  # noqa: S101 - before Airflow 3.2 only this tells
    except Exception as error:
        raise RunwayConfigurationError(
            f"[runway] journal is {redact(url, limit=200)!r}, which is nothing that ObjectStoragePath understands: "
            f"{redact(error, limit=200)}. Nothing was sent. Is the provider of that storage installed?"
        ) from None
    return root


def folder_name(name: str) -> str:
    """A folder's name: different for any two names, and harmless everywhere.

    :param name: of a Dag, a run, a task, a router.
    """
    clean = _ODD.sub("_", name)[:_PART_LENGTH]
    if clean == name and not set(name) <= {"."} and name != _NONE:
        return name
    return f"{clean}~{hashlib.sha256(name.encode()).hexdigest()[:10]}"


class Journal:
    """The journal of this Airflow.

    :param files: the folder of its namespace.
    """

    def __init__(self, files: Files) -> None:
        self._files = files

    @property
    def files(self) -> Files:
        """The folder of its namespace."""
        return self._files

    def of(self, task: TaskKey) -> TaskFolder:
        """The folder of a task instance.

        :param task: which one.
        """
        index = _NONE if task.map_index is None else str(task.map_index)
        name = "/".join((*map(folder_name, (task.dag_id, task.run_id, task.task_id)), index))
        return TaskFolder(self._files, name, task)

    def tasks(self, dag_id: str | None = None, run_id: str | None = None) -> Iterator[TaskFolder]:
        """The folders of all task instances that have sent anything, one after the other.

        One listing for all, as many calls as the store needs for it (S3: one per 1,000 files).

        :param dag_id: of that Dag only.
        :param run_id: of that run only; with a Dag.
        :raises JournalFolderError: it cannot be read now, or holds what is not ours.
        """
        known = [folder_name(one) for one in (dag_id, run_id) if one is not None]
        folders: dict[str, str] = {}
        for name in self._files.below("/".join(known)):
            folder, _, last = name.rpartition("/")
            if number_in(last) is not None and folder.count("/") == 3:
                folders.setdefault(folder, name)
        for folder, first in folders.items():
            content = self._files.contents([first])[first]
            try:
                task = task_in(json.loads(content))
            except (ValueError, RecursionError) as error:
                raise _odd(f"{self._files.url}/{folder}", first, error) from None
            yield TaskFolder(self._files, folder, task)


class TaskFolder:
    """The files of one task instance.

    :param files: of the journal.
    :param name: of the folder in it.
    :param task: the task instance.
    """

    def __init__(self, files: Files, name: str, task: TaskKey) -> None:
        self._files, self._name, self.task = files, name, task
        self.url = f"{files.url}/{name}"

    def read(self) -> list[Entry]:
        """All files; none where there is no folder.

        :raises JournalFolderError: it cannot be read now, or holds what is not ours.
        """
        names = self._files.within(self._name)
        return [
            self._entry(name.rpartition("/")[2], one) for name, one in self._files.contents(names).items()
        ]

    def _entry(self, name: str, content: bytes) -> Entry:
        number = number_in(name)
        if number is None:
            raise JournalFolderError(
                f"the journal folder {self.url} holds {redact(name, limit=80)!r}, which is none of its files: take "
                "it away"
            )
        try:
            return read_entry(number, json.loads(content))
        except (ValueError, RecursionError) as error:
            raise _odd(self.url, name, error) from None

    def create(self, name: str, value: dict[str, Any]) -> None:
        """Create a file that is not there.

        :param name: of the file.
        :param value: plain JSON, with something in it that no other writer has.
        :raises TakenError: it is there, and somebody else's.
        """
        self._files.create(f"{self._name}/{name}", _as_bytes(value))

    def holds(self, name: str, value: dict[str, Any]) -> bool:
        """Whether a file is there as it was created.

        :param name: of the file.
        :param value: what was created.
        """
        return self._files.found(f"{self._name}/{name}") == _as_bytes(value)

    def prove(self) -> None:
        """Make sure that the store is one for a journal.

        :raises RunwayConfigurationError: it is not.
        """
        self._files.prove()


def _as_bytes(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _odd(url: str, name: str, error: Exception) -> JournalFolderError:
    last = name.rpartition("/")[2]
    return JournalFolderError(
        f"{last} in the journal folder {url} cannot be understood ({redact(error, limit=80)})"
    )
