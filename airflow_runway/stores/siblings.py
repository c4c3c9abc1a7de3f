"""What the siblings of a mapped task have sent, and who holds which generation: in the journal folder.

Where Airflow keeps the records itself, ``<journal>/<namespace>/index/<dag>/<run>/<task>/<index>/`` has copies of
them, in the form of the journal folder, for siblings to read; else the journal itself is read. The chain of a
generation is ``holds/<task>/<id>~<number>.json``, see :mod:`airflow_runway.core.journal.siblings`.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from airflow_runway.core.journal.history import History
from airflow_runway.core.journal.siblings import Candidate, Hold
from airflow_runway.core.redaction import redact
from airflow_runway.stores.files import JournalFolderError, TakenError
from airflow_runway.stores.folder import Journal
from airflow_runway.stores.history import InFolder

if TYPE_CHECKING:
    from airflow_runway.core.journal.entries import TaskKey
    from airflow_runway.core.journal.record import Record
    from airflow_runway.stores.files import Files

_VERSION: Final = 1


class Siblings:
    """The task instances of one mapped task in one run.

    :param files: of the journal's namespace.
    :param task: one of them: the one that asks.
    :param is_index: whether Airflow keeps the records, so that only copies are here.
    """

    def __init__(self, files: Files, task: TaskKey, *, is_index: bool) -> None:
        self._files, self._task = files, task
        index = replace(files, path=f"{files.path}/index", url=f"{files.url}/index") if is_index else files
        self._journal, self._is_index = Journal(index), is_index
        names = json.dumps([task.dag_id, task.run_id, task.task_id])
        self._holds = f"holds/{hashlib.sha256(names.encode()).hexdigest()[:32]}"

    def tell(self, history: History) -> None:
        """Let siblings read what this task stands for. Anything may be raised: they take nothing from it then.

        :param history: of this task.
        """
        if self._is_index and history.current is not None and not history.current.is_open:
            copy = InFolder(self._journal.of(self._task))
            before = copy.read()
            if before.current is None or before.current.runway_task_id != history.current.runway_task_id:
                copy.write(before.followed_by(history.current))

    def candidates(self, request: str) -> list[Candidate]:
        """The generations of siblings that are of one request.

        :param request: its fingerprint.
        :raises JournalFolderError: they cannot be read now.
        """
        task = self._task
        folders = self._journal.tasks(task.dag_id, task.run_id, task.task_id)
        histories = {folder.task.map_index: InFolder(folder).read() for folder in folders}
        records: dict[str, tuple[Record, int]] = {}
        for index, history in histories.items():
            for record in history.newest_first():
                is_one = record.runway_task_id and not record.is_open and not record.is_doubtful
                if index is not None and is_one and record.fingerprint == request:
                    records.setdefault(record.runway_task_id, (record, index))
        holds = self.holds() if records else {}
        candidates = []
        for runway_task_id, (record, index) in records.items():
            holder = holds.get(runway_task_id, Hold(0, index))
            current = histories.get(holder.map_index, History()).current
            stands_for = current.runway_task_id if current else ""
            candidates.append(Candidate(record, holder, stands_for, submitted_by=index))
        return candidates

    def holds(self) -> dict[str, Hold]:
        """The last file of each generation's chain, by id.

        :raises JournalFolderError: they cannot be read now, or are none.
        """
        last: dict[str, tuple[int, str]] = {}
        for name in self._files.within(self._holds):
            runway_task_id, _, number = name.rpartition("/")[2].removesuffix(".json").rpartition("~")
            if not number.isdecimal():
                raise self._odd(name)
            key = unquote(runway_task_id)
            last[key] = max(last.get(key, (0, "")), (int(number), name))
        contents = self._files.contents(name for _, name in last.values())
        return {key: self._hold(number, name, contents[name]) for key, (number, name) in last.items()}

    def _hold(self, number: int, name: str, content: bytes) -> Hold:
        try:
            value = json.loads(content)
            index = value["map_index"]
            return Hold(number, None if index is None else int(index), float(value["at"]))
        except (KeyError, TypeError, ValueError, RecursionError):
            raise self._odd(name) from None

    def _odd(self, name: str) -> JournalFolderError:
        return JournalFolderError(
            f"the journal folder {self._files.url} holds {redact(name, limit=200)!r}, which is none of its files: "
            "take it away"
        )

    def take(self, runway_task_id: str, after: Hold, *, now: float, lets_go: bool = False) -> bool:
        """Hold a generation from now on, or let it go. Anything may be raised where nobody knows.

        :param runway_task_id: the generation.
        :param after: the end of its chain, as it was read.
        :param now: wall clock, seconds since the epoch.
        :param lets_go: whether nobody is to hold it.
        :returns: whether that stands there now; else somebody else was first.
        """
        content = {
            "version": _VERSION,
            "map_index": None if lets_go else self._task.map_index,
            "at": now,
            "owner": secrets.token_hex(12),
        }
        name = f"{self._holds}/{quote(runway_task_id, safe='')}~{after.number + 1}.json"
        try:
            self._files.create(name, json.dumps(content, sort_keys=True).encode())
        except TakenError:
            return False
        return True
