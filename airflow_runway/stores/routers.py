"""Who of this Airflow has asked a router, when, and what became of it: an index by router in the journal folder.

``<journal>/<namespace>/routers/<slug>/<day>/<sent>-<until>-<submission>-<word>.json``: the names say all, so that
one listing per day tells what a lost answer needs. "Sent" and "until" are milliseconds since the epoch; the day is
that of "sent", in UTC; a submission is named by a hash. The words: ``open`` is about to be sent, ``void`` was
provably not accepted, ``held~<hash of the id>`` is a generation's. Written by every submission through a router, also
where Airflow keeps its record: of others' records Airflow's store tells nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_runway.core.journal.entries import claimant
from airflow_runway.core.journal.evidence import window_of
from airflow_runway.core.redaction import redact
from airflow_runway.stores.claims import claim, claimed_by
from airflow_runway.stores.files import JournalFolderError, TakenError
from airflow_runway.stores.folder import configured_journal, folder_name, task_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Context

    from airflow_runway.core.journal.entries import TaskKey
    from airflow_runway.core.journal.evidence import Window
    from airflow_runway.core.journal.record import Record
    from airflow_runway.stores.files import Files

_NAME = re.compile(r"(\d{10,16})-(\d{10,16})-([0-9a-f]{32})-(open|void|held~[0-9a-f]{32})\.json")
_OPEN, _VOID, _HELD = "open", "void", "held~"


@dataclass(frozen=True, slots=True)
class Notes:
    """What is noted of a time."""

    #: How many other submissions are open.
    others_open: int
    #: Whether this submission was noted before its POST.
    is_noted: bool
    #: Hashes of the ids that others hold.
    held: frozenset[str]
    #: Hash of the id that this very submission holds; empty if it does not.
    own: str

    def holds(self, runway_task_id: str) -> bool:
        """Whether another submission holds a generation.

        :param runway_task_id: its id.
        """
        return _hash(runway_task_id) in self.held

    def is_own(self, runway_task_id: str) -> bool:
        """Whether this submission had noted a generation to be its own.

        :param runway_task_id: its id.
        """
        return bool(self.own) and _hash(runway_task_id) == self.own


def router_notes(context: Context, slug: str, *, is_dry_run: bool = False) -> RouterNotes | None:
    """The notes on a router; ``None`` without a router or a journal folder.

    :param context: of the task that runs.
    :param slug: of the router; empty = none.
    :param is_dry_run: whether they are read only.
    :raises RunwayConfigurationError: the folder is configured wrongly; nothing was sent.
    """
    journal = configured_journal() if slug else None
    if journal is None:
        return None
    return RouterNotes(journal.files, slug, task_of(context), is_dry_run=is_dry_run)


class RouterNotes:
    """The notes on one router, for one task instance.

    :param files: of the journal's namespace.
    :param slug: of the router.
    :param task: who writes them.
    :param is_dry_run: whether they are read only.
    """

    def __init__(self, files: Files, slug: str, task: TaskKey, *, is_dry_run: bool = False) -> None:
        self._files, self._is_dry_run = files, is_dry_run
        self._folder, self._task = f"routers/{folder_name(slug)}", task

    def _submission(self, record: Record) -> str:
        """What names a submission, the same in each of its tries."""
        return claimant(self._task, record)

    def intend(self, record: Record) -> None:
        """Note that a submission is about to be sent. Anything may be raised; then nothing may be sent.

        :param record: the intent.
        """
        self._write(record, _OPEN)

    def hold(self, record: Record, runway_task_id: str) -> None:
        """Note whose generation it is. Anything may be raised: others then take the submission for an open one.

        :param record: of the submission.
        :param runway_task_id: the generation.
        """
        self._write(record, _HELD + _hash(runway_task_id))

    def void(self, record: Record) -> None:
        """Note that a submission was provably not accepted. Anything may be raised, as in :meth:`hold`.

        :param record: of the submission.
        """
        self._write(record, _VOID)

    def claim(self, record: Record, runway_task_id: str) -> bool:
        """Claim a generation for a submission; see :func:`airflow_runway.stores.claims.claim`.

        :param record: of the submission.
        :param runway_task_id: the generation.
        """
        by = self._submission(record)
        if self._is_dry_run:
            return claimed_by(self._files, runway_task_id) in {None, by}
        return claim(self._files, runway_task_id, by=by)

    def is_claimed(self, record: Record, runway_task_id: str) -> bool:
        """Whether somebody else has claimed a generation.

        :param record: of the submission.
        :param runway_task_id: the generation.
        :raises JournalFolderError: it cannot be read now.
        """
        return claimed_by(self._files, runway_task_id) not in {None, self._submission(record)}

    def _write(self, record: Record, word: str) -> None:
        if self._is_dry_run:
            return
        sent, until = int(record.sent_at * 1000), math.ceil(record.taken_until * 1000)
        name = f"{sent:013d}-{until:013d}-{_hash(self._submission(record))}-{word}.json"
        day = datetime.fromtimestamp(record.sent_at, UTC).date().isoformat()
        try:
            self._files.create(
                f"{self._folder}/{day}/{name}",
                json.dumps({"task": asdict(self._task)}, sort_keys=True).encode(),
            )
        except (
            TakenError
        ):  # by a version of this provider that writes something else into it: the name says all
            return

    def of(self, record: Record) -> Notes:
        """What is noted of the time of a submission.

        :param record: of the submission.
        :raises JournalFolderError: it cannot be read now, or holds what is not ours.
        """
        own, window = _hash(self._submission(record)), window_of(record.sent_at, record.taken_until)
        states: dict[str, set[str]] = {}
        for submission, other, word in self._around(window):
            if submission == own or window.meets(other):
                states.setdefault(submission, set()).add(word)
        mine = states.pop(own, set())
        held = {
            word.removeprefix(_HELD) for words in states.values() for word in words if word.startswith(_HELD)
        }
        return Notes(
            others_open=sum(words == {_OPEN} for words in states.values()),
            is_noted=_OPEN in mine and _VOID not in mine,
            held=frozenset(held),
            own=next((word.removeprefix(_HELD) for word in mine if word.startswith(_HELD)), ""),
        )

    def _around(self, window: Window) -> Iterator[tuple[str, Window, str]]:
        day = datetime.fromtimestamp(window.begins, UTC).date() - timedelta(days=1)
        last = datetime.fromtimestamp(window.ends, UTC).date()
        while day <= last:
            for name in self._files.within(f"{self._folder}/{day.isoformat()}"):
                found = _NAME.fullmatch(name.rpartition("/")[2])
                if found is None:
                    raise JournalFolderError(
                        f"the journal folder {self._files.url} holds {redact(name, limit=200)!r}, which is none "
                        "of its files: take it away"
                    )
                yield found[3], window_of(int(found[1]) / 1000, int(found[2]) / 1000), found[4]
            day += timedelta(days=1)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
