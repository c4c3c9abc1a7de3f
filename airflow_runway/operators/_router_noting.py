"""A create that asks a router, noted beside those of others: whose answer was lost has to tell them apart."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_runway.core.journal.evidence import LONGEST_PREPARATION
from airflow_runway.core.protocol.routers import router_of
from airflow_runway.exceptions import RunwayJournalError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_runway.core.journal.record import Record
    from airflow_runway.hooks._ports import SubmittingHook
    from airflow_runway.stores.routers import RouterNotes
    from airflow_runway.telemetry import Log


class RouterNoting:
    """Notes the submissions of one task through a router; does nothing for others.

    :param hook: the connection.
    :param notes_on: gives the notes on a router, by its slug; ``None`` without a router or a journal folder.
    :param log: the task's log.
    """

    def __init__(self, hook: SubmittingHook, notes_on: Callable[[str], RouterNotes | None], log: Log) -> None:
        self._hook, self._notes_on, self._log = hook, notes_on, log

    def traceable(self, intent: Record, payload: Mapping[str, object]) -> Record:
        """An intent with the router that it asks, if it asks one.

        :param intent: before it is written.
        :param payload: the JSON body, as it can be sent.
        :raises RunwayConfigurationError: the journal folder is configured wrongly; nothing was sent.
        """
        slug = router_of(self._hook.settings.gateway, intent.route, payload)
        if not slug:
            return intent
        # A wrong configuration is found now, before anything is written.
        self._notes_on(slug)
        longest = LONGEST_PREPARATION + self._hook.longest_create(intent.route, payload)
        return replace(intent, router=slug, taken_until=intent.sent_at + longest)

    def begin(self, record: Record) -> None:
        """Note a submission, as the last thing before its POST.

        :param record: the intent, which is written.
        :raises RunwayJournalError: it could not be made sure that others see it in time; nothing may be sent.
        """
        notes = self._notes(record)
        if notes is not None:
            try:
                notes.intend(record)
            except Exception as error:
                raise RunwayJournalError(
                    f"The journal folder could not be written ({type(error).__name__}), so nothing was sent and "
                    "nothing was charged. A retry tries again."
                ) from error
        late = time.time() - record.sent_at
        if record.router and late > LONGEST_PREPARATION:
            raise RunwayJournalError(
                f"Writing down that a request is about to be sent took {late:.0f} s, and a generation that is made "
                "now could not be told from others by its time. Nothing was sent and nothing was charged. A retry "
                "tries again.",
                summary=f"Preparing the request took {late:.0f} s, too long",
            )

    def held(self, record: Record) -> None:
        """Note that a submission was accepted.

        :param record: of the submission, with the id.
        """
        self._note(record, lambda notes: notes.hold(record, record.runway_task_id))

    def refused(self, record: Record) -> None:
        """Note that a submission was provably not accepted.

        :param record: of the submission.
        """
        self._note(record, lambda notes: notes.void(record))

    def _note(self, record: Record, write: Callable[[RouterNotes], None]) -> None:
        notes = self._notes(record)
        if notes is None:
            return
        try:
            write(notes)
        except Exception as error:
            # Others take it for an open one and adopt nothing of its time: annoying, and safe.
            self._log.warning(
                "What became of a request to router %s is not noted (%s).",
                record.router,
                type(error).__name__,
            )

    def _notes(self, record: Record) -> RouterNotes | None:
        return self._notes_on(record.router)
