"""One task's way to its generation: read the journal, decide, submit at most once, write down what came of it."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from airflow_runway import telemetry
from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.journal import submission as journal
from airflow_runway.core.journal.submission import (
    Look,
    Phase,
    Reattach,
    Record,
    Refuse,
    Remote,
    Reuse,
    Submit,
    TryLater,
    remote_of,
)
from airflow_runway.core.limits import NOT_VISIBLE_GRACE, READ_ATTEMPTS
from airflow_runway.core.models import CancelOutcome
from airflow_runway.core.polling.decisions import Finished, GaveUp, Wait
from airflow_runway.exceptions import (
    RunwayAmbiguousSubmissionError,
    RunwayConfigurationError,
    RunwayJournalError,
    RunwaySubmissionError,
    error_of,
)
from airflow_runway.operators._callback_token import with_token
from airflow_runway.operators._recorded_request import prepare_or_match

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_runway.core.journal.submission import Policy
    from airflow_runway.core.models import Submission
    from airflow_runway.core.polling.decisions import PollDecision
    from airflow_runway.hooks._ports import SubmittingHook
    from airflow_runway.stores.submission import SubmissionStore
    from airflow_runway.telemetry import Log

#: Seconds after a submission in which a 404 may be a replica that lags.
_FRESH = 60.0


class LooksAtTask(Protocol):
    """Reads a wait's task once and decides."""

    def __call__(self, wait: Wait, *, attempts: int = 1) -> PollDecision:
        """Look."""


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
        gateway = self._hook.settings.gateway.name
        found = self._store.load()
        as_written = self._hook.fingerprint(route, payload)
        prepared = prepare_or_match(
            self._hook,
            payload,
            as_written=as_written,
            recorded=[found] if isinstance(found, Record) else [],
            log=self._log,
        )
        if isinstance(prepared, Record):
            request = prepared.fingerprint
        else:
            request = self._hook.fingerprint(route, prepared.identity)
        cleared = self._store.was_cleared()
        decision = journal.decide(found, request, cleared=cleared, policy=policy)
        if isinstance(decision, Look):
            remote = self._remote(self._recorded())
            decision = journal.decide(found, request, cleared=cleared, remote=remote, policy=policy)
        if isinstance(decision, TryLater):
            raise RunwayJournalError(
                f"Nothing was sent and nothing was charged: {decision.reason}. A retry looks again."
            )
        if isinstance(decision, Refuse):
            raise self._lost_answer(decision.record, payload)
        if isinstance(decision, Reattach | Reuse):
            return self._recovered(cleared=isinstance(decision, Reuse)), False
        assert isinstance(decision, Submit)  # noqa: S101 - for the type checker; Look was answered above
        # Uploads and fresh links are free, and done before anything that is not.
        if isinstance(prepared, Record):
            prepared = self._hook.prepare(payload)
        body = prepared.body()
        self._hook.prepare_create(route, body)
        self._cancel_replaced(decision)
        intent = Record(
            Phase.INTENT,
            self._hook.fingerprint(route, prepared.identity),
            gateway,
            route,
            sent_at=time.time(),
            as_written=as_written,
        )
        return self._submit(intent, body), True

    def _recorded(self) -> Record:
        record = self._store.record
        assert record is not None  # noqa: S101 - for the type checker; only records are looked at
        return record

    def _recovered(self, *, cleared: bool) -> Record:
        record = self._recorded()
        what = "Reusing" if cleared else "Picking up"
        self._log.info(
            "%s Runway task %s, submitted at %s: nothing is sent and nothing is charged.",
            what,
            record.runway_task_id,
            _clock(record.sent_at),
        )
        if cleared:
            # From here on it is an ordinary wait again, with a deadline of its own.
            self._store.put(
                phase=Phase.SUBMITTED, outcome="", anchored_at=time.time(), max_tries=self._store.max_tries
            )
        return self._recorded()

    def _remote(self, record: Record) -> Remote:
        """What the gateway says of a recorded generation; "gone" only after more than one look."""
        age = time.time() - record.sent_at
        # The connection has just been read: a key that is refused now will be refused again.
        wait = Wait(record.runway_task_id, deadline=float("inf"), seen=age > _FRESH, refusals=1)
        while True:
            decision = self._look(wait, attempts=READ_ATTEMPTS)
            if isinstance(decision, Finished):
                return remote_of(decision.task)
            if isinstance(decision, GaveUp):
                if decision.error.kind is ErrorKind.TASK_LOST:
                    return Remote.GONE
                raise error_of(decision.error)
            if decision.wait.troubles:
                return Remote.UNREADABLE
            shows_late = not self._hook.settings.gateway.missing_is_gone and age < NOT_VISIBLE_GRACE
            if not decision.wait.unseen_looks or shows_late:
                return Remote.ALIVE
            wait = decision.wait
            time.sleep(decision.after)

    def _cancel_replaced(self, decision: Submit) -> None:
        """Deal with an earlier generation that the new one replaces."""
        if decision.note:
            self._log.warning("%s", decision.note)
        if not decision.replaces:
            return
        outcome = self._hook.cancel_task(decision.replaces)
        fate = (
            "was cancelled"
            if outcome is CancelOutcome.CANCELLED
            else f"may run on ({outcome}) and is charged"
        )
        self._log.warning(
            "Runway task %s was for an earlier request of this task; it %s.", decision.replaces, fate
        )

    def _submit(self, intent: Record, payload: Mapping[str, Any]) -> Record:
        earlier = self._store.record
        previous = (*earlier.previous, earlier.runway_task_id) if earlier else ()
        token, payload = with_token(self._hook.settings, intent.route, payload)
        self._store.intend(
            replace(
                intent,
                anchored_at=intent.sent_at,
                max_tries=self._store.max_tries,
                token=token,
                account=self._hook.account_figures(payload.get("model")) if self._store.is_kept else {},
                previous=tuple(filter(None, previous))[-journal.PREVIOUS_KEPT :],
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
            raise RunwayAmbiguousSubmissionError(f"{error} {self._evidence(payload)}") from None
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
        return self._recorded()

    def _lost_answer(self, record: Record, payload: Mapping[str, Any]) -> RunwayAmbiguousSubmissionError:
        gateway = self._hook.settings.gateway
        return RunwayAmbiguousSubmissionError(
            f"An earlier try of this task sent a request to {record.route} of {gateway.title} at "
            f"{_clock(record.sent_at)} and never got to see the answer: a generation may exist and may have been "
            f"charged. Nothing was sent now. {self._evidence(payload)}"
        )

    def _evidence(self, payload: Mapping[str, Any]) -> str:
        """What can be known without an id, and what to do."""
        record = self._recorded()
        parts = []
        now = self._hook.account_figures(payload.get("model")) if record.account else {}
        before = {name: value for name, value in record.account.items() if name in now}
        if before:
            moved = any(now[name] != value for name, value in before.items())
            parts.append(
                f"Evidence, no proof while others submit too: the account showed {_figures(before)} before "
                f"and shows {_figures(now)} now, so a generation was {'most likely' if moved else 'probably not'} "
                "accepted."
            )
        if record.token:
            parts.append(f"A callback whose address holds {record.token} would carry its id.")
        parts.append(
            "To decide: look for it in the request history. If it is not there, clear this task with "
            'on_ambiguous_submit="resubmit", or delete its state entry "runway_submission", and it is sent again.'
        )
        return " ".join(parts)


def _figures(account: Mapping[str, float]) -> str:
    return ", ".join(f"{value:g} {name}" for name, value in account.items())


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
