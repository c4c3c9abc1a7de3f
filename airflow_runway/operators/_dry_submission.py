"""The dry run of one submission; see :mod:`airflow_runway.operators._dry_run`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_runway.operators._dry_run import credits_in_words, end, read_only
from airflow_runway.operators._siblings import SiblingsOf
from airflow_runway.operators._submission import JournalledSubmission
from airflow_runway.stores.submission import SubmissionStore

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from airflow_runway.core.journal.forecast import SubmissionForecast
    from airflow_runway.core.journal.submission import Policy, Record, Submit
    from airflow_runway.hooks._read_only import ReadOnlyHook
    from airflow_runway.operators._budgeted import BudgetedSubmission
    from airflow_runway.operators._budgets import Budget
    from airflow_runway.operators._recorded_generation import LooksAtTask
    from airflow_runway.telemetry import Log

_NO_PRICE = (
    "No price: a gateway tells its estimate only in the answer to a submission, and this task's journal holds no "
    "earlier one of this request."
)
_NO_JOURNAL = (
    "This Airflow has no task_state_store (3.3 and later do): a retry or clear of the real run submits, and "
    "pays, again."
)


def dry_run_of(
    operator: BudgetedSubmission,
    context: Context,
    route: str,
    body: Mapping[str, Any],
    policy: Policy,
    max_credits: float | None,
) -> NoReturn:
    """Find out what the task would do, say so, and end it as skipped.

    :param operator: the task, its templates rendered.
    :param context: of the task that runs.
    :param route: the route's name.
    :param body: the JSON body as its author wrote it.
    :param policy: the author's wishes.
    :param max_credits: the most that a generation may cost; ``None`` = no bound.
    :raises AirflowSkipException: with the findings.
    :raises RunwayError: what would stop the real run before it sends anything, in the real run's words.
    """
    hook, safe = read_only(operator, context)
    hook.check_route(route)
    store = SubmissionStore(safe, is_dry_run=True)
    budget = operator.budget(store, is_dry_run=True)
    siblings = SiblingsOf(
        context,
        hook,
        store,
        operator.look,
        pause=operator.pause_before_sending,
        is_dry_run=True,
        log=operator.log,
    )
    dry = _DrySubmission(hook, store, operator.look, budget, siblings, operator.log)
    found = dry.forecast(route, body, policy, max_credits)
    headline = _headline(found, operator.runway_conn_id, hook.settings.gateway.title)
    operator.log.info("%s", headline)
    for name, value in found["fields"].items():
        operator.log.info("Dry run: %s = %s", name, value)
    for note in found["notes"]:
        operator.log.warning("Dry run: %s", note)
    end(context, found, headline)


def _headline(found: SubmissionForecast, conn_id: str, title: str) -> str:
    if found["outcome"] == "reuse":
        return f"Dry run: Runway task {found['reuses']} would be reused; nothing would be sent or charged."
    price = credits_in_words(found["estimated_credits"])
    return f"Dry run: would submit one {found['route']} {price}, to {title} over {conn_id!r}."


class _DrySubmission(JournalledSubmission):
    """A submission that stops where a real one would write its intent."""

    def __init__(
        self,
        hook: ReadOnlyHook,
        store: SubmissionStore,
        look: LooksAtTask,
        budget: Budget,
        siblings: SiblingsOf,
        log: Log,
    ) -> None:
        super().__init__(hook, store, look, budget, siblings, log)
        self._read_only, self._earlier = hook, store
        self._decided: Submit | None = None
        self._body: Mapping[str, Any] = {}

    def forecast(
        self, route: str, payload: Mapping[str, Any], policy: Policy, max_credits: float | None
    ) -> SubmissionForecast:
        record, would_submit = self.find_or_submit(route, payload, policy)
        notes = [] if self._earlier.is_kept else [_NO_JOURNAL]
        found: SubmissionForecast = {
            "outcome": "submit" if would_submit else "reuse",
            "gateway": record.gateway,
            "route": route,
            "fingerprint": record.fingerprint,
            "fields": {},
            "reuses": None if would_submit else record.runway_task_id,
            "replaces": None,
            "estimated_credits": 0.0,
            "max_credits": max_credits,
            "over_max_credits": None if max_credits is None else False,
            "notes": notes,
        }
        return self._submitting(found, record, max_credits) if would_submit else found

    def _submitting(
        self, found: SubmissionForecast, record: Record, max_credits: float | None
    ) -> SubmissionForecast:
        prepared, notes, estimate = self._read_only.prepared, found["notes"], record.estimated_credits
        found["estimated_credits"] = estimate
        if prepared is not None:
            found["fields"] = self._read_only.shape(prepared, self._body)
        if estimate is None:
            notes.append(_NO_PRICE)
        if max_credits is not None:
            found["over_max_credits"] = None if estimate is None else estimate > max_credits
            if found["over_max_credits"]:
                notes.append(
                    f"That is more than max_credits={max_credits:g}: the generation would be cancelled at once, and "
                    "what the gateway charges until then is charged."
                )
        if self._decided is not None and self._decided.leaves:
            notes.append(
                f"Runway task {self._decided.leaves}, made for an earlier request, would not be cancelled: "
                "it may run on and is charged."
            )
        if self._decided is not None and self._decided.replaces:
            found["replaces"] = self._decided.replaces
            notes.append(
                f"Runway task {self._decided.replaces} still runs for an earlier request of this task; a real run "
                "would cancel it. The dry run has not."
            )
        return found

    def _replaced_by(self, decision: Submit) -> tuple[str, ...]:
        self._decided = decision
        return ()

    def _cancel_replaced(self) -> None:
        """Nothing is cancelled."""

    def _submit(self, intent: Record, payload: Mapping[str, Any]) -> Record:
        self._body = payload
        earlier = self._earlier.record
        if earlier is None or earlier.fingerprint != intent.fingerprint:
            return intent
        return replace(intent, estimated_credits=earlier.estimated_credits)
