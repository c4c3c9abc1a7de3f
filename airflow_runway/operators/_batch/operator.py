"""The operator for a campaign: many generations as one task."""

from __future__ import annotations

import random
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

from airflow_runway._base_operator import RunwayOperatorBase, one_of, seconds
from airflow_runway.core.journal.batch import Limits
from airflow_runway.core.limits import (
    DEFAULT_INTERVAL,
    DEFER_TIMEOUT_MARGIN,
    KILL_CLEANUP_TIMEOUT,
    SHORTEST_ABSENCE,
)
from airflow_runway.core.polling.backoff import backoff
from airflow_runway.core.saving.naming import DEFAULT_PATTERN
from airflow_runway.exceptions import RunwayBatchError, RunwayReadRefusedError
from airflow_runway.operators._dry_run import checked_flag, is_asked_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow.sdk import Context

    from airflow_runway.operators._batch.manifest import BatchSummary
    from airflow_runway.operators._batch.phase import BatchPhase
    from airflow_runway.operators._batch.report import BatchReport
    from airflow_runway.stores.batch import BatchStore
    from airflow_runway.triggers._events import BatchEvent, ErrorEvent

#: Seconds until a gateway that takes nothing now is asked again, where it does not say; doubled each time.
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
#: Ends that are worth a worker, where outputs are to be saved, and seconds that one end waits for others.
_WORTH_A_WORKER, _LINGER = 50, 300.0

_chance = random.Random()  # noqa: S311 - jitter, not cryptography


