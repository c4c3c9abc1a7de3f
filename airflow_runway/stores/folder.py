"""The journal folder: ``[runway] journal`` in Airflow's configuration, with a folder for each task instance.

``<journal>/<namespace>/<dag>/<run>/<task>/<index>/0001-intent.json`` and so on, see
:mod:`airflow_runway.core.journal.entries` for what the files say.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import defaultdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow_runway.core.journal.entries import Entry, TaskKey, Word, number_in, read_entry, task_in
from airflow_runway.core.owner import owner_of
from airflow_runway.core.redaction import redact
from airflow_runway.exceptions import RunwayConfigurationError
from airflow_runway.stores.files import Files, JournalFolderError, is_local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from airflow.sdk import Context, ObjectStoragePath

_T = TypeVar("_T")
#: Characters of a folder's name that mean nothing else anywhere, and how many of them are kept.
_ODD = re.compile(r"[^A-Za-z0-9._=-]")
_PART_LENGTH: Final = 120
#: Stands for a namespace or an index that is not there.
_NONE: Final = "-"
#: Folders between the journal and a file: Dag, run, task, index.
_DEPTH: Final = 4
#: Task instances whose files are read at a time.
_FOLDERS_AT_ONCE: Final = 200
#: Files that are read in one go.
_AT_ONCE: Final = 1_000
_OF_ANOTHER: Final = "it is another task instance's"


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
            "never meet.",
            summary="[runway] journal_namespace is empty",
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
    owner = owner_of(context["ti"])
    assert owner is not None  # noqa: S101 - for the type checker; a task that runs has its ids
    return TaskKey(owner.dag_id, owner.run_id, owner.task_id, owner.map_index)


def _root_at(url: str) -> ObjectStoragePath:
    from airflow.sdk import ObjectStoragePath

    try:
        root = ObjectStoragePath(url)
        assert root.fs  # noqa: S101 - before Airflow 3.2 only this tells
    except Exception as error:
        raise RunwayConfigurationError(
            f"[runway] journal is {redact(url, limit=200)!r}, which is nothing that ObjectStoragePath understands: "
            f"{redact(error, limit=200)}. Nothing was sent. Is the provider of that storage installed?",
            summary="[runway] journal cannot be understood",
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

    def tasks(
        self,
        dag_id: str | None = None,
        run_id: str | None = None,
        task_id: str | None = None,
        *,
        on_odd: Callable[[JournalFolderError], object] | None = None,
    ) -> Iterator[TaskFolder]:
        """The folders of all task instances that have sent anything, as they are now.

        One listing for all, as many calls as the store needs for it (S3: one per 1,000 files); files are read many
        at a time, where the store's library can.

        :param dag_id: of that Dag only.
        :param run_id: of that run only; with a Dag.
        :param task_id: of that task only; with both.
        :param on_odd: told of folders that hold what is not ours, which are left out then; else that is raised.
        :raises JournalFolderError: it cannot be read now, or holds what is not ours.
        """
        known = [folder_name(one) for one in (dag_id, run_id, task_id) if one is not None]
        folders: defaultdict[str, list[str]] = defaultdict(list)
        for name in self._files.below("/".join(known)):
            folder = name.rpartition("/")[0]
            if folder.count("/") == _DEPTH - 1:
                folders[folder].append(name)
        for some in _batches(folders.items(), _FOLDERS_AT_ONCE):
            contents = self._files.contents(name for _, names in some for name in names)
            for folder, names in some:
                held = {name: contents[name] for name in names}
                try:
                    task = self._task_of(folder, held)
                except JournalFolderError as error:
                    if on_odd is None:
                        raise
                    on_odd(error)
                    continue
                yield TaskFolder(self._files, folder, task, held)

    def _task_of(self, folder: str, held: Mapping[str, bytes]) -> TaskKey:
        first, content = next(iter(held.items()))
        url = f"{self._files.url}/{folder}"
        try:
            task = task_in(json.loads(content))
            if self.of(task).url != url:
                raise ValueError(_OF_ANOTHER)
        except (ValueError, RecursionError) as error:
            raise _odd(url, first, error) from None
        return task

    def holders(self, runway_task_id: str) -> set[TaskKey]:
        """Task instances in whose files an id stands. Reads every file but the intents: not for a task.

        :param runway_task_id: of a generation.
        :raises JournalFolderError: it cannot be read now.
        """
        found = set()
        names = [
            name
            for name in self._files.below("")
            if name.count("/") == _DEPTH
            and number_in(name.rpartition("/")[2]) is not None
            and not name.endswith(f"-{Word.INTENT}.json")
        ]
        for start in range(0, len(names), _AT_ONCE):
            for content in self._files.contents(names[start : start + _AT_ONCE]).values():
                try:
                    value = json.loads(content)
                    if value["record"]["runway_task_id"] == runway_task_id:
                        found.add(task_in(value))
                except (KeyError, TypeError, ValueError, RecursionError):
                    continue  # a task that has it in its folder complains
        return found


class TaskFolder:
    """The files of one task instance.

    :param files: of the journal.
    :param name: of the folder in it.
    :param task: the task instance.
    :param held: what its files hold, where that is known already.
    """

    def __init__(
        self, files: Files, name: str, task: TaskKey, held: Mapping[str, bytes] | None = None
    ) -> None:
        self._files, self._name, self.task, self._held = files, name, task, held
        self.url = f"{files.url}/{name}"

    def read(self) -> list[Entry]:
        """All files; none where there is no folder.

        :raises JournalFolderError: it cannot be read now, or holds what is not ours.
        """
        held, self._held = self._held, None
        if held is None:
            held = self._files.contents(self._files.within(self._name))
        return [self._entry(name.rpartition("/")[2], content) for name, content in held.items()]

    def _entry(self, name: str, content: bytes) -> Entry:
        number = number_in(name)
        if number is None:
            raise JournalFolderError(
                f"the journal folder {self.url} holds {redact(name, limit=80)!r}, which is none of its files: take "
                "it away"
            )
        try:
            value = json.loads(content)
            if task_in(value) != self.task:
                raise ValueError(_OF_ANOTHER)
            return read_entry(number, value)
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


def _batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    source = iter(items)
    while batch := list(islice(source, size)):
        yield batch


def _as_bytes(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _odd(url: str, name: str, error: Exception) -> JournalFolderError:
    last = name.rpartition("/")[2]
    return JournalFolderError(
        f"{last} in the journal folder {url} cannot be understood ({redact(error, limit=80)})"
    )
