"""The steps of which a phase of RunwayBatchOperator consists: begin, find the bodies, report, wait, close."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow_runway._base_operator import RunwayOperatorBase
from airflow_runway.core.journal.limits import Limits, StopReason
from airflow_runway.core.journal.rest import rest_of
from airflow_runway.core.limits import DEFER_TIMEOUT_MARGIN, SHORTEST_ABSENCE
from airflow_runway.exceptions import RunwayError
from airflow_runway.operators._dry_run import is_asked_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from airflow.sdk import Context

    from airflow_runway.operators._batch.phase import BatchPhase
    from airflow_runway.operators._batch.report import BatchReport
    from airflow_runway.operators._batch.requests import Request
    from airflow_runway.stores.batch import BatchStore
    from airflow_runway.triggers._events import ErrorEvent


class BatchSteps(RunwayOperatorBase):
    """What :class:`~airflow_runway.operators.runway.RunwayBatchOperator` does in a phase, step by step."""

    requests: str | Iterable[Mapping[str, Any]]
    route: str
    item_key: str | None
    destination: str | None
    file_name: str
    manifest: str | None
    max_in_flight: int | None
    max_credits: float | None
    max_lost_answers: int
    submissions_at_once: int
    max_moderated: int
    on_partial_failure: str
    on_ambiguous_submit: str
    poll_interval: float
    timeout: float
    cancel_on_timeout: bool
    cancel_on_kill: bool
    is_dry_run: bool | str
    on_clear: str
    pause_between_tries: Callable[[int], float]
    _phase: BatchPhase | None

    def _begin(self, context: Context) -> tuple[BatchPhase, BatchStore]:
        from airflow_runway.operators._batch.accounts import confirm_account
        from airflow_runway.operators._batch.phase import BatchPhase
        from airflow_runway.stores.batch import BatchStore

        store = BatchStore(context)
        # The connection is looked up here, in the main thread, for all threads.
        self.hook.check_route(self.route)
        store.load()
        # A dry run looks ahead to the next clear.
        is_cleared = store.is_cleared or is_asked_for(self.is_dry_run)
        confirm_account(self.hook, store, self.log, gives_up=is_cleared and self.on_clear == "regenerate")
        self._phase = BatchPhase(
            self.hook,
            store,
            self.route,
            resubmit=self.on_ambiguous_submit == "resubmit",
            limits=Limits(
                self.max_in_flight, self.max_credits, self.max_moderated, self.max_lost_answers, self.timeout
            ),
            submissions_at_once=self.submissions_at_once,
            log=self.log,
        )
        return self._phase, store

    @staticmethod
    def _runs_mapped(context: Context) -> bool:
        map_index = getattr(context["ti"], "map_index", None)
        return map_index is not None and map_index >= 0

    def _requests(self) -> list[Request]:
        from airflow_runway.operators._batch.requests import read_requests

        return read_requests(self.requests, self.item_key)

    def _find_bodies(self, phase: BatchPhase) -> None:
        """The list as it is now, as far as it is there: what is recorded needs none."""
        from airflow_runway.operators._batch.list_trouble import ListTrouble

        try:
            requests = self._requests()
        except RunwayError as error:
            if not phase.pin:
                if not phase.items():
                    raise
                phase.match_list([])  # begun by 0.1.0: what it recorded is all that is known
            phase.list_trouble = ListTrouble.unreadable(error)
        else:
            phase.match_list(requests)

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
            max_lost_answers=self.max_lost_answers,
            outlets=self.outlets,
            pause_between_tries=self.pause_between_tries,
        )
        return BatchReport(options, self.hook, context, phase, self.log)

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

    @staticmethod
    def _frees_at(phase: BatchPhase, deadline: float) -> float | None:
        """Wall clock at which a lost answer gives room to others before the deadline; ``None`` = none does."""
        frees_at = phase.frees_at() if phase.result.stop_reason is StopReason.IN_FLIGHT else None
        return None if frees_at is None or frees_at >= deadline else frees_at

    def _wait(self, phase: BatchPhase, deadline: float, pauses: int) -> NoReturn:
        from airflow_runway.triggers.batch import RunwayBatchTrigger

        now = time.time()
        rest = rest_of(
            now=now,
            deadline=deadline,
            pauses=pauses,
            asks_again=self._may_go_on_later(phase),
            pause=phase.result.pause,
            frees_at=self._frees_at(phase, deadline),
            room=self.max_in_flight if phase.waiting() else None,
            saves=bool(self.destination),
        )
        if rest.pauses and rest.resume_at is not None:
            self.log.info("The gateway takes no more now; it is asked again in %.0f s.", rest.resume_at - now)
        left = max(deadline - now, SHORTEST_ABSENCE)
        self.defer(
            trigger=RunwayBatchTrigger(
                runway_task_ids=[item.runway_task_id for item in phase.running()],
                runway_conn_id=self.runway_conn_id,
                deadline=deadline,
                poll_interval=self.poll_interval,
                resume_at=rest.resume_at,
                enough=rest.enough,
                linger=rest.linger,
                pauses=rest.pauses,
                cancel_on_kill=self.cancel_on_kill,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=left + DEFER_TIMEOUT_MARGIN),
        )
