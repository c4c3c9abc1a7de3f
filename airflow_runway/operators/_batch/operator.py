"""The operator for a campaign: many generations as one task."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn

import tenacity
from airflow.sdk import BaseOperator

from airflow_runway._compat import TaskDeferralTimeout
from airflow_runway.core.journal.batch import Limits
from airflow_runway.core.polling.decisions import DEFAULT_INTERVAL, SHORTEST_ABSENCE
from airflow_runway.core.saving.naming import DEFAULT_PATTERN
from airflow_runway.exceptions import RunwayBatchError, RunwayConfigurationError, RunwayReadRefusedError
from airflow_runway.operators._submit import LONGEST_GOODBYE
from airflow_runway.operators._waiting import NET_BELOW_DEADLINE, one_of, seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from airflow.sdk import Context
    from tenacity.wait import wait_base

    from airflow_runway.hooks.runway import RunwayHook
    from airflow_runway.operators._batch.phase import BatchRun
    from airflow_runway.stores.batch import BatchStore

#: Seconds until a gateway that takes nothing now is asked again, where it does not say; doubled each time.
FIRST_PAUSE, LONGEST_PAUSE = 60.0, 3600.0
#: Ends that are worth a worker, where outputs are to be saved, and seconds that one end waits for others.
_WORTH_A_WORKER, _LINGER = 50, 300.0


class RunwayBatchOperator(BaseOperator):
    """Makes many generations as one task: submits, waits in one trigger, saves, and reports. This spends money.

    Items are independent: one that is wrong, or fails, fails alone. Each is journalled under the fingerprint of its
    request (content of files included) before it is sent, and sent once: a retry, or a clear, goes on where the
    batch stopped. What succeeded is kept, what runs is waited for, what failed is submitted, and paid for, again;
    items that were moderated, and answers that were lost, are left alone (see :mod:`airflow_runway.core.journal.batch` for the
    table). A limit of the account (429) is waited for without a worker, as are throttled generations. Needs
    Airflow 3.3.

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
    :returns: ``{"total", "succeeded", "failed", "moderated", "lost_answers", "unfinished", "not_submitted",
        "credits", "manifest"}``, numbers but for the last; without a manifest also ``"runway_task_ids"``, in the
        order of ``requests``, ``None`` for what did not succeed.
    """

    template_fields: Sequence[str] = (
        "requests", "route", "destination", "file_name", "manifest", "runway_conn_id",
    )  # fmt: skip
    template_fields_renderers: ClassVar[dict[str, str]] = {"requests": "json"}
    ui_color = "#ddd6fe"
    #: Between the tries of one file; tests put ``wait_none`` here.
    pause_between_tries: ClassVar[wait_base] = tenacity.wait_random_exponential(multiplier=1, max=30)

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
        self._run: BatchRun | None = None

    @cached_property
    def hook(self) -> RunwayHook:
        """The hook of this task's connection."""
        # Imported when work starts: Dag files are parsed all the time, and HTTP libraries are heavy.
        from airflow_runway.hooks.runway import RunwayHook

        return RunwayHook(self.runway_conn_id)

    def execute(self, context: Context) -> dict[str, Any]:
        """Find out what earlier tries did, submit what is left, and wait.

        :param context: Airflow's.
        """
        from airflow_runway.operators._batch.report import BatchReport

        run, store = self._begin(context, anew=True)
        BatchReport(self, context, run).check()
        run.recognise()
        run.cancel_others()
        return self._go_on(context, run, store, pauses=0)

    def execute_complete(self, context: Context, event: Mapping[str, Any]) -> dict[str, Any]:
        """Settle what has ended, submit what may be submitted now, and wait on or come to the end.

        :param context: Airflow's.
        :param event: the trigger's.
        """
        run, store = self._begin(context, anew=False)
        run.recognise_as_written()
        run.settle(event["ended"], to_be_saved=bool(self.destination))
        return self._go_on(context, run, store, pauses=event["pauses"])

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Airflow's; a deferral that expired is our own deadline.

        :param next_method: Airflow's.
        :param next_kwargs: Airflow's.
        :param context: Airflow's.
        """
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            return self.execute_complete(context, {"ended": {}, "pauses": 0})

    def on_kill(self) -> None:
        """Submit nothing more, and cancel what runs; bounded, and never in the way.

        Runs in a signal handler while ``execute`` goes on: a POST that is on its way is dealt with right after it.
        """
        run = self._run
        if run is None:
            return
        run.stop()
        if self.cancel_on_kill:
            worker = threading.Thread(
                target=run.cancel_quietly, args=("The task is being stopped.",), daemon=True
            )
            worker.start()
            worker.join(LONGEST_GOODBYE)

    def _begin(self, context: Context, *, anew: bool) -> tuple[BatchRun, BatchStore]:
        from airflow_runway.operators._batch.phase import BatchRun
        from airflow_runway.operators._batch.requests import read_requests
        from airflow_runway.stores.batch import BatchStore

        store = BatchStore(context)
        # Looked up here, in the main thread, for all threads.
        gateway = self.hook.settings.gateway
        if gateway.create(self.route) is None:
            raise RunwayConfigurationError(
                f"{gateway.title} has no such route: {str(self.route)[:60]!r}. Nothing was sent."
            )
        requests = read_requests(self.requests)
        store.load(anew=anew)
        self._run = BatchRun(
            self.hook,
            store,
            self.route,
            requests,
            limits=Limits(self.max_in_flight, self.max_credits, self.max_moderated),
            resubmit=self.on_ambiguous_submit == "resubmit",
            cancel_when_stopped=self.cancel_on_kill,
            log=self.log,
        )
        return self._run, store

    def _go_on(self, context: Context, run: BatchRun, store: BatchStore, *, pauses: int) -> dict[str, Any]:
        from airflow_runway.operators._batch.report import BatchReport

        report = BatchReport(self, context, run)
        deadline = store.started_at + self.timeout
        if run.phase.trouble is None:
            run.submit(deadline)
        if run.stopped:
            raise RunwayBatchError(
                "The task was stopped. What was running is cancelled, unless cancel_on_kill is off; when the task is "
                "cleared, what succeeded is kept."
            )
        report.save()
        report.tell_progress()
        if isinstance(run.phase.trouble, RunwayReadRefusedError):
            raise run.phase.trouble
        if time.time() >= deadline:
            self._close(run, report)
        elif run.running() or self._may_go_on_later(run):
            self._wait(run, deadline, pauses)
        if run.phase.trouble is not None:
            raise run.phase.trouble
        return report.conclude()

    def _close(self, run: BatchRun, report: Any) -> None:
        """The deadline has passed: what has ended counts, what has not is cancelled."""
        if self.cancel_on_timeout:
            run.cancel(run.running(), "The batch's deadline has passed.")
        run.settle({item.runway_task_id: None for item in run.running()}, to_be_saved=bool(self.destination))
        report.save()

    @staticmethod
    def _may_go_on_later(run: BatchRun) -> bool:
        stopped = run.phase.hindrance is not None and run.phase.hindrance.is_final
        return run.phase.pause is not None and run.phase.trouble is None and not stopped

    def _wait(self, run: BatchRun, deadline: float, pauses: int) -> NoReturn:
        from airflow_runway.triggers.batch import RunwayBatchTrigger

        now = time.time()
        resume_at = None
        if self._may_go_on_later(run):
            pause = run.phase.pause or min(FIRST_PAUSE * 2**pauses, LONGEST_PAUSE)
            resume_at = min(now + pause, deadline)
            self.log.info("The gateway takes no more now; it is asked again in %.0f s.", resume_at - now)
        else:
            pauses = -1
        waits_for_room = bool(run.waiting()) and self.max_in_flight is not None
        enough = max(1, (self.max_in_flight or 0) // 4) if waits_for_room else 0
        if self.destination:
            enough = min(enough or _WORTH_A_WORKER, _WORTH_A_WORKER)
        left = max(deadline - now, SHORTEST_ABSENCE)
        self.defer(
            trigger=RunwayBatchTrigger(
                runway_task_ids=[item.runway_task_id for item in run.running()],
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
            timeout=timedelta(seconds=left + NET_BELOW_DEADLINE),
        )
