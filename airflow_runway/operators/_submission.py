"""One task's way to its generation: read the journal, decide, submit at most once, write down what came of it."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_runway import telemetry
from airflow_runway.core.journal import submission as journal
from airflow_runway.core.journal.accounts import SALT_BYTES
from airflow_runway.core.journal.record import model_in
from airflow_runway.core.journal.submission import (
    Elsewhere,
    History,
    Look,
    Phase,
    Reattach,
    Record,
    Refuse,
    Reuse,
    Submit,
    TryLater,
    Unreadable,
)
from airflow_runway.core.models import CancelOutcome
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayConfigurationError,
    RunwayJournalError,
    RunwaySubmissionError,
)
from airflow_runway.operators._callback_token import with_token
from airflow_runway.operators._evidence import clock, elsewhere, evidence, lost_answer, still_open
from airflow_runway.operators._recorded_generation import remote_state
from airflow_runway.operators._recorded_request import prepare_or_match
from airflow_runway.stores.files import JournalFolderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.core.journal.submission import Policy, SubmissionDecision
    from airflow_runway.core.models import Submission
    from airflow_runway.hooks._ports import SubmittingHook
    from airflow_runway.operators._recorded_generation import LooksAtTask
    from airflow_runway.stores.submission import SubmissionStore
    from airflow_runway.telemetry import Log


class JournalledSubmission:
    """Finds or makes the one generation that a task stands for.

    :param hook: the connection.
    :param store: the task's journal.
    :param look: reads a wait's task once and decides.
    :param log: the task's log.
    """

    def __init__(
        self,
        hook: SubmittingHook,
        store: SubmissionStore,
        look: LooksAtTask,
        log: Log,
    ) -> None:
        self._hook = hook
        self._store = store
        self._look = look
        self._log = log

    def find_or_submit(self, route: str, payload: Mapping[str, Any], policy: Policy) -> tuple[Record, bool]:
        """The record of the generation, and whether it is new rather than left by an earlier try.

        :param route: the route's name.
        :param payload: the JSON body.
        :param policy: the author's wishes.
        :raises RunwayAmbiguousSubmissionError: an answer was lost, now or in an earlier try.
        :raises RunwaySubmissionError: refused; nothing is charged.
        :raises RunwayJournalError: the journal failed; nothing was sent.
        :raises RunwayReadError: the recorded generation could not be read; nothing was sent.
        """
        history = self._store.load()
        records = list(history.newest_first()) if isinstance(history, History) else []
        as_written = self._hook.fingerprint(route, payload)
        prepared = prepare_or_match(
            self._hook, payload, as_written=as_written, recorded=records, log=self._log
        )
        if isinstance(prepared, Record):
            request = prepared.fingerprint
        else:
            request = self._hook.fingerprint(route, prepared.identity)
        found = history.matching(request) if isinstance(history, History) else history
        decision = self._decide(found, request, policy)
        about = None if isinstance(decision, Submit | TryLater) else decision.record
        still = [record for record in records if record.is_open and record is not about]
        told = still_open(still, self._store.folder)
        if told:
            self._log.warning("%s", told)
        self._tell_of_current(found)
        if isinstance(decision, TryLater):
            if isinstance(self._store.trouble, RunwayConfigurationError):
                raise self._store.trouble
            why = f": {self._store.trouble}" if isinstance(self._store.trouble, JournalFolderError) else ""
            raise RunwayJournalError(
                f"Nothing was sent and nothing was charged: {decision.reason}{why}. A retry looks again."
            )
        if isinstance(decision, Elsewhere):
            raise elsewhere(self._hook, decision, self._store.folder)
        if isinstance(decision, Refuse):
            raise lost_answer(self._hook, decision.record, payload, self._store.folder)
        if isinstance(decision, Reattach | Reuse):
            return self._recovered(decision), False
        assert isinstance(decision, Submit)  # noqa: S101 - for the type checker; Look was answered above
        # Uploads and fresh links are free, and done before anything that is not.
        if isinstance(prepared, Record):
            prepared = self._hook.prepare(payload)
        body = prepared.body()
        self._hook.prepare_create(route, body)
        intent = Record(
            Phase.INTENT,
            self._hook.fingerprint(route, prepared.identity),
            self._hook.settings.gateway.name,
            route,
            sent_at=time.time(),
            as_written=as_written,
            replaces=self._replaced_by(decision),
        )
        return self._submit(intent, body), True

    def _decide(self, found: Record | Unreadable | None, request: str, policy: Policy) -> SubmissionDecision:
        cleared = isinstance(found, Record) and self._store.was_cleared(found)
        decision = journal.decide(found, request, cleared=cleared, policy=policy)
        if not isinstance(decision, Look):
            return decision
        remote = remote_state(self._hook, self._look, decision.record)
        return journal.decide(
            found,
            request,
            cleared=cleared,
            remote=remote,
            account=self._hook.account.compared_with(decision.record.account),
            mapped=self._store.is_mapped,
            policy=policy,
        )

    def _tell_of_current(self, found: Record | Unreadable | None) -> None:
        current = self._store.record
        if current is not None and current is not found and not current.is_open:
            self._log.warning(
                "Runway task %s, submitted at %s, was for another request of this task; it is left alone and, where "
                "it still runs, charged.",
                current.runway_task_id,
                clock(current.sent_at),
            )

    def _recorded(self) -> Record:
        record = self._store.record
        assert record is not None  # noqa: S101 - for the type checker; only records are looked at
        return record

    def _recovered(self, decision: Reattach | Reuse) -> Record:
        record, current = decision.record, self._recorded()
        cleared = isinstance(decision, Reuse)
        self._log.info(
            "%s Runway task %s, submitted at %s: nothing is sent and nothing is charged.",
            "Reusing" if cleared else "Picking up",
            record.runway_task_id,
            clock(record.sent_at),
        )
        changes: dict[str, Any] = {}
        if current.replaces or record.replaces:
            unwanted = dict.fromkeys((*record.replaces, *current.replaces))
            changes["replaces"] = tuple(old for old in unwanted if old != record.runway_task_id)
        if record.is_open or cleared:
            changes |= {"phase": Phase.SUBMITTED, "outcome": ""}
        if cleared:
            # From here on it is an ordinary wait again, with a deadline of its own.
            changes |= {"anchored_at": time.time(), "max_tries": self._store.max_tries}
        self._store.take_up(record, **changes)
        self._cancel_replaced()
        return self._recorded()

    def _replaced_by(self, decision: Submit) -> tuple[str, ...]:
        """What is to be cancelled once the new generation is recorded; says what is not."""
        if decision.leaves:
            self._log.warning(
                "Runway task %s, which an earlier request of this task made, is not cancelled: %s. It may run on and "
                "is charged; note its id.",
                decision.leaves,
                "only an error named it, so that it may be another task's"
                if self._store.history.is_doubtful(decision.leaves)
                else "the index of a mapped task may have moved, so that it is another one's"
                if self._store.is_mapped
                else "the connection's account is another one now, or it is not known which it was",
            )
        carried = self._store.record.replaces if self._store.record else ()
        return tuple(dict.fromkeys(filter(None, (*carried, decision.replaces))))

    def _cancel_replaced(self) -> None:
        """Cancel what the current generation replaces, now that it is recorded; a crash leaves it to the next try.

        Cancelling reads first: what today's account does not know is not touched.
        """
        if self._store.is_cut_off:
            return
        cancelled, left = [], []
        for old in self._recorded().replaces:
            outcome = self._hook.cancel_task(old)
            if outcome is CancelOutcome.CANCELLED:
                cancelled.append(old)
            elif outcome is CancelOutcome.UNKNOWN:
                left.append(old)
            self._log.warning(
                "Runway task %s was for an earlier request of this task; it %s.",
                old,
                "was cancelled"
                if outcome is CancelOutcome.CANCELLED
                else f"may run on ({outcome}) and is charged",
            )
        if self._recorded().replaces != tuple(left):
            self._store.replaced(cancelled, tuple(left))

    def _submit(self, intent: Record, payload: Mapping[str, Any]) -> Record:
        token, payload = with_token(self._hook.settings, intent.route, payload)
        self._store.intend(
            replace(
                intent,
                anchored_at=intent.sent_at,
                max_tries=self._store.max_tries,
                token=token,
                account=self._hook.account.sealed(secrets.token_hex(SALT_BYTES)),
                evidence=self._hook.account_figures(payload.get("model")) if self._store.is_kept else {},
                model=model_in(payload),
                team_name=self._store.owner.team_name if self._store.owner else "",
            )
        )
        try:
            with telemetry.span("runway.submit", route=intent.route, gateway=intent.gateway) as span:
                submission = self._hook.send(intent.route, payload)
                if span is not None:
                    span.set_attribute("runway_task_id", submission.runway_task_id)
        except (RunwaySubmissionError, RunwayConfigurationError):
            self._store.forget()
            raise
        except RunwayAmbiguousSubmissionError as error:
            if error.runway_task_id:
                self._log.error("The answer was an error that names Runway task %s.", error.runway_task_id)
                self._store.put(runway_task_id=error.runway_task_id, refused=error.facts.refused)
                raise
            told = evidence(self._hook, self._recorded(), payload, self._store.folder)
            raise RunwayAmbiguousSubmissionError(f"{error} {told}") from None
        return self._accepted(submission)

    def _accepted(self, submission: Submission) -> Record:
        estimate = submission.estimated_credits
        # The log first: it is the one record that needs nobody's answer.
        self._log.info(
            "Runway task %s accepted on %s%s.",
            submission.runway_task_id,
            submission.route,
            "" if estimate is None else f", at most {estimate:g} credits",
        )
        self._store.put(
            phase=Phase.SUBMITTED, runway_task_id=submission.runway_task_id, estimated_credits=estimate
        )
        self._cancel_replaced()
        return self._recorded()
