"""A create that asks a router, looked for in the router's list when its answer was lost.

What follows from what is found is decided by :mod:`airflow_runway.core.journal.evidence`. Nothing here
sends a create.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from airflow_runway.core.journal.evidence import (
    Adopt,
    Found,
    LeaveToPerson,
    LookLater,
    Others,
    closes_at,
    judge,
    over_at,
    unheld,
    window_of,
)
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayError,
    RunwayEvidencePendingError,
)
from airflow_runway.operators._evidence import clock, evidence, lost_answer, never_answered
from airflow_runway.operators._router_noting import RouterNoting
from airflow_runway.stores.files import JournalFolderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.core.journal.submission import Policy, Record
    from airflow_runway.core.protocol.routers import RoutedRequest
    from airflow_runway.hooks._ports import SubmittingHook
    from airflow_runway.stores.submission import SubmissionStore
    from airflow_runway.telemetry import Log


class RouterEvidence(RouterNoting):
    """Notes, and finds, the submissions of one task through a router; does nothing for others.

    :param hook: the connection.
    :param store: the task's journal.
    :param log: the task's log.
    """

    def __init__(self, hook: SubmittingHook, store: SubmissionStore, log: Log) -> None:
        super().__init__(hook, store.router_notes, log)
        self._store = store

    def lost_now(
        self,
        error: RunwayAmbiguousSubmissionError,
        record: Record,
        payload: Mapping[str, object],
        policy: Policy,
    ) -> RunwayError:
        """The error of the try that got no usable answer, with what can be known.

        :param error: what happened to the request.
        :param record: the open intent.
        :param payload: the JSON body.
        :param policy: the author's wishes.
        """
        if error.runway_task_id:
            return error
        # Where nothing keeps the intent, the next try would find none, and would submit again.
        if not (record.router and policy.recover_ambiguous and self._store.is_kept):
            return RunwayAmbiguousSubmissionError(
                f"{error.message} {evidence(self._hook, record, payload, self._store.folder)}",
                summary=error.facts.summary,
            )
        return RunwayEvidencePendingError(
            f"{error.message} The list of requests to router {record.router!r} may name it, for certain from "
            f"{clock(closes_at(record))} on: a retry sends nothing, looks there, and takes the generation up if "
            f"it can be told. From {clock(over_at(record, policy.evidence_timeout))} on it is left to a person.",
            retry_after=max(0.0, closes_at(record) - time.time()),
            summary=error.facts.summary,
        )

    def find(self, record: Record, payload: Mapping[str, object], policy: Policy) -> RoutedRequest:
        """The generation of a lost answer, claimed.

        :param record: the open intent.
        :param payload: the JSON body.
        :param policy: the author's wishes.
        :raises RunwayEvidencePendingError: it cannot be told yet; nothing was sent.
        :raises RunwayAmbiguousSubmissionError: it cannot be told; nothing was sent.
        """
        now = time.time()
        found = self._found(record)
        verdict = judge(record, found, now=now, evidence_timeout=policy.evidence_timeout)
        if isinstance(verdict, Adopt):
            try:
                if self._claimed(record, verdict.generation.runway_task_id):
                    return verdict.generation
                found = replace(found, trouble="somebody else was quicker to claim it", known=None)
            except JournalFolderError as error:
                found = replace(found, trouble=str(error), known=None)
            # As if it had not been there: of others nothing is known now.
            verdict = judge(
                record,
                replace(found, others=Others.UNKNOWN),
                now=now,
                evidence_timeout=policy.evidence_timeout,
            )
        told = _told(record, found)
        if isinstance(verdict, LookLater):
            raise RunwayEvidencePendingError(
                f"{never_answered(self._hook, record)} {told} None is taken for this task's yet. A retry looks again"
                + (
                    ""
                    if verdict.after is None
                    else f"; the list is certain from {clock(closes_at(record))} on"
                )
                + f". From {clock(over_at(record, policy.evidence_timeout))} on it is left to a person.",
                retry_after=verdict.after,
                summary="An earlier try's answer was lost",
            )
        assert isinstance(verdict, LeaveToPerson)  # noqa: S101 - for the type checker
        left = lost_answer(self._hook, record, payload, self._store.folder)
        raise RunwayAmbiguousSubmissionError(
            f"{left.message} {told} None is taken for this task's.", summary=left.facts.summary
        )

    def _claimed(self, record: Record, runway_task_id: str) -> bool:
        notes = self._notes(record)
        return notes is not None and notes.claim(record, runway_task_id)

    def _found(self, record: Record) -> Found:
        window = window_of(record.sent_at, record.taken_until)
        try:
            # The list first: whatever is in it was noted before.
            listed = self._hook.router_requests(record.router, window.begins)
        except RunwayError as error:
            return Found(None, trouble=error.message)
        notes = self._notes(record)
        if notes is None:
            return Found(unheld(listed, window, ()))
        try:
            noted = notes.of(record)
            names = {request.runway_task_id for request in listed if window.holds(request.created_at)} - {""}
            held = {name for name in names if noted.holds(name) or notes.is_claimed(record, name)}
        except JournalFolderError as error:
            return Found(unheld(listed, window, ()), trouble=str(error))
        others = Others.OPEN if noted.others_open else Others.NONE
        return Found(
            unheld(listed, window, held),
            others if noted.is_noted else Others.UNKNOWN,
            known=next((one for one in listed if noted.is_own(one.runway_task_id)), None),
            others_open=noted.others_open,
            has_journal=True,
        )


def _told(record: Record, found: Found) -> str:
    """What was found, for the person on call."""
    window = window_of(record.sent_at, record.taken_until)
    when = f"between {clock(window.begins)} and {clock(window.ends)}"
    parts = []
    if found.generations is None:
        parts.append(f"The list of requests to router {record.router!r} could not be read: {found.trouble}")
    elif found.generations:
        named = "; ".join(map(_in_words, found.generations))
        parts.append(f"Router {record.router!r} lists {when}, of nobody that is known: {named}.")
    else:
        parts.append(f"Router {record.router!r} lists no generation {when} that is not somebody else's.")
    if found.generations is not None and found.trouble:
        parts.append(f"What others hold of them is not known: {found.trouble}.")
    elif found.others_open:
        parts.append(
            f"{found.others_open} other submission(s) through this router were not answered either in that time, so "
            "nobody can tell whose it is."
        )
    elif found.generations is not None and not found.has_journal:
        parts.append("Without a journal folder ([runway] journal) nobody can tell whose it is.")
    elif found.others is Others.UNKNOWN and found.generations is not None:
        parts.append("The journal folder does not hold this submission, so nobody can tell whose it is.")
    return " ".join(parts)


def _in_words(one: RoutedRequest) -> str:
    told = f"Runway task {one.runway_task_id}" if one.runway_task_id else "a generation whose id is not told"
    model = f"{one.model}, " if one.model else ""
    cost = "cost not told" if one.estimated_credits is None else f"at most {one.estimated_credits:g} credits"
    return f"{told} ({model}{cost}, {clock(one.created_at)})"
