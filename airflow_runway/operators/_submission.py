"""One task's way to its generation: read the journal, decide, submit at most once, write down what came of it."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_runway import telemetry
from airflow_runway.core.journal import submission as journal
from airflow_runway.core.journal.accounts import SALT_BYTES
from airflow_runway.core.journal.limits import kind_of
from airflow_runway.core.journal.record import model_in
from airflow_runway.core.journal.submission import (
    AccountMatch,
    Elsewhere,
    History,
    Look,
    Phase,
    Reattach,
    Record,
    Refuse,
    Reuse,
    Search,
    Submit,
    TryLater,
    Unreadable,
)
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayConfigurationError,
    RunwayJournalError,
    RunwaySubmissionError,
)
from airflow_runway.operators._callback_token import with_token
from airflow_runway.operators._evidence import clock, could_not_be_read, elsewhere, lost_answer, still_open
from airflow_runway.operators._recorded_generation import remote_state
from airflow_runway.operators._recorded_request import prepare_or_match
from airflow_runway.operators._replacing import cancel_replaced, replaced_by, tell_of_current
from airflow_runway.operators._reservations import submitted
from airflow_runway.operators._router_evidence import RouterEvidence

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.core.journal.submission import Policy, SubmissionDecision
    from airflow_runway.core.models import Submission
    from airflow_runway.hooks._ports import SubmittingHook
    from airflow_runway.operators._budgets import Budget
    from airflow_runway.operators._recorded_generation import LooksAtTask
    from airflow_runway.operators._siblings import SiblingsOf
    from airflow_runway.stores.submission import SubmissionStore
    from airflow_runway.telemetry import Log


class JournalledSubmission:
    """Finds or makes the one generation that a task stands for.

    :param hook: the connection.
    :param store: the task's journal.
    :param look: reads a wait's task once and decides.
    :param budget: what bounds it together with others.
    :param siblings: other indices of a mapped task.
    :param log: the task's log.
    """

    def __init__(
        self,
        hook: SubmittingHook,
        store: SubmissionStore,
        look: LooksAtTask,
        budget: Budget,
        siblings: SiblingsOf,
        log: Log,
    ) -> None:
        self._hook = hook
        self._store = store
        self._look = look
        self._budget, self._siblings = budget, siblings
        self._log = log
        self._router = RouterEvidence(hook, store, log)

    def find_or_submit(self, route: str, payload: Mapping[str, Any], policy: Policy) -> tuple[Record, bool]:
        """The record of the generation, and whether it is new rather than left by an earlier try.

        :param route: the route's name.
        :param payload: the JSON body.
        :param policy: the author's wishes.
        :raises RunwayAmbiguousSubmissionError: an answer was lost, now or in an earlier try.
        :raises RunwayEvidencePendingError: the same, and the gateway's own list may still name the generation.
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
        decision = self._siblings.settle(self._decide(found, request, policy), request, policy)
        if isinstance(decision, Record):
            return self._adopted(decision), False
        about = None if isinstance(decision, Submit | TryLater) else decision.record
        still = [record for record in records if record.is_open and record is not about]
        told = still_open(still, self._store.folder)
        if told:
            self._log.warning("%s", told)
        tell_of_current(self._store, found, self._log)
        known = self._known(decision, payload, policy)
        if known is not None:
            return known, False
        assert isinstance(decision, Submit)  # noqa: S101 - for the type checker; all others are known, or raise
        self._budget.check()
        # Uploads and fresh links are free, and done before anything that is not.
        if isinstance(prepared, Record):
            prepared = self._hook.prepare(payload)
        body = prepared.body()
        self._hook.prepare_create(route, body)
        request, kind = (
            self._hook.fingerprint(route, prepared.identity),
            self._budget.kind(route, kind_of(body)),
        )
        intent = Record(
            Phase.INTENT,
            request,
            self._hook.settings.gateway.name,
            route,
            sent_at=self._budget.reserve(request, kind, lambda: map(submitted, records)),
            as_written=as_written,
            replaces=self._replaced_by(decision),
            kind=kind,
        )
        try:
            return self._submit(self._router.traceable(intent, body), body), True
        except RunwayAmbiguousSubmissionError as error:
            raise self._router.lost_now(error, self._recorded(), payload, policy) from None

    def _known(
        self, decision: SubmissionDecision, payload: Mapping[str, Any], policy: Policy
    ) -> Record | None:
        """The record of the generation that is there already; ``None`` if one is to be made."""
        match decision:
            case TryLater():
                raise could_not_be_read(decision, self._store.trouble)
            case Elsewhere():
                raise elsewhere(self._hook, decision, self._store.folder)
            case Refuse():
                raise lost_answer(self._hook, decision.record, payload, self._store.folder)
            case Search():
                return self._searched(decision.record, payload, policy)
            case Reattach() | Reuse():
                return self._recovered(decision)
        return None

    def _decide(self, found: Record | Unreadable | None, request: str, policy: Policy) -> SubmissionDecision:
        cleared = isinstance(found, Record) and self._store.was_cleared(found)
        decision = journal.decide(
            found, request, cleared=cleared, account=self._account_of(found), policy=policy
        )
        if not isinstance(decision, Look):
            return decision
        remote = remote_state(self._hook, self._look, decision.record)
        return journal.decide(
            found,
            request,
            cleared=cleared,
            remote=remote,
            account=self._account_of(found),
            mapped=self._store.is_mapped,
            policy=policy,
        )

    def _account_of(self, found: Record | Unreadable | None) -> AccountMatch:
        record = found if isinstance(found, Record) else None
        return self._hook.account.compared_with(record.account) if record else AccountMatch.SAME

    def _recorded(self) -> Record:
        record = self._store.record
        assert record is not None  # noqa: S101 - for the type checker; only records are looked at
        return record

    def _recovered(self, decision: Reattach | Reuse) -> Record:
        record = decision.record
        self._log.info(
            "%s Runway task %s, submitted at %s: nothing is sent and nothing is charged.",
            "Reusing" if isinstance(decision, Reuse) else "Picking up",
            record.runway_task_id,
            clock(record.sent_at),
        )
        return self._taken_up(record, cleared=isinstance(decision, Reuse))

    def _searched(self, record: Record, payload: Mapping[str, Any], policy: Policy) -> Record:
        """The generation of a lost answer, found where the gateway lists requests."""
        found = self._router.find(record, payload, policy)
        self._log.warning(
            "Taking up Runway task %s, which router %s lists at %s: it can only be the one whose answer was lost.",
            found.runway_task_id,
            record.router,
            clock(found.created_at),
        )
        return self._taken_up(
            record,
            cleared=self._store.was_cleared(record),
            runway_task_id=found.runway_task_id,
            estimated_credits=found.estimated_credits,
        )

    def _adopted(self, record: Record) -> Record:
        """A sibling's generation, which is this task's from now on; what it costs counts where it was submitted."""
        self._store.take_up(
            record,
            phase=Phase.SUBMITTED,
            outcome="",
            anchored_at=time.time(),
            max_tries=self._store.max_tries,
            replaces=(),
            kind="",
        )
        self._siblings.tell()
        return self._recorded()

    def _taken_up(self, record: Record, *, cleared: bool, **changes: Any) -> Record:
        current = self._recorded()
        if current.replaces or record.replaces:
            unwanted = dict.fromkeys((*record.replaces, *current.replaces))
            changes["replaces"] = tuple(old for old in unwanted if old != record.runway_task_id)
        if record.is_open or cleared:
            changes |= {"phase": Phase.SUBMITTED, "outcome": ""}
        if cleared:
            # From here on it is an ordinary wait again, with a deadline of its own.
            changes |= {"anchored_at": time.time(), "max_tries": self._store.max_tries}
        self._store.take_up(record, **changes)
        self._router.held(self._recorded())
        self._siblings.tell()
        self._cancel_replaced()
        return self._recorded()

    def _replaced_by(self, decision: Submit) -> tuple[str, ...]:
        return replaced_by(self._store, decision, self._log)

    def _cancel_replaced(self) -> None:
        cancel_replaced(self._hook, self._store, self._log)

    def _submit(self, intent: Record, payload: Mapping[str, Any]) -> Record:
        with self._budget.kept_for(submitted(intent)):
            submission = self._sent(intent, payload)
        return self._accepted(submission)

    def _sent(self, intent: Record, payload: Mapping[str, Any]) -> Submission:
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
        record = self._recorded()
        try:
            self._router.begin(record)
            with telemetry.span("runway.submit", route=intent.route, gateway=intent.gateway) as span:
                submission = self._hook.send(intent.route, payload)
                if span is not None:
                    span.set_attribute("runway_task_id", submission.runway_task_id)
        except (RunwaySubmissionError, RunwayConfigurationError, RunwayJournalError):
            self._store.forget()
            self._router.refused(record)
            raise
        except RunwayAmbiguousSubmissionError as error:
            if error.runway_task_id:
                self._log.error("The answer was an error that names Runway task %s.", error.runway_task_id)
                self._store.put(runway_task_id=error.runway_task_id, refused=error.facts.refused)
            raise
        return submission

    def _accepted(self, submission: Submission) -> Record:
        estimate = submission.estimated_credits
        # The log first: it is the one record that needs nobody's answer.
        told = "" if estimate is None else f", at most {estimate:g} credits"
        self._log.info("Runway task %s accepted on %s%s.", submission.runway_task_id, submission.route, told)
        self._store.put(
            phase=Phase.SUBMITTED, runway_task_id=submission.runway_task_id, estimated_credits=estimate
        )
        self._router.held(self._recorded())
        self._siblings.tell()
        self._cancel_replaced()
        return self._recorded()
