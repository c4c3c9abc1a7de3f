"""The operator that creates a generation on any route; the typed ones stand on it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.common.compat.sdk import AirflowTaskTimeout

from airflow_runway._base_operator import checked_prefixes, one_of, reported, seconds
from airflow_runway.core.facts import ErrorKind
from airflow_runway.core.journal.submission import Policy, Record
from airflow_runway.core.limits import DEFAULT_INTERVAL, EVIDENCE_WINDOW
from airflow_runway.core.polling.decisions import LookAgain, Wait, timed_out
from airflow_runway.exceptions import (
    RunwayConfigurationError,
    RunwayError,
    error_of,
)
from airflow_runway.links.runway import RunwayTaskLink
from airflow_runway.operators._budgeted import BudgetedSubmission, most_credits
from airflow_runway.operators._dry_run import checked_flag, is_asked_for
from airflow_runway.operators._evidence import lost_elsewhere
from airflow_runway.operators._lineage import lineage_of
from airflow_runway.stores.submission import SubmissionStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow.sdk import Context

    from airflow_runway.core.models import TaskResult
    from airflow_runway.core.saving.lineage import Lineage
    from airflow_runway.triggers._events import TaskEvent

XCOM_RUNWAY_TASK_ID = "runway_task_id"
XCOM_RUNWAY_CREDITS = "runway_credits"

#: How a waiting task ended → the word in its journal.
_OUTCOMES = {
    ErrorKind.TASK_FAILED: "failed",
    ErrorKind.TRANSIENT_FAILURE: "failed",
    ErrorKind.TASK_CANCELLED: "cancelled",
    ErrorKind.TASK_LOST: "lost",
    ErrorKind.TASK_TIMEOUT: "timed_out",
}


class RunwaySubmitOperator(BudgetedSubmission):
    """Creates one generation, on any route, and returns its task id. This spends money, once.

    The id is pushed to XCom twice: as ``return_value`` (without ``wait_for_completion``) and always as
    ``runway_task_id``; what it costs as ``runway_credits`` (``{"estimated", "charged"}``).

    On Airflow 3.3 a submission is journalled in the task's state store (key ``runway_submission``: ids,
    times, hashes and whose account it was, no prompt, key or URL). A retry, or a clear, first looks there, so that
    a worker that died at any moment does not make a second generation; see
    ``airflow_runway.core.journal.submission`` for the whole table.

    Errors tell what was charged. A refusal by the gateway (``RunwayRequestRefusedError``,
    ``RunwayAuthenticationError``, ``RunwayOutOfCreditsError``) costs nothing and is not retried. Limits and
    missing connections (``RunwayNotAcceptedError``), and input files that cannot be had right now
    (``RunwayMediaError``) cost nothing, and Airflow's retries submit again. An
    answer that leaves it open (``RunwayAmbiguousSubmissionError``) may have been charged and is never retried;
    where a list of the gateway's may still tell (``RunwayEvidencePendingError``), a retry looks and sends nothing.
    With ``wait_for_completion`` a generation that failed for an internal reason is
    ``RunwayTransientFailureError``: each of the task's ``retries`` makes, and pays for, another one.

    :param route: the official path after ``/v1/``, e.g. ``image_to_video``; templated.
    :param payload: the JSON body with the API's own field names; templated. Media may be named by any reference
        of :mod:`airflow_runway.core.media.references`: files in the team's storage travel inside the request or as an
        upload, outputs of earlier generations (``runway-task://<id>``) as a fresh link.
    :param runway_conn_id: id of a connection of type ``runway``; templated.
    :param wait_for_completion: also wait until the generation has ended, and return it as a dict like
        :class:`~airflow_runway.sensors.runway.RunwayTaskSensor`.
    :param deferrable: with ``wait_for_completion``: wait in the triggerer, holding no worker.
    :param poll_interval: with ``wait_for_completion``: seconds between looks, typically, at least 5; where the
        server reports progress, a half to three times of it. See ``airflow_runway.core.polling.decisions``.
    :param timeout: with ``wait_for_completion``: seconds, or a ``timedelta``, after the submission.
    :param cancel_on_timeout: with ``wait_for_completion``: cancel what is unfinished at the deadline, or when
        Airflow's ``execution_timeout`` ends a wait in the worker; if off, a retry after the latter waits on.
    :param cancel_on_kill: cancel what is unfinished when a person ends the task, by marking it. A signal from
        outside (a pod's eviction, a deployment) cancels nothing: the task ends in ``RunwayStoppedError``, and a
        retry picks the generation up. Airflow before 3.3 does not tell the two apart; there nothing is cancelled.
    :param on_ambiguous_submit: after an answer that was lost: ``"fail"``, ``"resubmit"`` at the risk of paying
        twice, or ``"recover"``: for ``generate/*`` a retry looks into the list of the router's requests and takes
        up what can be nobody else's (``airflow_runway.core.journal.evidence``; needs a journal folder, a router of
        this Airflow only, and a retry some 14 minutes later, as by ``RunwayRetryPolicy``). Elsewhere ``"fail"``.
    :param evidence_timeout: with ``"recover"``: seconds, or a ``timedelta``, after the POST, from which on a lost
        answer is left to a person; never before the list is certain.
    :param on_clear: when somebody clears the task: ``"reuse"`` gives the same generation again at no cost,
        ``"regenerate"`` makes, and pays for, a new one. With Airflow's ``[state_store] clear_on_success=True`` a
        clear after a success finds nothing, and pays, whatever this says.
    :param max_credits: the most that a generation may cost by the gateway's own estimate; one that is above
        is cancelled at once. ``None`` = no bound. Only what this very try has submitted: a generation that an
        earlier try has accepted is not cancelled by a bound that was lowered since.
    :param max_credits_per_task: the most that all tries of this task instance may cost together.
    :param max_credits_per_run: the most that all tasks of the Dag run may cost together, batches included, as far as
        they are bounded per run; ``[runway] max_credits_per_run`` bounds every one, and the lower of both counts.
        Either needs a journal folder. Room is reserved before anything is sent: the dearest price that was told for
        the like, else ``max_credits``; without that the first of its kind goes alone, and is cancelled at once if it
        is too dear. What was lost stays reserved. Where no room is left: ``RunwayBudgetError``, and nothing is sent.
    :param media_from: prefixes below which the files of the request must lie, e.g. ``["s3://aws_default@briefs/",
        "file:///srv/keyframes/"]``; not templated. It narrows ``[runway] media_from``; without either, files on
        object storage may be read, and local ones may not. What lies elsewhere is ``RunwayMediaError``.
    :param dry_run: do all that is free, say in the log and in XCom ``runway_dry_run`` what would be sent and what it
        would cost, as far as anybody knows, and end as skipped, downstream tasks too; templated, e.g.
        ``"{{ params.dry_run }}"``. See ``airflow_runway.operators._dry_run``. A wait that had begun goes on.
    """

    template_fields: Sequence[str] = ("route", "payload", "runway_conn_id", "is_dry_run")
    template_fields_renderers: ClassVar[dict[str, str]] = {"payload": "json"}
    operator_extra_links = (RunwayTaskLink(),)
    retries_make_another_generation = True
    _credits: float | None = None

    def __init__(
        self,
        *,
        route: str,
        payload: Mapping[str, Any],
        runway_conn_id: str = "runway_default",
        wait_for_completion: bool = False,
        deferrable: bool = True,
        poll_interval: timedelta | float = DEFAULT_INTERVAL,
        timeout: timedelta | float = timedelta(hours=2),
        cancel_on_timeout: bool = True,
        cancel_on_kill: bool = True,
        on_ambiguous_submit: str = "fail",
        evidence_timeout: timedelta | float = timedelta(seconds=EVIDENCE_WINDOW),
        on_clear: str = "reuse",
        max_credits: float | None = None,
        max_credits_per_task: float | None = None,
        max_credits_per_run: float | None = None,
        media_from: Sequence[str] | str | None = None,
        dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.route = route
        self.payload = payload
        self.runway_conn_id = runway_conn_id
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = seconds("poll_interval", poll_interval)
        self.timeout = seconds("timeout", timeout)
        self.cancel_on_timeout = cancel_on_timeout
        self.cancel_on_kill = cancel_on_kill
        self.on_ambiguous_submit = one_of(
            "on_ambiguous_submit", on_ambiguous_submit, "fail", "resubmit", "recover"
        )
        self.evidence_timeout = seconds("evidence_timeout", evidence_timeout, least=0)
        self.on_clear = one_of("on_clear", on_clear, "reuse", "regenerate")
        self.max_credits = most_credits("max_credits", max_credits)
        self.max_credits_per_task = most_credits("max_credits_per_task", max_credits_per_task)
        self.max_credits_per_run = most_credits("max_credits_per_run", max_credits_per_run)
        self.media_from = checked_prefixes(media_from)
        #: Not ``dry_run``, which is a method of Airflow's.
        self.is_dry_run = checked_flag(dry_run)

    @property
    def waiting_interval(self) -> float:
        """Seconds between looks: ``poll_interval``."""
        return self.poll_interval

    def body(self) -> dict[str, Any]:
        """The JSON body, from the rendered arguments.

        :raises RunwayConfigurationError: if it cannot be sent; nothing has been.
        """
        if not isinstance(self.payload, Mapping):
            raise RunwayConfigurationError(
                f"payload is {type(self.payload).__name__}, not a JSON object. Nothing was sent."
            )
        return dict(self.payload)

    @reported
    def execute(self, context: Context) -> Any:
        """Find or make the generation, record the id, then return or wait."""
        policy = Policy(
            resubmit_ambiguous=self.on_ambiguous_submit == "resubmit",
            recover_ambiguous=self.on_ambiguous_submit == "recover",
            evidence_timeout=self.evidence_timeout,
            regenerate=self.on_clear == "regenerate",
        )
        if is_asked_for(self.is_dry_run):
            from airflow_runway.operators._dry_submission import dry_run_of

            dry_run_of(self, context, self.route, self.body(), policy, self.max_credits)
        with self.journal(context) as store:
            return self._execute(context, store, policy)

    def _execute(self, context: Context, store: SubmissionStore, policy: Policy) -> Any:
        from airflow_runway.operators._siblings import SiblingsOf
        from airflow_runway.operators._submission import JournalledSubmission

        budget = self.budget(store)
        siblings = SiblingsOf(
            context, self.hook, store, self.look, pause=self.pause_before_sending, log=self.log
        )
        journalled = JournalledSubmission(self.hook, store, self.look, budget, siblings, self.log)
        record, is_new = journalled.find_or_submit(self.route, self.body(), policy)
        self._runway_task_id = record.runway_task_id
        self.end_if_stopped(record.runway_task_id)
        context["ti"].xcom_push(key=XCOM_RUNWAY_TASK_ID, value=record.runway_task_id)
        self._push_credits(context, record, charged=None)
        self.remember_link(record.runway_task_id)
        self.keep_within(budget, store, record, is_new=is_new)
        if not self.wait_for_completion:
            store.close("returned")
            return record.runway_task_id
        wait = Wait(record.runway_task_id, record.anchored_at + self.timeout, self.waiting_interval)
        return self._ended(context, store, lambda: self._wait_for(wait, is_new=is_new))

    def _wait_for(self, wait: Wait, *, is_new: bool) -> TaskResult:
        if not is_new:
            # A re-attached generation may already have finished.
            decision = self.look(wait)
            if not isinstance(decision, LookAgain):
                return self._conclude(decision, wait)
            wait = decision.wait
        if self.deferrable:
            self.wait_deferred(wait, cancel_on_kill=self.cancel_on_kill)
        try:
            return self.wait_in_worker(wait)
        except AirflowTaskTimeout:
            # Airflow's ``execution_timeout``: a deadline like ours, at which a retry must not pay again.
            if not self.cancel_on_timeout:
                self.log.warning("Runway task %s runs on; a retry picks it up.", wait.runway_task_id)
                raise
            return self.cancel_at_deadline(replace(wait, deadline=time.time()))

    def execute_complete(self, context: Context, event: TaskEvent) -> TaskResult:
        """Continue after the trigger fired.

        :param event: what the trigger tells, see ``airflow_runway.triggers._events``.
        """
        with self.journal(context) as store:
            store.load()
            if record := store.record:
                until, cancels = record.anchored_at + self.timeout, self.cancel_on_kill
                event = self.own_event(event, record.runway_task_id, deadline=until, cancel_on_kill=cancels)
            self._runway_task_id = event["runway_task_id"]
            wait = super().execute_complete
            return self._ended(context, store, lambda: wait(context, event))

    def deferral_expired(self, context: Context) -> TaskResult:
        """Our own time-out, which names the generation.

        :raises RunwayTaskTimeoutError: telling what became of it.
        """
        store = SubmissionStore(context)
        store.load()
        ti = context["ti"]
        found = store.record.runway_task_id if store.record else ""
        found = found or ti.xcom_pull(task_ids=ti.task_id, key=XCOM_RUNWAY_TASK_ID, map_indexes=ti.map_index)
        self._runway_task_id = str(found or "")
        wait = Wait(self._runway_task_id or "(id not found)", time.time())
        return self._ended(context, store, lambda: self._expired(wait))

    def _expired(self, wait: Wait) -> TaskResult:
        if self.cancel_on_timeout and self._runway_task_id:
            return self.cancel_at_deadline(wait)
        raise error_of(timed_out(wait))

    def _ended(self, context: Context, store: SubmissionStore, wait: Callable[[], TaskResult]) -> TaskResult:
        """Wait to the end, and journal it."""
        try:
            result = wait()
        except RunwayError as error:
            if (
                error.kind is ErrorKind.TASK_LOST
                and store.record
                and (there := lost_elsewhere(self.hook, store.record))
            ):
                # The connection changed during the wait: it is not gone, and its record stays as it is.
                raise there from None
            if not self._is_recorded:
                charged = error.task.cost_credits if error.task else None
                store.close(_OUTCOMES.get(error.kind, "error"), charged)
                self.note_charge(self.budget(store), store, charged)
            raise
        if store.record:
            self._push_credits(context, store.record, charged=result["cost_credits"])
        store.close("succeeded", result["cost_credits"])
        self.note_charge(self.budget(store), store, result["cost_credits"])
        return result

    def lineage(self) -> Lineage:
        """The media of the request, and the generation."""
        return lineage_of(self, [self.body()], [self._runway_task_id], cost=self._credits)

    def _push_credits(self, context: Context, record: Record, *, charged: float | None) -> None:
        self._credits = record.estimated_credits if charged is None else charged
        context["ti"].xcom_push(
            key=XCOM_RUNWAY_CREDITS, value={"estimated": record.estimated_credits, "charged": charged}
        )