class RunwayBatchOperator(RunwayOperatorBase):
    """Makes many generations as one task: submits, waits in one trigger, saves, and reports. This spends money.

    Items are independent: one that is wrong, or fails, fails alone. Each is journalled under the fingerprint of its
    request (content of files included) before it is sent, and sent once: a retry, or a clear, goes on where the
    batch stopped. What succeeded is kept, what runs is waited for, what failed is submitted, and paid for, again;
    items that were moderated, and answers that were lost, are left alone (see
    :mod:`airflow_runway.core.journal.batch` for the table). A limit of the account (429) is waited for without a
    worker, as are throttled generations. Needs Airflow 3.3.

    Errors: ``RunwayBatchError`` (not retried) and ``RunwayBatchIncompleteError`` (retried: everything that failed may
    do better) are raised at the end, when all that could be done is done and saved; a refused key, an empty balance
    or a journal that cannot be written as soon as nothing runs any more.

    :param requests: a list of JSON bodies with the API's own field names, e.g. the output of an upstream task, or
        the URL of a JSON-lines file on object storage; templated. Media as in
        :class:`~airflow_runway.operators.runway.RunwaySubmitOperator`.
    :param route: the route of all of them, e.g. ``image_to_video``; templated.
    :param destination: a folder on object storage where outputs are saved; templated. ``None`` = they are not.
    :param file_name: how files are named, see
        :class:`~airflow_runway.transfers.runway_to_object_storage.RunwayToObjectStorageOperator`; templated.
    :param manifest: URL of the report, JSON lines, one per item in the order of ``requests``; templated. Default: in
        ``destination``, under Dag id, task id and run id; none without a destination.
    :param runway_conn_id: id of a connection of type ``runway``; templated.
    :param max_in_flight: how many generations may be unfinished at the same time; ``None`` = any number, the
        account's own limit then holds them back (THROTTLED).
    :param max_credits: the most that the whole batch may cost, by the gateway's own figures: nothing is submitted
        that might exceed it. ``None`` = no bound. The first item goes ahead alone to learn the price.
    :param max_moderated: moderated items, over all tries of the task, after which nothing more is submitted, since
        repeated hits can suspend the account; 0 = any number.
    :param on_partial_failure: ``"fail"`` the task at the end if an item did not end well, or let it ``"succeed"``.
    :param on_ambiguous_submit: after an answer that was lost: ``"fail"`` that item, or ``"resubmit"`` it in another
        try, at the risk of paying twice.
    :param poll_interval: seconds between looks at one generation, at least 5.
    :param timeout: seconds, or a ``timedelta``, for the whole batch, from its first try or from a clear.
    :param cancel_on_timeout: cancel what is unfinished at the deadline.
    :param cancel_on_kill: cancel what is unfinished when somebody stops the task.
    :param dry_run: as in :class:`~airflow_runway.operators.runway.RunwaySubmitOperator`, for the whole list.
    :returns: ``{"total", "succeeded", "failed", "moderated", "lost_answers", "unfinished", "not_submitted",
        "credits", "manifest"}``, numbers but for the last; without a manifest also ``"runway_task_ids"``, in the
        order of ``requests``, ``None`` for what did not succeed.
    """

    template_fields: Sequence[str] = (
        "requests", "route", "destination", "file_name", "manifest", "runway_conn_id", "is_dry_run",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"requests": "json"}
    ui_color = "#ddd6fe"

    def __init__(
        self,
        *,
        requests: str | Iterable[Mapping[str, Any]],
        route: str,
        destination: str | None = None,
        file_name: str = DEFAULT_PATTERN,
        manifest: str | None = None,
        runway_conn_id: str = "runway_default",
        max_in_flight: int | None = None,
        max_credits: float | None = None,
        max_moderated: int = 5,
        on_partial_failure: Literal["fail", "succeed"] = "fail",
        on_ambiguous_submit: Literal["fail", "resubmit"] = "fail",
        poll_interval: timedelta | float = DEFAULT_INTERVAL,
        timeout: timedelta | float = timedelta(days=1),
        cancel_on_timeout: bool = True,
        cancel_on_kill: bool = True,
        dry_run: bool | str = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value, least in (
            ("max_in_flight", max_in_flight, 1),
            ("max_credits", max_credits, 0),
            ("max_moderated", max_moderated, 0),
        ):
            if value is not None and not value >= least:
                raise ValueError(f"{name} must be a number from {least}, not {value!r}")
        self.requests = requests
        self.route = route
        self.destination = destination
        self.file_name = file_name
        self.manifest = manifest
        self.runway_conn_id = runway_conn_id
        self.max_in_flight = max_in_flight
        self.max_credits = max_credits
        self.max_moderated = max_moderated
        self.on_partial_failure = one_of("on_partial_failure", on_partial_failure, "fail", "succeed")
        self.on_ambiguous_submit = one_of("on_ambiguous_submit", on_ambiguous_submit, "fail", "resubmit")
        self.poll_interval = seconds("poll_interval", poll_interval)
        self.timeout = seconds("timeout", timeout)
        self.cancel_on_timeout = cancel_on_timeout
        self.cancel_on_kill = cancel_on_kill
        self.is_dry_run = checked_flag(dry_run)
        self._phase: BatchPhase | None = None

    @staticmethod
    def pause_between_tries(tries: int) -> float:
        """Seconds before the next try of one file; tests put no pause here.

        :param tries: how many in a row have brought nothing.
        """
        return backoff(tries, chance=_chance)

    def execute(self, context: Context) -> BatchSummary:
        """Find out what earlier tries did, submit what is left, and wait."""
        self._only_look(context)
        phase, store = self._begin(context, anew=True)
        report = self._report(context, phase)
        report.check()
        phase.match_recorded()
        phase.cancel_others()
        return self._go_on(phase, report, store, pauses=0)

    def execute_complete(self, context: Context, event: BatchEvent) -> BatchSummary:
        """Settle what has ended, submit what may be submitted now, and wait on or come to the end.

        :param event: what the trigger tells, see ``airflow_runway.triggers._events``.
        """
        self._only_look(context)
        phase, store = self._begin(context, anew=False)
        phase.match_as_written()
        phase.settle(event["ended"], to_be_saved=bool(self.destination))
        return self._go_on(phase, self._report(context, phase), store, pauses=event["pauses"])

    def deferral_expired(self, context: Context) -> BatchSummary:
        """Our own deadline: as if the trigger had reported that nothing more has ended."""
        return self.execute_complete(context, {"ended": {}, "pauses": 0})

    def on_kill(self) -> None:
        """Submit nothing more, and cancel what runs; bounded, and never in the way.

        Runs in a signal handler while ``execute`` goes on: a POST that is on its way is dealt with right after it.
        """
        phase = self._phase
        if phase is None:
            return
        phase.stop()
        if self.cancel_on_kill:
            worker = threading.Thread(
                target=phase.cancel_quietly, args=("The task is being stopped.",), daemon=True
            )
            worker.start()
            worker.join(KILL_CLEANUP_TIMEOUT)

    def _only_look(self, context: Context) -> None:
        if is_asked_for(self.is_dry_run):
            from airflow_runway.operators._batch.dry_run import dry_run_of

            dry_run_of(self, context, self._begin, self._report)

    def _begin(self, context: Context, *, anew: bool) -> tuple[BatchPhase, BatchStore]:
        from airflow_runway.operators._batch.phase import BatchPhase
        from airflow_runway.operators._batch.requests import read_requests
        from airflow_runway.stores.batch import BatchStore

        store = BatchStore(context)
        # The connection is looked up here, in the main thread, for all threads.
        self.hook.check_route(self.route)
        requests = read_requests(self.requests)
        store.load(anew=anew)
        self._phase = BatchPhase(
            self.hook,
            store,
            self.route,
            requests,
            resubmit=self.on_ambiguous_submit == "resubmit",
            limits=Limits(self.max_in_flight, self.max_credits, self.max_moderated),
            cancel_when_stopped=self.cancel_on_kill,
            log=self.log,
        )
        return self._phase, store

    def _report(self, context: Context, phase: BatchPhase) -> BatchReport:
        from airflow_runway.operators._batch.options import BatchOptions
        from airflow_runway.operators._batch.report import BatchReport

        options = BatchOptions(
            route=self.route,
            destination=self.destination,
            file_name=self.file_name,
            manifest=self.manifest,
            on_partial_failure=self.on_partial_failure,
            max_moderated=self.max_moderated,
            outlets=self.outlets,
            pause_between_tries=self.pause_between_tries,
        )
        return BatchReport(options, self.hook, context, phase, self.log)

    def _go_on(
        self, phase: BatchPhase, report: BatchReport, store: BatchStore, *, pauses: int
    ) -> BatchSummary:
        deadline = store.started_at + self.timeout
        if phase.result.trouble is None:
            phase.submit(deadline)
        if phase.stopped:
            raise RunwayBatchError(
                "The task was stopped. What was running is cancelled, unless cancel_on_kill is off; when the task is "
                "cleared, what succeeded is kept."
            )
        report.save()
        report.tell_progress()
        if isinstance(phase.result.trouble, RunwayReadRefusedError):
            raise phase.result.trouble
        if time.time() >= deadline:
            self._close(phase, report, deadline)
        elif phase.running() or self._may_go_on_later(phase):
            self._wait(phase, deadline, pauses)
        if phase.result.trouble is not None:
            raise phase.result.trouble
        return report.conclude()

    def _close(self, phase: BatchPhase, report: BatchReport, deadline: float) -> None:
        """The deadline has passed: what has ended counts, what has not is cancelled."""
        if self.cancel_on_timeout:
            phase.cancel_at_deadline(deadline)
        left: dict[str, ErrorEvent | None] = {item.runway_task_id: None for item in phase.running()}
        phase.settle(left, to_be_saved=bool(self.destination))
        report.save()

    @staticmethod
    def _may_go_on_later(phase: BatchPhase) -> bool:
        result = phase.result
        stopped = result.stop_reason is not None and result.stop_reason.is_final
        return result.pause is not None and result.trouble is None and not stopped

    def _wait(self, phase: BatchPhase, deadline: float, pauses: int) -> NoReturn:
        from airflow_runway.triggers.batch import RunwayBatchTrigger

        now = time.time()
        resume_at = None
        if self._may_go_on_later(phase):
            pause = phase.result.pause or min(FIRST_PAUSE * 2**pauses, LONGEST_PAUSE)
            resume_at = min(now + pause, deadline)
            self.log.info("The gateway takes no more now; it is asked again in %.0f s.", resume_at - now)
        else:
            pauses = -1
        waits_for_room = bool(phase.waiting()) and self.max_in_flight is not None
        enough = max(1, (self.max_in_flight or 0) // 4) if waits_for_room else 0
        if self.destination:
            enough = min(enough or _WORTH_A_WORKER, _WORTH_A_WORKER)
        left = max(deadline - now, SHORTEST_ABSENCE)
        self.defer(
            trigger=RunwayBatchTrigger(
                runway_task_ids=[item.runway_task_id for item in phase.running()],
                runway_conn_id=self.runway_conn_id,
                deadline=deadline,
                poll_interval=self.poll_interval,
                resume_at=resume_at,
                enough=enough,
                linger=_LINGER if enough else 0.0,
                pauses=pauses + 1,
                cancel_on_kill=self.cancel_on_kill,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=left + DEFER_TIMEOUT_MARGIN),
        )
